"""Readers of the console of a service with keys: they sign in, and send the forms of its pages."""

import re
from html import unescape

from ml.keys.key_file import KeyFile

ADDRESS = {"base_url": "http://tessera.example"}


def form_token(page):
    return re.search(r'name="csrf_token" value="([^"]+)"', page)[1]


def sign_in_with(client, key):
    token = form_token(client.get("/console/sign-in").text)
    return client.post("/console/sign-in", data={"key": key, "csrf_token": token}, follow_redirects=False)


def sign_in_as(client, home, role=None):
    """Sign in with a new key of a role, or without one with a secret key that is called `engineer`."""
    kind = {"kind": "console", "role": role} if role else {"kind": "secret"}
    sign_in_with(client, KeyFile(home).create(**kind, name=role or "engineer")[1])
    return client


def send(client, page, action, token=None, **fields):
    """Send a form of a page, with the token that the page gives its reader."""
    token = token or form_token(client.get(f"/console/{page}").text)
    path = f"/console/{page}/{action}"
    return client.post(path, data={"csrf_token": token, **fields}, follow_redirects=False)


def hidden_fields(page):
    """What the form that confirms a change repeats."""
    form = re.search(r'<form [^>]*action="[^"]*/apply".*?</form>', page, re.DOTALL)[0]
    found = re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', form)
    return {name: unescape(value) for name, value in found}

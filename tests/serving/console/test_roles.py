"""What each role of the console may see and do, and whom a proxy of the site signs in."""

import dataclasses

import pytest
from pydantic import ValidationError
from starlette.testclient import TestClient

from ml.keys.access_key import ROLES
from ml.keys.key_file import KeyFile
from ml.settings.serving import ConsoleSettings
from serving.application import application
from serving.console.application import console_application
from serving.console.pages import PAGES
from serving.tessera import Tessera
from tests.serving.console.console_bundle import publish_with_console
from tests.serving.console.console_reader import ADDRESS, form_token

PROXY = {"proxy_user_header": "X-Forwarded-User", "proxy_addresses": ("10.0.0.0/24",)}


@pytest.fixture
def published(home, tmp_path):
    publish_with_console(home, tmp_path / "tables")
    return home


def sign_in(client, key):
    token = form_token(client.get("/console/sign-in").text)
    assert client.post("/console/sign-in", data={"key": key, "csrf_token": token}).status_code == 200


def create_key(home, role):
    return KeyFile(home).create("console", role=role, name=f"a {role}")[1]


@pytest.fixture
def service(config, published):
    KeyFile(config.home).create("secret")
    with TestClient(application(Tessera(config, seed=1)), **ADDRESS) as client:
        yield client


@pytest.mark.parametrize("role", ROLES)
def test_a_console_key_signs_in_and_calls_nothing(service, config, role):
    key = create_key(config.home, role)
    bearer = {"Authorization": f"Bearer {key}"}
    for method, path in (("GET", "/v1/users/u1"), ("DELETE", "/v1/users/u1"), ("GET", "/v1/models")):
        assert service.request(method, path, headers=bearer).status_code == 403
    for path, body in (("/v1/events", {"events": []}), ("/v1/recommendations", {"user_id": "u1"})):
        assert service.post(path, json=body, headers=bearer).status_code == 403
    assert service.post("/v1/track", json={}, headers=bearer).status_code == 403
    sign_in(service, key)
    page = service.get("/console/overview").text
    assert f"a {role}, {role}" in page


@pytest.mark.parametrize("role", ROLES)
def test_the_menu_and_the_pages_are_those_of_the_role(service, config, role):
    sign_in(service, create_key(config.home, role))
    may = {"viewer": set(), "editor": {"edit"}, "privacy-officer": {"people"}}[role]
    menu = service.get("/console/overview").text
    for name, kind in PAGES.items():
        is_allowed = kind.needs is None or kind.needs in may
        assert (f'href="/console/{name}' in menu) is is_allowed
        assert (service.get(f"/console/{name}").status_code == 200) is is_allowed
        assert (service.get(f"/console/{name}/nothing.csv").status_code == 404) is is_allowed


def test_a_viewer_does_nothing_of_an_editor_and_an_editor_nothing_of_a_privacy_officer(service, config):
    for role in ("viewer", "editor", "privacy-officer"):
        sign_in(service, create_key(config.home, role))
        token = form_token(service.get("/console/overview").text)
        for name, kind in PAGES.items():
            for action_name, action in kind.actions.items():
                answer = service.post(f"/console/{name}/{action_name}", data={"csrf_token": token})
                is_refused = answer.status_code == 403 and "this needs the role" in answer.text
                needs = {"edit": "editor", "people": "privacy-officer"}.get(action.needs)
                assert is_refused is (needs is not None and needs != role), (role, name, action_name)


def test_a_form_without_the_token_of_its_reader_does_nothing(service, config):
    sign_in(service, create_key(config.home, "privacy-officer"))
    for name, kind in PAGES.items():
        for action in kind.actions:
            for data in ({}, {"csrf_token": ""}, {"csrf_token": "made-up"}):
                answer = service.post(f"/console/{name}/{action}", data=data)
                assert (answer.status_code, "load the page again" in answer.text) == (403, True)


def proxied(config, peer="10.0.0.7", **settings):
    serving = config.settings.serving.model_copy(update={"console": ConsoleSettings(**PROXY, **settings)})
    changed = dataclasses.replace(config, settings=config.settings.model_copy(update={"serving": serving}))
    return TestClient(console_application(changed), client=(peer, 50_000), **ADDRESS)


def test_a_proxy_of_the_settings_signs_readers_in(config, published):
    KeyFile(config.home).create("secret")
    client = proxied(config, proxy_role_header="X-Role")
    page = client.get("/console/overview", headers={"X-Forwarded-User": "mary", "X-Role": "editor"})
    assert "mary, editor" in page.text
    assert "mary, viewer" in client.get("/console/overview", headers={"X-Forwarded-User": "mary"}).text
    refused = client.get("/console/overview", headers={"X-Forwarded-User": "mary", "X-Role": "owner"})
    assert refused.status_code == 403
    assert client.get("/console/overview", follow_redirects=False).status_code == 303


@pytest.mark.parametrize("has_keys", [True, False])
def test_nobody_but_the_proxy_signs_in_with_its_header(config, published, has_keys):
    if has_keys:
        KeyFile(config.home).create("secret")
    for headers in (
        {"X-Forwarded-User": "mary"},
        {"X-Forwarded-User": "mary", "X-Forwarded-For": "10.0.0.7"},
        {"X-Forwarded-User": "mary", "X-Role": "privacy-officer"},
    ):
        answer = proxied(config, peer="192.0.2.9").get(
            "/console/overview", headers=headers, follow_redirects=False
        )
        assert answer.status_code in (303, 403)
        assert "<dt>Visits</dt>" not in answer.text


def test_a_header_that_stands_twice_signs_nobody_in(config, published):
    KeyFile(config.home).create("secret")
    twice = [("X-Forwarded-User", "mary"), ("X-Forwarded-User", "eve")]
    assert proxied(config).get("/console/overview", headers=twice, follow_redirects=False).status_code == 303


def test_a_header_without_addresses_is_refused_by_the_settings():
    with pytest.raises(ValidationError, match="proxy_addresses"):
        ConsoleSettings(proxy_user_header="X-Forwarded-User")
    with pytest.raises(ValidationError):
        ConsoleSettings(proxy_user_header="X-Forwarded-User", proxy_addresses=("everybody",))

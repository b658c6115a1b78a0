"""Who may read the console of a service with keys."""

import dataclasses

import pytest
from starlette.testclient import TestClient

from ml.keys.key_file import KeyFile
from serving.application import application
from serving.console.application import console_application
from serving.console.sign_in.session import COOKIE
from serving.tessera import Tessera
from tests.serving.console.console_bundle import publish_with_console
from tests.serving.console.console_reader import ADDRESS, form_token, sign_in_with


@pytest.fixture
def secret(home):
    return KeyFile(home).create("secret", name="analyst")[1]


@pytest.fixture
def client(config, home, secret, tmp_path):
    publish_with_console(home, tmp_path / "tables")
    return TestClient(console_application(config), **ADDRESS)


def test_without_a_session_every_page_leads_to_the_sign_in(client):
    for path in ("/console/overview", "/console/behaviour/pages.csv", "/console/nowhere"):
        answer = client.get(path, follow_redirects=False)
        assert (answer.status_code, answer.headers["location"]) == (303, "/console/sign-in")
        assert "Visits" not in answer.text
    assert "Console" in client.get("/").text


def test_a_secret_key_opens_a_session_that_scripts_cannot_read(client, secret):
    answer = sign_in_with(client, secret)
    assert answer.headers["location"] == "/console/overview"
    cookie = next(value for value in answer.headers.get_list("set-cookie") if value.startswith(f"{COOKIE}="))
    assert {"HttpOnly", "Path=/console", "SameSite=lax", "Max-Age=43200"} <= set(cookie.split("; "))
    assert secret not in cookie
    assert "<dt>Visits</dt>" in client.get("/console/overview").text


def test_a_browser_key_opens_nothing(client, home):
    _, key = KeyFile(home).create("browser")
    answer = sign_in_with(client, key)
    assert answer.status_code == 403
    assert client.get("/console/overview", follow_redirects=False).status_code == 303


def test_no_key_of_a_header_or_address_opens_the_console(client, home, secret):
    _, browser = KeyFile(home).create("browser")
    for key in (secret, browser):
        for request in ({"headers": {"Authorization": f"Bearer {key}"}}, {"params": {"key": key}}):
            assert client.get("/console/overview", follow_redirects=False, **request).status_code == 303


def test_a_wrong_key_is_told_and_not_shown_again(client):
    answer = sign_in_with(client, "wrong-key-0123456789")
    assert answer.status_code == 401
    assert "wrong-key" not in answer.text
    assert 'role="alert"' in answer.text


def test_a_form_of_another_site_signs_nobody_in_or_out(client, secret):
    answer = client.post("/console/sign-in", data={"key": secret, "csrf_token": "made-up"}, follow_redirects=False)
    assert answer.status_code == 403
    assert COOKIE not in client.cookies
    sign_in_with(client, secret)
    assert client.post("/console/sign-out", data={"csrf_token": "made-up"}).status_code == 403
    page = client.get("/console/overview").text
    client.post("/console/sign-out", data={"csrf_token": form_token(page)})
    assert client.get("/console/overview", follow_redirects=False).status_code == 303


def test_a_session_ends_with_its_key(client, home, secret):
    sign_in_with(client, secret)
    KeyFile(home).revoke("analyst")
    assert client.get("/console/overview", follow_redirects=False).status_code == 303


@pytest.mark.parametrize("change", [lambda text: text[:-2], lambda text: "e30." + text.partition(".")[2]])
def test_a_changed_cookie_opens_nothing(client, secret, change):
    sign_in_with(client, secret)
    cookie = client.cookies[COOKIE]
    client.cookies.clear()
    client.cookies.set(COOKIE, change(cookie), domain="tessera.example", path="/console")
    assert client.get("/console/overview", follow_redirects=False).status_code == 303


def test_a_session_is_of_one_home(client, secret, config, tmp_path):
    sign_in_with(client, secret)
    other = type(config.home)(tmp_path / "other")
    KeyFile(other).path.parent.mkdir(parents=True)
    KeyFile(other).path.write_bytes(KeyFile(config.home).path.read_bytes())
    elsewhere = TestClient(console_application(dataclasses.replace(config, home=other)), **ADDRESS)
    elsewhere.cookies.set(COOKIE, client.cookies[COOKIE], domain="tessera.example", path="/console")
    assert elsewhere.get("/console/overview", follow_redirects=False).status_code == 303


def test_behind_tls_the_cookie_goes_over_tls_alone(client, config, secret):
    secure = TestClient(console_application(config), base_url="https://tessera.example")
    assert "Secure" in sign_in_with(secure, secret).headers["set-cookie"]
    assert "Secure" not in sign_in_with(client, secret).headers["set-cookie"]


def test_the_secret_of_the_cookies_is_the_owners_alone(client, secret, home):
    sign_in_with(client, secret)
    assert (home.path / "console.secret").stat().st_mode & 0o077 == 0


def test_the_console_of_the_service_itself_follows_the_same_rules(config, home, secret, tmp_path):
    publish_with_console(home, tmp_path / "tables")
    with TestClient(application(Tessera(config, seed=1)), **ADDRESS) as client:
        assert client.get("/console/overview", follow_redirects=False).status_code == 303
        sign_in_with(client, secret)
        assert "<dt>Visits</dt>" in client.get("/console/overview").text
        session = {"Cookie": f"{COOKIE}={client.cookies[COOKIE]}"}
        assert client.get("/v1/models", headers=session).status_code == 401

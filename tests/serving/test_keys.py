"""Keys on the running service: made, ended and refused without a restart, in every worker."""

from __future__ import annotations

import dataclasses
import datetime as dt
import hashlib
import logging
import os

import httpx
import pytest
from starlette.requests import HTTPConnection
from starlette.testclient import TestClient

from ml.keys.key_file import KeyFile, KeyFileError
from serving.access import Access, KeyRegistry, Keys
from serving.application import application
from serving.errors import ApiError
from serving.start import InvalidKeyError, read_service_config
from serving.tessera import Tessera
from tests.serving.collector.processes import CollectorProcess

EVENT = {"event_type": "click", "anonymous_id": "a"}
SHOP = "https://shop.example"
RANDOM = "9f8a1c5e7d3b2046"  # 16 random hexadecimal digits


@pytest.fixture
def key_file(home) -> KeyFile:
    return KeyFile(home)


@pytest.fixture
def client(config):
    with TestClient(application(Tessera(config)), raise_server_exceptions=False) as client:
        yield client


def bearer(key: str, **headers: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}", **headers}


def test_creation_and_revocation_take_effect_in_all_workers_without_a_restart(home, key_file):
    with CollectorProcess(home.path) as first, CollectorProcess(home.path) as second:

        def statuses(**headers: str) -> set[int]:
            addresses = [f"http://127.0.0.1:{worker.port}/v1/events" for worker in (first, second)]
            body = {"events": [EVENT]}
            return {httpx.post(one, json=body, headers=headers, timeout=60).status_code for one in addresses}

        assert statuses() == {202}
        _, old = key_file.create("secret", name="backend")
        assert statuses() == {401}
        assert statuses(**bearer(old)) == {202}
        _, _, new = key_file.rotate("backend", dt.timedelta(days=7))
        assert statuses(**bearer(old)) == statuses(**bearer(new)) == {202}
        key_file.revoke("backend")
        assert statuses(**bearer(old)) == statuses(**bearer(new)) == statuses() == {401}


def test_a_key_ends_at_its_expiry(home, key_file):
    _, key = key_file.create("secret", lifetime=dt.timedelta(days=1))
    now = dt.datetime.now(dt.UTC)
    access = Access(KeyRegistry(Keys(), key_file, clock=lambda: now))
    request = HTTPConnection({"type": "http", "headers": [(b"authorization", f"Bearer {key}".encode())]})
    assert access.caller(request).kind == "secret"
    now += dt.timedelta(days=1)
    with pytest.raises(ApiError, match="expired or was revoked"):
        access.caller(request)


def test_keys_of_the_environment_work_beside_those_of_the_file(config, key_file):
    keys = Keys(secret=frozenset({RANDOM}))
    with TestClient(application(Tessera(dataclasses.replace(config, keys=keys)))) as client:
        _, created = key_file.create("secret")
        for key in (RANDOM, created):
            assert client.get("/v1/models", headers=bearer(key)).status_code == 200


def test_a_service_that_had_keys_is_not_open_again_when_they_are_lost(client, home, key_file):
    _, key = key_file.create("secret")
    assert client.get("/v1/models", headers=bearer(key)).status_code == 200
    home.keys_file.unlink()
    assert client.get("/v1/models").status_code == 401
    assert client.get("/v1/models", headers=bearer(key)).status_code == 401


def test_a_damaged_file_leaves_the_former_keys_in_force_and_stops_a_start(client, config, home, key_file, caplog):
    _, key = key_file.create("secret")
    assert client.get("/v1/models", headers=bearer(key)).status_code == 200
    home.keys_file.write_text('{"version": 1, "keys', encoding="utf-8")
    assert client.get("/v1/models", headers=bearer(key)).status_code == 200
    assert str(home.keys_file) in caplog.text
    with pytest.raises(KeyFileError, match=r"keys\.json cannot be read"):
        Tessera(config)


@pytest.mark.parametrize("variable", ["TESSERA_SECRET_KEYS", "TESSERA_BROWSER_KEYS"])
@pytest.mark.parametrize(
    ("key", "reason"),
    [
        ("changeme", "has 8 characters and can be guessed"),
        ("123456789012345", "has 15 characters"),
        ("abababababababababab", "repeats the same few characters"),
        ("sha256:", "is not a digest"),
        ("sha256:" + "g" * 64, "is not a digest"),
        ("sha256:" + "a" * 63, "is not a digest"),
    ],
)
def test_a_key_that_can_be_guessed_and_a_digest_that_is_none_stop_the_start(home, variable, key, reason):
    with pytest.raises(InvalidKeyError, match=reason) as raised:
        read_service_config({"TESSERA_HOME": str(home.path), variable: f"{RANDOM},{key}"})
    message = str(raised.value)
    assert message.startswith(f"{variable}: key 2 of 2")
    assert key.removeprefix("sha256:") not in message or key == "sha256:"
    assert RANDOM not in message


def test_a_key_cannot_be_public_and_secret(home):
    digest = "sha256:" + hashlib.sha256(RANDOM.encode()).hexdigest()
    with pytest.raises(InvalidKeyError, match="both TESSERA_BROWSER_KEYS and TESSERA_SECRET_KEYS"):
        read_service_config(
            {"TESSERA_HOME": str(home.path), "TESSERA_SECRET_KEYS": digest, "TESSERA_BROWSER_KEYS": RANDOM}
        )


def test_random_keys_and_digests_start(home):
    digest = "sha256:" + hashlib.sha256(b"x").hexdigest().upper()
    config = read_service_config({"TESSERA_HOME": str(home.path), "TESSERA_SECRET_KEYS": f" {RANDOM}, {digest},"})
    assert config.keys == Keys(secret=frozenset({RANDOM, digest}))


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Origin": SHOP}, 200),
        ({"Referer": f"{SHOP}/items/1?a=b"}, 200),
        ({}, 200),
        ({"Origin": "https://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": f"{SHOP}.evil.example"}, 403),
        ({"Origin": "http://shop.example"}, 403),
        ({"Origin": "https://evil.example", "Referer": SHOP}, 403),
        ({"Referer": "https://evil.example/shop.example"}, 403),
        ({"Referer": "nonsense"}, 403),
    ],
)
def test_a_browser_key_works_on_the_pages_of_its_origins_only(client, key_file, headers, status):
    _, key = key_file.create("browser", origins=(SHOP, "https://www.shop.example"))
    reply = client.post("/v1/recommendations", json={"anonymous_id": "a"}, headers=bearer(key, **headers))
    assert reply.status_code == status
    events = client.post("/v1/events", json={"events": [EVENT]}, headers=bearer(key, **headers))
    assert events.status_code == (202 if status == 200 else 403)
    if status == 403:
        assert reply.json()["error"]["field"] == ("origin" if "Origin" in headers else "referer")
        assert SHOP in reply.json()["error"]["message"]


def test_no_route_takes_a_secret_key_from_the_query(client, key_file):
    _, secret = key_file.create("secret")
    routes = {route.path: route.methods for route in client.app.routes if hasattr(route, "methods")}
    public = {"/livez", "/readyz", "/metrics", "/docs", "/openapi.json"}
    asked = 0
    for path, methods in routes.items():
        if path in public or not path.startswith(("/v1", "/i", "/com.")):
            continue
        for method in methods - {"HEAD", "OPTIONS"}:
            body = {"events": [EVENT], "data": [{"e": "pv", "duid": "a"}], "batch": []}
            for query in ({"key": secret}, {"key": secret, "aid": secret, "e": "pv"}):
                reply = client.request(method, path.replace("{", "").replace("}", ""), params=query, json=body)
                assert reply.status_code == 401, (method, path)
                asked += 1
    assert asked > 40


def test_a_browser_key_in_the_query_opens_only_the_routes_of_beacons(client, key_file):
    _, key = key_file.create("browser")
    query = {"key": key}
    assert client.post("/v1/events", params=query, json={"events": [EVENT]}).status_code == 202
    snowplow = {"data": [{"e": "pv", "duid": "a"}]}
    assert client.post("/com.snowplowanalytics.snowplow/tp2", params=query, json=snowplow).status_code == 200
    assert client.get("/i", params={"e": "pv", "duid": "a", "aid": key}).status_code == 200
    assert client.post("/v1/recommendations", params=query, json={"anonymous_id": "a"}).status_code == 401
    assert client.post("/v1/track", params=query, json={"event": "x", "anonymousId": "a"}).status_code == 401


def test_a_secret_key_in_a_page_or_a_query_is_logged_once_without_the_key(client, key_file, caplog):
    created, key = key_file.create("secret", name="backend")
    with caplog.at_level(logging.WARNING, "tessera.serving"):
        for _ in range(3):
            assert client.get("/v1/models", headers=bearer(key, Origin=SHOP)).status_code == 200
            client.get("/i", params={"e": "pv", "key": key})
    warnings = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert [created.key_id in warning for warning in warnings if "secret key" in warning] == [True]
    assert key not in caplog.text


def test_the_file_is_read_again_only_when_it_changes(key_file, monkeypatch):
    _, key = key_file.create("secret")
    registry = KeyRegistry(Keys(), key_file)
    reads = 0
    read = KeyFile.read

    def counted(self: KeyFile) -> list:
        nonlocal reads
        reads += 1
        return read(self)

    monkeypatch.setattr(KeyFile, "read", counted)
    for _ in range(100):
        registry.refresh()
        assert registry.find(key) is not None
    assert reads == 0
    os.utime(key_file.path, ns=(1, 1))
    registry.refresh()
    assert registry.find(key) is not None
    assert reads == 1

"""Limits and names in front of every route, on the served application."""

from __future__ import annotations

import contextlib
import dataclasses
import http.client
import resource
import socket
import time
from urllib.parse import urlsplit

import httpx
import pytest
import uvicorn.config
from starlette.requests import HTTPConnection

from ml.keys.key_file import KeyFile
from ml.settings.serving import LimitSettings
from serving.admission.client_address import client_address, is_loopback, network_of
from serving.admission.connections import limit_connections
from serving.application import application
from serving.tessera import Tessera
from tests.serving.served import served

EVENT = {"event_type": "click", "anonymous_id": "a"}
EVENTS = {"events": [EVENT]}
BLOCK = b"x" * 1_000_000
LITTLE = {"requests_per_second": 0.001, "burst_requests": 5, "secret_burst_requests": 8}


def changed(config, serving=None, limits=None, collector=None):
    """The configuration with some knobs turned."""
    settings = config.settings
    new_limits = settings.serving.limits.model_copy(update=limits or {})
    sections = {
        "serving": settings.serving.model_copy(update={"limits": new_limits, **(serving or {})}),
        "collector": settings.collector.model_copy(update=collector or {}),
    }
    return dataclasses.replace(config, settings=settings.model_copy(update=sections))


@contextlib.contextmanager
def running(config):
    """A client of the served application."""
    with served(application(Tessera(config))) as address, httpx.Client(base_url=address, timeout=60) as client:
        yield client


@pytest.fixture
def key_file(home) -> KeyFile:
    return KeyFile(home)


@pytest.fixture
def limited_connections():
    """Connections with short deadlines; the standard ones come back afterwards."""
    before = uvicorn.config.HTTP_PROTOCOLS["auto"]
    limit_connections(
        LimitSettings(head_seconds=0.5, request_seconds=1.0, max_head_bytes=8_192, max_connections=20)
    )
    yield
    uvicorn.config.HTTP_PROTOCOLS["auto"] = before


def connect(client: httpx.Client) -> socket.socket:
    return socket.create_connection(("127.0.0.1", urlsplit(str(client.base_url)).port), timeout=30)


def read_all(connection: socket.socket) -> bytes:
    """Everything until the other side closes, reset or not."""
    blocks = []
    with contextlib.suppress(ConnectionError):
        while block := connection.recv(65_536):
            blocks.append(block)
    return b"".join(blocks)


@pytest.mark.parametrize(
    "path", ["/v1/events", "/v1/recommendations", "/v1/users/ann/preferences", "/nothing", "/v1/track"]
)
def test_a_chunked_body_ends_at_the_limit_and_is_not_buffered(config, path):
    with running(config) as client:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        sent, status = 0, None
        connection = http.client.HTTPConnection("127.0.0.1", urlsplit(str(client.base_url)).port, timeout=30)
        connection.putrequest("PUT" if path.endswith("preferences") else "POST", path)
        connection.putheader("Transfer-Encoding", "chunked")
        connection.putheader("Content-Type", "application/json")
        connection.endheaders()
        with contextlib.suppress(ConnectionError):
            while sent < 200:
                connection.send(b"%x\r\n%s\r\n" % (len(BLOCK), BLOCK))
                sent += 1
        # The service may close while this side is still writing.
        with contextlib.suppress(ConnectionError, http.client.HTTPException):
            status = connection.getresponse().status
        grown_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert status in (None, 404, 413)
    assert sent < 200 or path == "/nothing"
    assert grown_kib < 60_000


def test_a_large_body_is_refused_by_its_declared_length(config):
    with running(config) as client:
        for size in ("1000001", "9" * 30):
            connection = connect(client)
            connection.sendall(
                f"POST /v1/recommendations HTTP/1.1\r\nHost: localhost\r\nContent-Length: {size}\r\n\r\n".encode()
            )
            answer = read_all(connection)
            assert answer.split()[1] in (b"413", b"400")
            assert b"connection: close" in answer.lower()


def test_requests_of_a_network_are_limited_on_every_route_and_secret_keys_by_themselves(config, key_file):
    _, secret = key_file.create("secret")
    _, browser = key_file.create("browser")
    with running(changed(config, limits=LITTLE)) as client:
        statuses = [
            client.get("/livez").status_code,
            client.get("/v1/models").status_code,
            client.get("/nothing").status_code,
            client.post("/v1/events", json=EVENTS, headers={"Authorization": f"Bearer {browser}"}).status_code,
            client.get("/v1/models", headers={"Authorization": "Bearer guess"}).status_code,
        ]
        assert statuses == [200, 401, 404, 202, 401]
        refused = client.get("/livez")
        assert refused.status_code == 429
        assert int(refused.headers["retry-after"]) > 100
        assert "serving.limits" in refused.json()["error"]["message"]
        headers = {"Authorization": f"Bearer {secret}"}
        assert [client.get("/v1/models", headers=headers).status_code for _ in range(8)] == [200] * 8


def test_a_secret_key_has_a_limit_too(config, key_file):
    _, secret = key_file.create("secret")
    limits = {"secret_requests_per_second": 0.001, "secret_burst_requests": 2}
    with running(changed(config, limits=limits)) as client:
        for headers in ({"Authorization": f"Bearer {secret}"},):
            statuses = [client.get("/v1/models", headers=headers).status_code for _ in range(3)]
        assert statuses == [200, 200, 429]


def test_without_keys_this_machine_has_no_limit_unless_one_is_set(config):
    with running(changed(config, limits=LITTLE)) as client:
        assert {client.get("/livez").status_code for _ in range(20)} == {200}
    with running(changed(config, limits={**LITTLE, "open_requests_per_second": 0.001})) as client:
        assert [client.get("/livez").status_code for _ in range(7)] == [200] * 5 + [429] * 2


def test_a_forged_address_escapes_no_limit(config, key_file):
    key_file.create("secret")
    forged = [{"X-Forwarded-For": f"203.0.{number}.7"} for number in range(10)]
    with running(changed(config, limits=LITTLE)) as client:  # trusted_proxies: 0, and the peer is on loopback
        assert [client.get("/livez", headers=one).status_code for one in forged][5:] == [429] * 5
    behind = changed(config, limits=LITTLE, collector={"trusted_proxies": 1})
    with running(behind) as client:
        through = [{"X-Forwarded-For": f"203.0.{number}.7, 198.51.100.9"} for number in range(10)]
        assert [client.get("/livez", headers=one).status_code for one in through][5:] == [429] * 5
        assert client.get("/livez", headers={"X-Forwarded-For": "198.51.101.9"}).status_code == 200


@pytest.mark.parametrize(
    ("proxies", "forwarded", "expected"),
    [
        (0, ["203.0.113.1"], "127.0.0.1"),
        (1, [], "127.0.0.1"),
        (1, ["203.0.113.1"], "203.0.113.1"),
        (1, ["10.0.0.1, 203.0.113.1"], "203.0.113.1"),
        (1, ["10.0.0.1", "203.0.113.1"], "203.0.113.1"),
        (2, ["10.0.0.1, 203.0.113.1, 198.51.100.1"], "203.0.113.1"),
        (2, ["203.0.113.1"], "127.0.0.1"),
        (1, ["203.0.113.1:4711"], "203.0.113.1"),
        (1, ["[2001:db8::1]:443"], "2001:db8::1"),
        (1, ["::ffff:203.0.113.1"], "203.0.113.1"),
        (1, ["203.0.113.1, "], "unknown"),
        (1, ["x" * 100_000], "unknown"),
    ],
)
def test_forwarded_addresses_count_from_the_right(proxies, forwarded, expected):
    headers = [(b"x-forwarded-for", value.encode()) for value in forwarded]
    request = HTTPConnection({"type": "http", "headers": headers, "client": ("127.0.0.1", 9)})
    assert client_address(request, proxies) == expected


def test_a_network_is_counted_as_one():
    assert network_of("203.0.113.1") == network_of("203.0.113.200") == network_of("::ffff:203.0.113.7")
    assert network_of("2001:db8:1:2::1") == network_of("2001:db8:1:ffff::9") == "2001:db8:1::/48"
    assert network_of("203.0.112.1") != network_of("203.0.113.1")
    assert (is_loopback("127.8.8.8"), is_loopback("::1"), is_loopback("203.0.113.1"), is_loopback("x")) == (
        True, True, False, False,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("host", "is_taken"),
    [
        ("localhost", True),
        ("localhost:8000", True),
        ("127.0.0.1:1", True),
        ("[::1]:8000", True),
        ("evil.example", False),
        ("127.0.0.1.evil.example", False),
        ("localhost.evil.example", False),
        ("evil.example@localhost", False),
        ("", False),
        ("[::1", False),
    ],
)
def test_without_keys_only_the_names_of_this_machine_are_answered(config, host, is_taken):
    with running(config) as client:
        reply = client.post("/v1/events", json=EVENTS, headers={"Host": host})
        assert reply.status_code == (202 if is_taken else 403)
        if not is_taken:
            assert reply.json()["error"]["field"] == "host"
            assert "serving.allowed_hosts" in reply.json()["error"]["message"]


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 202),
        ({"Content-Type": "application/x-www-form-urlencoded"}, 202),  # what curl -d says
        ({"Origin": "http://localhost:3000"}, 202),
        ({"Origin": "https://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Content-Type": "text/plain"}, 415),
        ({"Content-Type": "text/plain", "Origin": "http://localhost:3000"}, 415),
        ({"Content-Type": "multipart/form-data; boundary=x"}, 415),
        ({"Content-Type": "application/x-www-form-urlencoded", "Origin": "http://localhost:3000"}, 415),
        ({"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors"}, 403),
        ({"Sec-Fetch-Site": "cross-site", "Referer": "http://127.0.0.1:3000/a"}, 202),
        ({"X-Forwarded-For": "203.0.113.7"}, 403),
        ({"Forwarded": "for=203.0.113.7"}, 403),
    ],
)
def test_without_keys_no_page_of_another_site_posts(config, headers, status):
    with running(config) as client:
        sent = {"Content-Type": "application/json", **headers}
        reply = client.post("/v1/events", json=EVENTS, headers=sent)
        assert reply.status_code == status
        assert status == 202 or reply.json()["error"]["field"] in {
            "origin", "referer", "content-type", "x-forwarded-for",
        }  # fmt: skip


def test_beacons_post_text_and_never_across_origins(config):
    body = {"data": [{"e": "pv", "duid": "a"}]}
    path = "/com.snowplowanalytics.snowplow/tp2"
    with running(config) as client:
        text = {"Content-Type": "text/plain;charset=UTF-8"}
        assert client.post(path, json=body, headers=text).status_code == 200
        assert client.post(path, json=body, headers={**text, "Origin": "https://evil.example"}).status_code == 403
        pixel = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors", "Referer": "https://evil.example/"}
        assert client.get("/i", params={"e": "pv", "duid": "a"}, headers=pixel).status_code == 403
        link = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}
        assert client.get("/docs", headers=link).status_code == 200


def test_names_are_a_choice_where_there_are_keys(config, key_file):
    _, key = key_file.create("secret")
    headers = {"Authorization": f"Bearer {key}"}
    named = changed(config, serving={"allowed_hosts": ("tessera.example", "*.internal.example")})
    with running(config) as client:
        assert client.get("/v1/models", headers={**headers, "Host": "any.example"}).status_code == 200
    with running(named) as client:
        for host, status in {
            "tessera.example": 200, "TESSERA.example:443": 200, "a.internal.example": 200, "localhost": 200,
            "internal.example": 403, "other.example": 403,
        }.items():  # fmt: skip
            assert client.get("/v1/models", headers={**headers, "Host": host}).status_code == status, host


def test_a_slow_head_a_slow_body_and_an_endless_head_are_closed(config, limited_connections):
    with running(config) as client:
        silent, slow_head, slow_body, endless = (connect(client) for _ in range(4))
        slow_head.sendall(b"GET /livez HTTP/1.1\r\nHost: local")
        slow_body.sendall(
            b"POST /v1/events HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
            b"Content-Length: 100\r\n\r\n{"
        )
        with contextlib.suppress(ConnectionError):
            for number in range(100):
                endless.sendall(b"X-Long: " + b"x" * 8_000 + b"\r\n" if number else b"GET /livez HTTP/1.1\r\n")
                time.sleep(0.001)
        assert read_all(silent) == read_all(slow_head) == b""
        assert b"200 OK" not in read_all(slow_body)
        assert b"200 OK" not in read_all(endless)
        assert client.get("/livez").status_code == 200


def test_a_connection_may_be_used_again_and_again(config, limited_connections):
    with running(config) as client:
        assert {client.post("/v1/events", json=EVENTS).status_code for _ in range(30)} == {202}
        time.sleep(0.7)  # longer than the head of a request may take
        assert client.get("/livez").status_code == 200


def test_more_connections_than_allowed_are_answered_with_503(config, limited_connections):
    with running(config) as client:
        held = [connect(client) for _ in range(25)]
        time.sleep(0.05)
        assert client.get("/livez").status_code == 503
        for connection in held:
            connection.close()
        time.sleep(0.3)
        assert client.get("/livez").status_code == 200

"""Every page that links of the console and of the API's page reach: no dead link, and nothing from elsewhere."""

import re
from urllib.parse import urljoin, urlsplit

from starlette.testclient import TestClient

from serving.application import application
from serving.tessera import Tessera
from tests.links import Links
from tests.serving.console.console_bundle import publish_with_console

START = ("/console", "/docs", "/demo/")
MOST_OF_A_PAGE = 12
"""Addresses of one page that are opened: each filter links to every value of the others."""


def crawl(client, start):
    """All addresses that links reach, and what is wrong with them."""
    seen, opened, wrong = set(), {}, []
    waiting = [("the start", path) for path in start]
    while waiting:
        origin, address = waiting.pop(0)
        path = urlsplit(address).path
        if address in seen or opened.get(path, 0) >= MOST_OF_A_PAGE:
            continue
        seen.add(address)
        opened[path] = opened.get(path, 0) + 1
        answer = client.get(address)
        if answer.status_code != 200:
            wrong.append(f"{origin}: {address} is dead ({answer.status_code})")
            continue
        if not answer.headers.get("content-type", "").startswith("text/html"):
            continue
        page, base = Links(answer.text), str(answer.url)
        for link in sorted(page.links | page.loaded):
            target = urlsplit(urljoin(base, link))
            if target.scheme in ("data", "mailto") or link.startswith("#"):
                continue
            if target.netloc != urlsplit(base).netloc:
                wrong.append(f"{address}: {link} is foreign")
            else:
                waiting.append((address, target._replace(scheme="", netloc="", fragment="").geturl()))
    return seen, wrong


def test_no_link_of_the_service_is_dead_or_foreign(config, home, tmp_path):
    publish_with_console(home, tmp_path / "tables")
    with TestClient(
        application(Tessera(config, seed=1)), base_url="http://127.0.0.1", client=("127.0.0.1", 50_000)
    ) as client:
        view = {
            "event_type": "page_view",
            "user_id": "ann",
            "item_id": "i1",
            "page_title": "One",
            "page_url": "/i1",
        }
        client.post("/v1/events", json={"events": [view]})
        seen, wrong = crawl(client, START)
    assert wrong == []
    pages = {match[1] for address in seen if (match := re.match(r"/console/([a-z]+)", address))}
    assert pages >= {
        "overview", "behaviour", "audience", "segments", "recommendations", "decisions", "experiments", "models",
        "health", "people", "privacy",
    }  # fmt: skip
    assert any(address.endswith(".csv") or ".csv?" in address for address in seen)


def test_the_crawler_finds_what_is_wrong():
    async def page(scope, receive, send):
        body = b'<a href="/gone">x</a><img src="//cdn.example/x.png">' if scope["path"] == "/" else b""
        status = 200 if scope["path"] == "/" else 404
        await send({"type": "http.response.start", "status": status, "headers": [(b"content-type", b"text/html")]})
        await send({"type": "http.response.body", "body": body})

    _, wrong = crawl(TestClient(page, base_url="http://127.0.0.1"), ["/"])
    assert wrong == ["/: //cdn.example/x.png is foreign", "/: /gone is dead (404)"]

"""`tessera.js` on a page of another origin in Chromium, against a running service with a browser key."""

from __future__ import annotations

import gzip
import json
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from ml.events.live_log import read_all_events
from ml.events.log import EventLog
from ml.home import Home
from ml.keys.key_file import KeyFile
from ml.settings import load_settings
from serving.application import application
from serving.browser.script import TYPES, read_script
from serving.start import ServiceConfig
from serving.tessera import Tessera
from tests.chromium import chromium, find_serious_faults, watched_page
from tests.serving.bundles import publish
from tests.serving.identities import SECRET, sign
from tests.serving.served import served
from tests.waiting import wait_until

MOST_BYTES = 12 * 1024
PATIENCE = 15_000
RULES = "rules:\n  - {id: hero, slots: [hero], then: {content: spring}}\n"
EVIL = "<img src=x onerror=\"document.title='taken'\">"
PAGE = """<!doctype html><html lang="en"><head><title>Lamp</title>
<meta name="tessera:item" content="i9">
<script src="{service}/tessera.js" data-key="{key}" {options} defer></script></head><body>
<main><h1>Lamp</h1><a id="other" href="/other">Other</a><p id="dull">nothing happens here</p>
<button data-tessera="buy" onclick="this.textContent = 'done'">Buy</button>
<form id="letter"><label>Mail <input name="mail"></label><button>Send</button></form>
<form role="search" onsubmit="return false"><label>Search <input type="search" name="q"></label></form>
<section data-tessera-slot="home" data-count="3"><template>
<a class="card" href="/items/{{item_id}}" title="{{title}}"><b>{{title}}</b> <i>{{reason}}</i></a>
</template></section>
<section data-tessera-decision="hero">everybody
<template data-content="spring"><b>Spring sale</b></template></section>
<button data-tessera-open="preferences" id="wishes">Preferences</button>
<div style="height: 3000px"></div></main></body></html>"""


@dataclass
class Site:
    """A service, a site of another origin that embeds its script, and the log of the service."""

    service: str
    key: str
    log: EventLog
    shop: str = ""

    def page(self, request: Request) -> Response:
        options = request.query_params.get("options", "")
        return HTMLResponse(PAGE.format(service=self.service, key=self.key, options=options))

    def events(self, **fields: Any) -> list[dict[str, Any]]:
        """The events of the log with these values, as they occurred, with their properties as a mapping."""
        rows = [row for batch in read_all_events(self.log) for row in batch.to_pylist()]
        for row in rows:
            row["properties"] = json.loads(row["properties"] or "{}")
        chosen = [row for row in rows if all(row[name] == value for name, value in fields.items())]
        return sorted(chosen, key=lambda row: row["occurred_at"])


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("script")
    home = Home(folder / "home")
    publish(home.published)
    (home.path / "rules.yaml").write_text(RULES)
    world = Site("", "", EventLog(home))

    async def answer(request: Request) -> Response:
        return world.page(request)

    with served(Starlette(routes=[Route("/{path:path}", answer)])) as shop:
        _, world.key = KeyFile(home).create("browser", origins=(shop,))
        config = ServiceConfig(home, load_settings(), bundled=folder / "no-bento", identity_secrets=(SECRET,))
        with served(application(Tessera(config, seed=1))) as service:
            world.service, world.shop = service, shop
            yield world


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with chromium() as opened:
        yield opened


def dialog(page: Any) -> Any:
    return page.locator("#tessera-dialog dialog")


def flush(page: Any) -> None:
    page.evaluate("tessera.flush()")


def device_of(page: Any) -> str:
    return str(page.evaluate("JSON.parse(localStorage.getItem('tessera.device'))"))


def test_nothing_is_sent_or_kept_before_the_visitor_agrees(site: Site, browser: Any) -> None:
    before = len(site.events())
    with watched_page(browser) as (page, requested, errors):
        page.goto(site.shop)
        dialog(page).wait_for(timeout=PATIENCE)
        page.click("#dull")
        page.wait_for_timeout(1500)
        assert page.evaluate("Object.keys(localStorage)") == []
        assert not [url for url in requested if url.endswith("/v1/events")]
        assert find_serious_faults(page) == []
        page.keyboard.press("Escape")
        dialog(page).wait_for(state="detached", timeout=PATIENCE)
        assert page.evaluate("tessera.consent()") == []
        page.evaluate("void tessera.askConsent()")
        dialog(page).get_by_text("Decline").click()
        assert page.evaluate("tessera.track('like', {item_id: 'i1'})") is False
        page.reload()
        page.wait_for_selector("[data-filled=yes]", timeout=PATIENCE)  # popular items are for everybody
        assert dialog(page).count() == 0  # who declined is not asked again
        assert not [url for url in requested if url.endswith("/v1/events")]
        assert errors == []
    assert [row for row in site.events()[before:] if row["event_type"] != "served"] == []


def test_what_a_visitor_does_after_agreeing_is_in_the_log(site: Site, browser: Any) -> None:
    with watched_page(browser) as (page, _, errors):
        page.goto(site.shop)
        dialog(page).get_by_text("Agree").click(timeout=PATIENCE)
        page.wait_for_selector("[data-tessera-slot][data-filled=yes]", timeout=PATIENCE)
        page.click("[data-tessera=buy]")
        page.click("#dull")
        page.wait_for_timeout(700)
        page.fill("[type=search]", "red lamps")
        page.press("[type=search]", "Enter")
        page.fill("[name=mail]", "ann@example.com")
        page.evaluate("tessera.track('add_to_cart', {item_id: 'i9', value: 1, properties: {colour: 'red'}})")
        page.mouse.wheel(0, 2000)
        page.wait_for_timeout(1500)
        page.evaluate("history.pushState({}, '', '/next'); document.title = 'Next'")
        page.wait_for_timeout(300)
        device = device_of(page)
        page.goto("about:blank")
        assert errors == []
    wait_until(lambda: len(site.events(anonymous_id=device, event_type="page_exit")) == 2)
    page_views = site.events(anonymous_id=device, event_type="page_view")
    rows = [row for row in site.events(anonymous_id=device) if row["event_type"] != "served"]
    kinds = [row["event_type"] for row in rows]
    assert sorted(kinds[:2]) == ["consent_granted", "page_view"]  # within a millisecond
    assert kinds.count("page_exit") == kinds.count("page_view") == 2
    assert [row["page_title"] for row in page_views] == ["Lamp", "Next"]
    assert [row["page_url"] for row in page_views] == [f"{site.shop}/", f"{site.shop}/next"]
    assert page_views[1]["referrer"] == f"{site.shop}/"
    first, second = (row["properties"]["page_view_id"] for row in page_views)
    by_kind = {row["event_type"]: row for row in rows if row["properties"].get("page_view_id") != second}
    assert by_kind["click"]["properties"]["element"] in ("buy", "p", "dull", "mail")
    assert {row["properties"]["element"] for row in rows if row["event_type"] == "click"} >= {"buy", "dull"}
    assert [row["properties"]["element"] for row in rows if row["event_type"] == "custom:dead_click"] == ["dull"]
    assert by_kind["search"]["properties"]["query"] == "red lamps"
    assert by_kind["add_to_cart"]["item_id"] == "i9"
    assert by_kind["add_to_cart"]["properties"]["colour"] == "red"
    assert {"form_start", "form_abandon", "page_ping"} <= set(kinds)
    assert by_kind["page_exit"]["properties"]["scroll_depth"] > 50
    assert by_kind["page_exit"]["value"] > 2
    assert by_kind["page_exit"]["properties"]["page_view_id"] == first
    assert all(row["item_id"] == "i9" for row in rows if row["event_type"] in ("page_view", "page_exit"))
    assert all(set(row["consent"]) == {"analytics", "personalization"} for row in rows)
    assert "ann@example.com" not in json.dumps(rows, default=str)


def test_a_slot_and_a_decision_are_filled_and_what_is_seen_and_clicked_names_the_answer(
    site: Site, browser: Any
) -> None:
    with watched_page(browser) as (page, _, errors):
        page.goto(site.shop + "?options=data-fill=off data-ask=off".replace(" ", "%20"))
        page.wait_for_function("window.tessera")
        page.evaluate("tessera.setConsent(['analytics', 'personalization'])")
        page.evaluate(
            """(title) => tessera.describeItems(
                async (ids) => Object.fromEntries(ids.map((id) => [id, {title}])))""",
            EVIL,
        )
        page.evaluate("tessera.fillPage()")
        page.wait_for_selector(".card", timeout=PATIENCE)
        assert page.inner_text(".card b") == EVIL
        assert page.get_attribute(".card", "title") == EVIL
        assert page.title() == "Lamp"
        links = page.eval_on_selector_all(".card", "cards => cards.map((card) => card.getAttribute('href'))")
        assert len(links) == 3
        assert all(link.startswith("/items/i") for link in links)
        assert page.inner_text("[data-tessera-decision]") == "Spring sale"
        page.wait_for_timeout(1300)
        page.evaluate(
            "document.querySelector('.card').addEventListener('click', (event) => event.preventDefault())"
        )
        page.click(".card i")
        device = device_of(page)
        flush(page)
        page.wait_for_timeout(500)
        answer = page.get_attribute(".card", "data-recommendation")
        decision = page.get_attribute("[data-tessera-decision]", "data-decision")
        assert errors == []
    seen = site.events(anonymous_id=device, event_type="impression", recommendation_id=answer)
    assert {(row["item_id"], row["properties"]["rank"], row["properties"]["slot"]) for row in seen} == {
        (link.rpartition("/")[2], rank, "home") for rank, link in enumerate(links, start=1)
    }
    (clicked,) = site.events(anonymous_id=device, event_type="click", recommendation_id=answer)
    assert clicked["item_id"] == links[0].rpartition("/")[2]
    (shown,) = site.events(anonymous_id=device, event_type="impression", recommendation_id=decision)
    assert shown["properties"]["content"] == "spring"
    served_ids = {row["recommendation_id"] for row in site.events(event_type="served")}
    assert {answer, decision} <= served_ids


def test_preferences_are_sent_and_followed_and_a_browser_can_be_forgotten(site: Site, browser: Any) -> None:
    with watched_page(browser) as (page, _, errors):
        page.goto(site.shop + "?options=data-ask=off")
        page.wait_for_function("window.tessera")
        page.evaluate("(token) => tessera.identify('ann', token)", sign("ann"))
        assert page.evaluate("tessera.setPreferences({interests: ['food']})") is False
        page.evaluate("tessera.setConsent(['analytics', 'personalization'])")
        page.click("#wishes")
        dialog(page).wait_for(timeout=PATIENCE)
        assert find_serious_faults(page) == []
        dialog(page).locator("[name=interests][value=food]").check()
        dialog(page).locator("[name=muted][value=sport]").check()
        dialog(page).get_by_text("Save").click()
        wait_until(lambda: site.events(user_id="ann", event_type="preference"))
        answer = page.evaluate("tessera.recommend({slot: 'home', count: 5})")
        assert {item["item_id"] for item in answer["items"]} <= {f"i{number}" for number in range(5, 10)}
        assert answer["personalized"]
        page.click("#wishes")
        assert dialog(page).locator("[name=interests][value=food]").is_checked()
        dialog(page).get_by_text("Forget this browser").click()
        wait_until(lambda: site.events(user_id="ann", event_type="consent_withdrawn"))
        assert page.evaluate("tessera.consent()") == []
        assert page.evaluate("Object.keys(localStorage)") == ["tessera.consent"]
        assert page.evaluate("tessera.track('like', {item_id: 'i1'})") is False
        assert errors == []
    (preference,) = site.events(user_id="ann", event_type="preference")
    assert preference["properties"]["interests"] == ["food"]
    (withdrawn,) = site.events(user_id="ann", event_type="consent_withdrawn")
    assert sorted(withdrawn["properties"]["purposes"]) == ["analytics", "personalization"]


def test_nobody_who_is_not_signed_in_states_wishes(site: Site, browser: Any) -> None:
    """Anybody may name a browser, so that what it says would be no word of a person."""
    with watched_page(browser) as (page, _, errors):
        page.goto(site.shop + "?options=data-ask=off")
        page.wait_for_function("window.tessera")
        page.evaluate("tessera.setConsent(['analytics', 'personalization'])")
        assert page.evaluate("tessera.setPreferences({interests: ['food']})") is False
        page.click("#wishes")
        dialog(page).wait_for(timeout=PATIENCE)
        assert dialog(page).locator("[name=interests]").count() == 0
        assert dialog(page).locator("[name=purpose]").count() == 2
        assert errors == []


def test_a_browser_that_asks_not_to_be_tracked_is_not_asked_and_not_tracked(site: Site, browser: Any) -> None:
    with watched_page(browser) as (page, requested, errors):
        page.add_init_script("Object.defineProperty(navigator, 'globalPrivacyControl', {value: true})")
        page.goto(site.shop)
        page.wait_for_selector("[data-filled=yes]", timeout=PATIENCE)
        assert dialog(page).count() == 0
        assert page.evaluate("tessera.setConsent(['analytics'])") == []
        page.click("#wishes")
        assert "Nothing is kept" in dialog(page).inner_text()
        assert not [url for url in requested if url.endswith("/v1/events")]
        assert errors == []


def test_events_wait_while_the_service_is_away(site: Site, browser: Any) -> None:
    with watched_page(browser) as (page, _, _):
        page.goto(site.shop + "?options=data-ask=off%20data-fill=off")
        page.wait_for_function("window.tessera")
        page.route("**/v1/events", lambda route: route.abort())
        page.evaluate("tessera.setConsent(['analytics'])")
        for number in range(45):
            page.evaluate("(number) => tessera.track('like', {item_id: `i${number}`})", number)
        page.wait_for_timeout(1500)
        device = device_of(page)
        assert site.events(anonymous_id=device) == []
        page.unroute("**/v1/events")
        for _ in range(10):
            flush(page)
            page.wait_for_timeout(100)
    likes = site.events(anonymous_id=device, event_type="like")
    assert sorted(row["item_id"] for row in likes) == sorted(f"i{number}" for number in range(45))


def test_the_script_is_small_cached_and_for_every_origin(site: Site) -> None:
    answer = httpx.get(f"{site.service}/tessera.js", headers={"Origin": "https://elsewhere.example"})
    assert answer.headers["content-encoding"] == "gzip"
    assert answer.headers["cross-origin-resource-policy"] == "cross-origin"
    assert answer.content == read_script().content
    assert len(gzip.compress(answer.content)) <= MOST_BYTES
    again = httpx.get(f"{site.service}/tessera.js", headers={"If-None-Match": answer.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    plain = httpx.get(f"{site.service}/tessera.js", headers={"Accept-Encoding": "identity"})
    assert plain.content == answer.content
    assert httpx.get(f"{site.service}/tessera.d.ts").text == TYPES.read_text()


def test_the_types_name_what_the_script_offers(site: Site, browser: Any) -> None:
    with watched_page(browser) as (page, _, _):
        page.goto(site.shop + "?options=data-ask=off")
        page.wait_for_function("window.tessera")
        offered = set(page.evaluate("Object.keys(tessera)"))
    declared = TYPES.read_text().partition("export interface Tessera {")[2].partition("\n}")[0]
    assert {
        line.strip().partition("(")[0] for line in declared.splitlines() if "(" in line and "*" not in line
    } == offered


def test_the_parts_are_valid_on_the_engine_of_node(tmp_path: Path) -> None:
    if shutil.which("node") is None:
        pytest.skip("Node is not installed")
    file = tmp_path / "tessera.js"
    file.write_bytes(read_script().content)
    subprocess.run(["node", "--check", str(file)], check=True, capture_output=True)

"""The demo site in headless Chromium: what a browser can tell arrives in the event log with right values."""

import datetime as dt
import json
import os
import runpy
import shutil
from collections import defaultdict
from contextlib import asynccontextmanager, contextmanager

import pyarrow as pa
import pytest
from bundles import publish
from starlette.applications import Starlette
from starlette.testclient import TestClient

from ml.events.contract import EVENT_SCHEMA, EVENT_TYPES
from ml.events.log import EventLog
from ml.home import Home
from ml.sources.catalogue import ITEM_SCHEMA, Catalogue
from serving.application import application
from serving.collector import Collector, collector_routes
from serving.demo_site import demo_routes, tracker
from serving.start import ServiceConfig
from serving.tessera import Tessera
from tests.chromium import chromium
from tests.serving.collector.collecting import settings_with
from tests.serving.served import served

PING_SECONDS = 1.0


def items(count=8):
    now = dt.datetime(2024, 1, 1, tzinfo=dt.UTC)
    rows = [
        {"item_id": f"i{n}", "title": f"Item {n}", "text": "Words.", "category": "lamps", "price": 9.5,
         "currency": "EUR", "language": "en", "published_at": now - dt.timedelta(days=n), "updated_at": now}
        for n in range(count)
    ]  # fmt: skip
    return pa.Table.from_pylist(rows, schema=ITEM_SCHEMA)


@contextmanager
def demo_site(home):
    """Collector and demo site on a real port; gives the address of the site."""
    settings = settings_with(collector={"page_ping_seconds": PING_SECONDS})
    collector = Collector(home, settings)

    @asynccontextmanager
    async def lifespan(_):
        await collector.start()
        yield
        await collector.close()

    app = Starlette(routes=[*collector_routes(collector), *demo_routes(home, settings)], lifespan=lifespan)
    with served(app) as url:
        yield url + "/demo/"


def events_of(home):
    """Events by type, in the order in which they happened."""
    table = pa.Table.from_batches(EventLog(home).read(), schema=EVENT_SCHEMA)
    found = defaultdict(list)
    once = {row["event_id"]: row for row in table.sort_by("occurred_at").to_pylist()}
    for row in once.values():  # a tracker whose page closed before the answer sends again
        row["properties"] = json.loads(row["properties"] or "{}")
        found[row["event_type"]].append(row)
    return found


@pytest.fixture
def home(tmp_path):
    home = Home(tmp_path / "home")
    Catalogue(home).append(items())
    return home


@pytest.fixture(scope="module")
def browser():
    """One for this file, and no longer: while it runs no other test could run an event loop."""
    with chromium() as browser:
        yield browser


@pytest.fixture
def page(browser):
    context = browser.new_context(
        viewport={"width": 1000, "height": 700}, screen={"width": 1280, "height": 800}, locale="de-DE",
        timezone_id="America/Sao_Paulo", geolocation={"latitude": 52.5163, "longitude": 13.3777},
        permissions=["geolocation"],
        user_agent="Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/129.0.0.0 Safari/537.36",
    )  # fmt: skip
    yield context.new_page()
    context.close()


@pytest.fixture(scope="session")
def tracker_scripts(tmp_path_factory):
    """The packages from npm, installed once."""
    if shutil.which("npm") is None:
        pytest.skip("npm is not installed")
    cached = Home(tmp_path_factory.mktemp("npm"))
    try:
        return tracker.install(cached)
    except tracker.TrackerError as error:
        pytest.skip(str(error))


def agree(page, *purposes):
    for purpose in purposes:
        page.check(f"input[name={purpose}]")
    page.click("text=Save my choice")
    page.wait_for_selector("body[data-ready=yes]")


def open_page(page, url):
    page.goto(url)
    page.wait_for_selector("body[data-ready=yes]")
    page.wait_for_timeout(300)


def walk_through(page, url):
    """A visit: home, an item, the form, the video, and home again."""
    page.goto(url + "?utm_medium=email&utm_source=letter")
    agree(page, "analytics", "personalization", "location")
    page.wait_for_timeout(500)
    page.hover("[data-slot=home] .card[data-item-id=i1]")
    page.wait_for_timeout(600)
    page.mouse.move(10, 10)
    page.mouse.move(310, 410)
    page.evaluate("scrollTo(0, document.documentElement.scrollHeight)")
    page.wait_for_timeout(int(2.4 * PING_SECONDS * 1000))
    page.evaluate("scrollTo(0, 0)")
    page.click("h1", click_count=3)
    page.wait_for_timeout(700)
    page.fill("#search input", "item 2")
    page.click("#search button")
    assert page.locator(".card:visible").count() == 2  # in its slot, and among everything new
    page.click("[data-slot=home] .card[data-item-id=i2]")
    page.wait_for_selector("body[data-ready=yes]")
    for button in page.query_selector_all("main [data-event]"):
        button.click()
    open_page(page, url + "form")
    page.select_option("#signup select", "pro")
    page.click("#signup button")
    page.fill("#login input", "ann")
    page.click("#login button")
    for button in page.query_selector_all("main [data-event]"):
        button.click()
    assert page.text_content("#survey legend") == "Which of these categories would you like to see more of?"
    page.check("#survey input[value=lamps]")  # and never sent
    page.wait_for_timeout(400)
    open_page(page, url + "video")
    page.evaluate("document.querySelector('#film').play()")
    page.wait_for_function("document.querySelector('#film').ended")
    open_page(page, url)
    page.wait_for_timeout(500)
    page.click("#privacy")
    page.wait_for_selector("#consent")


def test_every_event_that_a_browser_can_produce_arrives(home, page, tracker_scripts):
    os.symlink(tracker_scripts, tracker.tracker_folder(home))
    with demo_site(home) as url:
        walk_through(page, url)
    found = events_of(home)
    service_only = {"served", "erased"}
    assert set(EVENT_TYPES) - service_only - set(found) == set()

    view = found["page_view"][0]
    assert (view["language"], view["timezone"]) == ("de-DE", "America/Sao_Paulo")
    assert (view["screen_width"], view["screen_height"]) == (1280, 800)
    assert (view["device_type"], view["os"], view["source"]) == ("desktop", "Linux", "snowplow")
    assert view["properties"]["viewport"] == "1000x700"
    assert (view["properties"]["channel"], view["properties"]["utm_source"]) == ("email", "letter")
    assert (view["properties"]["latitude"], view["country"]) == (52.5, "DE")
    assert view["consent"] == ["analytics", "personalization", "location"]
    assert found["page_view"][1]["item_id"] == "i2"
    assert all(event["anonymous_id"] == view["anonymous_id"] for events in found.values() for event in events)

    pings = found["page_ping"]
    assert all(ping["value"] == PING_SECONDS for ping in pings)
    assert max(ping["properties"]["scroll_depth"] for ping in pings) > 99
    hover = next(event for event in found["hover"] if event["item_id"] == "i1")
    assert 500 <= hover["value"] <= 5_000
    assert max(event["value"] for event in found["scroll"]) == 100
    assert found["cursor"][0]["value"] >= 500  # (10, 10) to (310, 410)
    assert found["page_exit"][0]["value"] >= 2 * PING_SECONDS
    assert len(found["custom:rage_click"]) == 1
    assert found["custom:dead_click"]
    assert found["custom:scroll_reversal"]  # down to the end of the page, and up again
    impressions = {event["item_id"] for event in found["impression"] if event["properties"]["slot"] == "home"}
    assert {"i0", "i1", "i2"} <= impressions
    assert any(event["item_id"] == "i2" for event in found["click"])
    quartiles = sorted(event["value"] for event in found["video_progress"])
    assert quartiles == pytest.approx(
        [25.0, 50.0, 75.0, 100.0], abs=10
    )  # the browser tells the time 4 times a second
    assert [event["value"] for event in found["purchase"]] == [9.5]
    assert found["rating"][0]["value"] == 4
    assert found["search"][0]["properties"]["query"] == "item 2"
    assert [event["properties"]["form_id"] for event in found["form_abandon"]] == ["survey"]
    assert (found["identify"][0]["user_id"], found["identify"][0]["anonymous_id"]) == ("ann", view["anonymous_id"])
    taken_back = [event["properties"]["purposes"] for event in found["consent_withdrawn"]]
    assert taken_back == [["personalization"], ["analytics", "location"]]
    assert found["video_play"][0]["consent"] == ["analytics", "location"]


def test_slots_show_what_the_service_recommends_and_reactions_name_the_answer(
    home, page, tracker_scripts, tmp_path
):
    os.symlink(tracker_scripts, tracker.tracker_folder(home))
    publish(home.published)
    config = ServiceConfig(home=home, settings=settings_with(), bundled=tmp_path / "no-bento")
    with served(application(Tessera(config))) as url:
        page.goto(url + "/demo/")
        agree(page, "analytics", "personalization")
        shown = page.locator("[data-slot=home] .card").all()
        answers = {card.get_attribute("data-recommendation-id") for card in shown}
        ids = [card.get_attribute("data-item-id") for card in shown]
        page.wait_for_timeout(500)
        assert int(page.text_content("#sent output")) > len(shown)
        shown[0].click()
        page.wait_for_selector("body[data-ready=yes]")
        similar = [card.get_attribute("data-item-id") for card in page.locator("[data-slot=similar] .card").all()]
        page.wait_for_timeout(300)
        open_page(page, url + "/demo/form")
        assert page.text_content("#survey legend") == "Which of these topics would you like to see more of?"
        assert "ranked higher for you" in page.text_content("#survey small")
        page.check("#survey input[value=food]")
        page.click("#survey button")
        page.wait_for_timeout(300)
    assert set(ids) == {"i0", "i5", "i1", "i2", "i6"}  # what trends, then what is popular: all for a stranger
    (answer,) = answers
    assert similar
    assert ids[0] not in similar
    found = events_of(home)
    assert found["preference"][-1]["properties"]["interests"] == ["food"]
    seen = [event for event in found["impression"] if event["properties"]["slot"] == "home"]
    assert {event["recommendation_id"] for event in seen} == {answer}
    assert seen[0]["properties"]["rank"] == 1
    assert answer in {event["recommendation_id"] for event in found["served"]}
    (click,) = [event for event in found["click"] if event["item_id"]]
    assert (click["item_id"], click["recommendation_id"]) == (ids[0], answer)


def test_without_consent_nothing_is_sent_and_no_tracker_is_loaded(home, page, tracker_scripts):
    os.symlink(tracker_scripts, tracker.tracker_folder(home))
    requests = []
    page.on("request", lambda request: requests.append(request.url))
    with demo_site(home) as url:
        page.goto(url)
        page.wait_for_selector("#consent")
        assert not any("vendor" in url or "snowplow" in url for url in requests)
        agree(page)
        page.wait_for_timeout(500)
        assert "nothing is tracked" in page.inner_text("#notice")
        assert not any("vendor" in url or "snowplow" in url for url in requests)
    assert dict(events_of(home)) == {}


def test_without_npm_the_script_of_the_service_sends_the_events(home, page, tmp_path):
    publish(home.published)
    config = ServiceConfig(home=home, settings=settings_with(), bundled=tmp_path / "no-bento")
    sent = []
    page.on("request", lambda request: sent.append(request.url) if "/v1/events" in request.url else None)
    with served(application(Tessera(config))) as url:
        page.goto(url + "/demo/")
        page.wait_for_selector("[data-slot=home] .card[data-item-id=i0]")  # also before anybody agreed
        page.wait_for_timeout(300)
        assert sent == []
        agree(page, "analytics", "personalization")
        assert "npm" in page.inner_text("#script")
        assert int(page.text_content("#sent output")) >= 2
        card = page.locator("[data-slot=home] .card").first
        answer, item = (card.get_attribute(f"data-{name}") for name in ("recommendation-id", "item-id"))
        page.wait_for_timeout(500)
        card.click()
        page.wait_for_selector("body[data-ready=yes]")
        page.click("text=Like")
        page.fill("#search input", "lamps")
        page.click("#search button")
        page.click("#privacy")
        page.wait_for_selector("#consent")
    happened = events_of(home)
    assert answer
    assert [event["item_id"] for event in happened["page_view"]] == [None, item]
    assert happened["consent_granted"][0]["properties"]["purposes"] == ["analytics", "personalization"]
    assert {event["recommendation_id"] for event in happened["impression"] if event["item_id"] == item} == {answer}
    (click,) = [event for event in happened["click"] if event["recommendation_id"]]
    assert (click["item_id"], click["recommendation_id"], click["properties"]["slot"]) == (item, answer, "home")
    assert [event["item_id"] for event in happened["like"]] == [item]
    assert [event["properties"]["query"] for event in happened["search"]] == ["lamps"]
    assert happened["consent_withdrawn"][0]["properties"]["purposes"] == ["analytics", "personalization"]


def test_pages_share_one_frame_and_unknown_ones_are_told(home):
    client = TestClient(Starlette(routes=demo_routes(home, settings_with())))
    for path, label in (("", "Home"), ("form", "Form"), ("video", "Video")):
        html = client.get(f"/demo/{path}").text
        assert f'<a href="/demo/{path}" aria-current="page">{label}</a>' in html
    assert "aria-current" not in client.get("/demo/items/i1").text
    assert client.get("/demo/nonsense").json()["error"]["message"] == "the demo site has no page 'nonsense'"
    asked = client.get("/demo/items.json", params={"id": ["i3", "i5", "nobody"]}).json()
    assert [item["item_id"] for item in asked] == ["i3", "i5"]


def test_the_command_says_when_npm_is_missing(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("TESSERA_HOME", str(tmp_path))
    with pytest.raises(SystemExit, match="npm is not installed"):
        runpy.run_module("serving.demo_site", run_name="__main__")

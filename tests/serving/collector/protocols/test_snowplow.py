import base64
import datetime as dt
import json
import time

import pytest

from serving.access import Keys
from serving.collector.protocols.snowplow import translate
from serving.collector.protocols.translation import TranslationFailure
from tests.serving.collector.collecting import Site, settings_with

SNOWPLOW = "iglu:com.snowplowanalytics.snowplow"
PAGE = {
    "e": "pv", "eid": "e-1", "p": "web", "tv": "js-4.6.6", "aid": "shop", "dtm": "1700000000000",
    "duid": "device", "sid": "session", "uid": "user", "url": "https://shop.example/items/7?utm_medium=email",
    "page": "Seven", "refr": "https://www.google.com/", "lang": "de-DE", "tz": "Europe/Berlin", "res": "1440x900",
    "vp": "1200x800", "ds": "1200x3200",
}  # fmt: skip


def self_describing(name, data, *entities, schema=SNOWPLOW, **more):
    event = {"schema": f"{SNOWPLOW}/unstruct_event/jsonschema/1-0-0"}
    event["data"] = {"schema": f"{schema}/{name}/jsonschema/1-0-0", "data": data}
    payload = PAGE | {"e": "ue", "ue_pr": json.dumps(event)} | more
    if entities:
        payload["co"] = json.dumps({"schema": "…", "data": [{"schema": s, "data": d} for s, d in entities]})
    return payload


def one(payload):
    (record,) = translate(payload, 10.0)
    return record


def test_a_page_view_fills_the_fields_of_the_contract():
    record = one(PAGE)
    expected = {
        "event_id": "e-1", "event_type": "page_view", "user_id": "user", "anonymous_id": "device",
        "session_id": "session", "page_title": "Seven", "referrer": "https://www.google.com/",
        "language": "de-DE", "timezone": "Europe/Berlin", "screen_width": 1440, "screen_height": 900,
    }  # fmt: skip
    assert {name: record[name] for name in expected} == expected
    assert record["occurred_at"] == dt.datetime(2023, 11, 14, 22, 13, 20, tzinfo=dt.UTC)
    assert record["properties"]["viewport"] == "1200x800"


def test_a_page_ping_is_worth_a_heartbeat_and_says_how_far_was_seen():
    record = one(PAGE | {"e": "pp", "pp_may": "800"})
    assert (record["event_type"], record["value"]) == ("page_ping", 10.0)
    assert record["properties"]["scroll_depth"] == 50.0  # (800 offset + 800 viewport) of 3200


def test_a_page_shorter_than_the_screen_is_seen_whole():
    assert one(PAGE | {"e": "pp", "pp_may": "0", "ds": "1200x400"})["properties"]["scroll_depth"] == 100.0


def test_a_structured_event_keeps_the_type_it_names():
    record = one(PAGE | {"e": "se", "se_ca": "shop", "se_ac": "add_to_cart", "se_la": "x", "se_va": "3.5"})
    assert (record["event_type"], record["value"]) == ("add_to_cart", 3.5)
    assert one(PAGE | {"e": "se", "se_ca": "c", "se_ac": "Zoom In"})["event_type"] == "custom:zoom_in"


def test_base64_and_plain_self_describing_events_are_the_same():
    plain = self_describing("link_click", {"targetUrl": "/x", "elementId": "buy"})
    packed = dict(plain)
    packed["ue_px"] = base64.urlsafe_b64encode(packed.pop("ue_pr").encode()).decode().rstrip("=")
    assert one(plain) == one(packed)
    assert one(plain)["event_type"] == "click"
    assert one(plain)["properties"]["elementId"] == "buy"


@pytest.mark.parametrize(
    ("name", "data", "event_type", "value"),
    [
        ("button_click", {"label": "Buy"}, "click", None),
        ("focus_form", {"formId": "f", "elementId": "mail"}, "form_start", None),
        ("submit_form", {"formId": "f", "elements": [{"name": "mail", "value": "x"}]}, "form_submit", None),
        ("change_form", {"formId": "f", "value": "secret"}, "custom:form_change", None),
        ("site_search", {"terms": ["red", "lamp"]}, "search", None),
        ("add_to_cart", {"sku": "7"}, "add_to_cart", None),
        ("remove_from_cart", {"sku": "7"}, "remove_from_cart", None),
        ("consent_granted", {"purposes": ["analytics"]}, "consent_granted", None),
        ("consent_withdrawn", {"all": True}, "consent_withdrawn", None),
        ("application_error", {"message": "x"}, "custom:application_error", None),
    ],
)  # fmt: skip
def test_known_schemas_become_types_of_the_contract(name, data, event_type, value):
    record = one(self_describing(name, data))
    assert (record["event_type"], record.get("value")) == (event_type, value)


def test_what_people_type_into_forms_is_not_kept():
    changed = one(self_describing("change_form", {"formId": "f", "value": "secret"}))
    sent = one(self_describing("submit_form", {"formId": "f", "elements": [{"value": "secret"}]}))
    assert "secret" not in json.dumps([changed["properties"], sent["properties"]])


def test_focusing_two_fields_of_a_form_starts_it_once():
    page = (f"{SNOWPLOW}/web_page/jsonschema/1-0-0", {"id": "view-1"})
    first = one(self_describing("focus_form", {"formId": "f", "elementId": "a"}, page, eid="1"))
    second = one(self_describing("focus_form", {"formId": "f", "elementId": "b"}, page, eid="2"))
    other = one(self_describing("focus_form", {"formId": "g", "elementId": "b"}, page, eid="3"))
    assert first["event_id"] == second["event_id"] != other["event_id"]


@pytest.mark.parametrize(
    ("name", "data", "event_type", "value"),
    [
        ("play_event", {}, "video_play", None),
        ("percent_progress_event", {"percentProgress": 50}, "video_progress", 50.0),
        ("end_event", {}, "video_progress", 100.0),
        ("pause_event", {}, "custom:media_pause", None),
    ],
)
def test_media_events_carry_their_progress(name, data, event_type, value):
    player = (
        "iglu:com.snowplowanalytics.snowplow/media_player/jsonschema/2-0-0",
        {"label": "film", "duration": 60},
    )
    record = one(self_describing(name, data, player, schema=f"{SNOWPLOW}.media"))
    assert (record["event_type"], record.get("value")) == (event_type, value)
    assert record["properties"]["media_label"] == "film"


def test_a_transaction_is_one_purchase_a_product():
    vendor = f"{SNOWPLOW}.ecommerce"
    entities = [
        (f"{vendor}/transaction/jsonschema/1-0-0", {"transaction_id": "o1", "revenue": 50, "currency": "EUR"}),
        (f"{vendor}/product/jsonschema/1-0-0", {"id": "a", "price": 20, "quantity": 2, "currency": "EUR"}),
        (f"{vendor}/product/jsonschema/1-0-0", {"id": "b", "price": 10, "currency": "EUR"}),
    ]
    payload = self_describing("snowplow_ecommerce_action", {"type": "transaction"}, *entities, schema=vendor)
    records = translate(payload, 10.0)
    assert [(r["event_id"], r["event_type"], r["item_id"], r["value"]) for r in records] == [
        ("e-1", "purchase", "a", 40.0),
        ("e-1-1", "purchase", "b", 10.0),
    ]
    assert all(r["properties"]["currency"] == "EUR" for r in records)


def test_an_old_transaction_item_is_a_purchase():
    record = one(PAGE | {"e": "ti", "ti_id": "o", "ti_sk": "a", "ti_pr": "2.5", "ti_qu": "4", "ti_cu": "GBP"})
    assert (record["event_type"], record["item_id"], record["value"]) == ("purchase", "a", 10.0)


def test_entities_name_item_recommendation_experiment_consent_and_position():
    entities = [
        (
            "iglu:io.tessera/item/jsonschema/1-0-0",
            {"item_id": "7", "recommendation_id": "r", "rank": 2, "slot": "home"},
        ),
        ("iglu:io.tessera/experiment/jsonschema/1-0-0", {"experiment_id": "x", "variant": "b"}),
        ("iglu:io.tessera/consent/jsonschema/1-0-0", {"purposes": []}),
        (f"{SNOWPLOW}/geolocation_context/jsonschema/1-1-0", {"latitude": 52.52, "longitude": 13.4}),
    ]
    record = one(self_describing("link_click", {}, *entities))
    names = ("item_id", "recommendation_id", "experiment_id", "variant", "consent", "latitude")
    assert [record[name] for name in names] == ["7", "r", "x", "b", [], 52.52]
    assert (record["properties"]["rank"], record["properties"]["slot"]) == (2.0, "home")


def test_our_own_schema_carries_any_type_of_the_contract():
    data = {"event_type": "hover", "value": 640, "item_id": "7", "element": "card", "received_at": "2001-01-01"}
    record = one(self_describing("event", data, schema="iglu:io.tessera"))
    assert (record["event_type"], record["value"], record["item_id"]) == ("hover", 640, "7")
    assert record["properties"]["element"] == "card"
    assert "received_at" not in record


@pytest.mark.parametrize(
    "payload",
    [3, {}, {"e": "zz"}, {"e": ["pv"]}, PAGE | {"e": "ue"}, PAGE | {"co": "{"}, PAGE | {"cx": "%%%"},
     PAGE | {"e": "ue", "ue_pr": '{"data": {"schema": "no iglu"}}'},
     self_describing("event", {"value": 1}, schema="iglu:io.tessera")],
)  # fmt: skip
def test_what_is_no_event_is_said_to_be_none(payload):
    assert isinstance(translate(payload, 10.0), TranslationFailure)


def test_post_get_and_beacon_reach_the_log(site):
    now = int(time.time() * 1000)
    payload = PAGE | {"dtm": str(now - 500), "stm": str(now)}
    envelope = {"schema": f"{SNOWPLOW}/payload_data/jsonschema/1-0-4", "data": [payload, {"e": "zz"}]}
    with site.open() as client:
        posted = client.post("/com.snowplowanalytics.snowplow/tp2", json=envelope)
        beacon = client.post(
            "/com.snowplowanalytics.snowplow/tp2",
            content=json.dumps({"data": [payload | {"eid": "e-2"}]}),
            headers={"Content-Type": "text/plain"},
        )
        pixel = client.get("/i", params=payload | {"eid": "e-3"})
    assert (posted.status_code, beacon.status_code, pixel.status_code) == (200, 200, 200)
    assert pixel.headers["Content-Type"] == "image/gif"
    events = site.events()
    assert sorted(event["event_id"] for event in events) == ["e-1", "e-2", "e-3"]
    for event in events:
        assert (event["item_id"], event["properties"]["channel"], event["source"]) == ("7", "email", "snowplow")
        assert abs((event["received_at"] - event["occurred_at"]).total_seconds() - 0.5) < 0.001
    (letter,) = site.letters()
    assert (letter["row"], letter["field"], letter["source"]) == (1, "e", "snowplow")


def test_the_app_id_of_a_tracker_may_be_its_key(tmp_path):
    site = Site(tmp_path / "home", settings_with(), Keys(browser=frozenset({"shop"})))
    consent = ("iglu:io.tessera/consent/jsonschema/1-0-0", {"purposes": ["analytics"]})
    payload = self_describing("link_click", {}, consent)
    with site.open() as client:
        known = client.post("/com.snowplowanalytics.snowplow/tp2", json={"data": [payload]})
        unknown = client.post("/com.snowplowanalytics.snowplow/tp2", json={"data": [payload | {"aid": "x"}]})
    assert (known.status_code, unknown.status_code) == (200, 401)
    (event,) = site.events()
    assert "user_id" not in event
    assert event["anonymous_id"] == "device"


@pytest.mark.parametrize(
    "path", ["/i", "/ice.png", "/com.snowplowanalytics.snowplow/tp1", "/com.snowplowanalytics.snowplow/tp2"]
)
def test_every_address_of_the_trackers_takes_an_event_from_the_query(site, path):
    with site.open() as client:
        answer = client.get(path, params={"e": "pv", "duid": "d", "eid": "x"})
    assert (answer.status_code, answer.headers["content-type"]) == (200, "image/gif")
    assert [event["event_id"] for event in site.events()] == ["x"]

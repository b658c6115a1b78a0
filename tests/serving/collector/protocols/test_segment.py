import base64
import datetime as dt
import json

import pytest

from serving.access import Keys
from serving.collector.protocols.segment import read_messages, translate
from serving.collector.protocols.translation import TranslationFailure
from tests.serving.collector.collecting import CHROME, Site, settings_with

CONTEXT = {
    "userAgent": CHROME,
    "locale": "pt-BR",
    "timezone": "America/Sao_Paulo",
    "ip": "200.147.3.157",
    "page": {"url": "https://shop.example/products/7", "title": "Seven", "referrer": "https://t.co/x"},
    "screen": {"width": 390, "height": 844},
    "campaign": {"name": "spring", "source": "letter", "medium": "email"},
    "library": {"name": "analytics.js"},
}


def track(event, properties=None, **more):
    message = {"type": "track", "messageId": "m", "userId": "u", "event": event, "properties": properties or {}}
    return translate(message | more, {})


@pytest.mark.parametrize(
    ("name", "properties", "event_type", "item_id", "value"),
    [
        ("Product Viewed", {"product_id": "7"}, "page_view", "7", None),
        ("Product Added", {"product_id": "7", "price": 3}, "add_to_cart", "7", None),
        ("Product Removed", {"sku": "s"}, "remove_from_cart", "s", None),
        ("Order Completed", {"order_id": "o", "revenue": 9.5}, "purchase", None, 9.5),
        ("Order Refunded", {"order_id": "o", "total": 9.5}, "purchase", None, -9.5),
        ("Order Refunded", {"order_id": "o"}, "custom:refund", None, None),
        ("Order Cancelled", {"order_id": "o", "revenue": 0}, "custom:refund", None, None),
        ("Products Searched", {"query": "lamp"}, "search", None, None),
        ("Product Reviewed", {"product_id": "7", "rating": "4"}, "rating", "7", 4.0),
        ("Product Added to Wishlist", {"product_id": "7"}, "bookmark", "7", None),
        ("Signed Up", {}, "signup", None, None),
        ("Video Content Playing", {"position": 15, "total_length": 60}, "video_progress", None, 25.0),
        ("Video Playback Completed", {"content_asset_id": "v"}, "video_progress", "v", 100.0),
        ("not_interested", {"item_id": "7"}, "not_interested", "7", None),
        ("hover", {"item_id": "7", "value": 640}, "hover", "7", 640.0),
        ("Coupon Entered", {"coupon_id": "c"}, "custom:coupon_entered", None, None),
    ],
)
def test_names_of_the_specification_become_types_of_the_contract(name, properties, event_type, item_id, value):
    (record,) = track(name, properties)
    assert (record["event_type"], record.get("item_id"), record.get("value")) == (event_type, item_id, value)


def test_an_order_is_one_purchase_a_product():
    products = [{"product_id": "a", "price": 20, "quantity": 2}, {"product_id": "b", "price": 10}]
    records = track("Order Completed", {"order_id": "o", "currency": "EUR", "revenue": 50, "products": products})
    assert [(r["event_id"], r["item_id"], r["value"]) for r in records] == [("m", "a", 40.0), ("m-1", "b", 10.0)]
    assert all(r["properties"]["order_id"] == "o" and r["properties"]["currency"] == "EUR" for r in records)


def test_a_list_viewed_is_one_impression_a_product():
    records = track("Product List Viewed", {"products": [{"product_id": "a"}, {"product_id": "b"}]})
    assert [(r["event_type"], r["item_id"]) for r in records] == [("impression", "a"), ("impression", "b")]


def test_an_experiment_viewed_is_an_exposure():
    (record,) = track("Experiment Viewed", {"experiment_id": "x", "variation_id": "b"})
    assert (record["event_type"], record["experiment_id"], record["variant"]) == ("exposure", "x", "b")


def test_context_fills_the_fields_of_the_contract(site):
    message = {"messageId": "m", "anonymousId": "a", "context": CONTEXT, "name": "Product"}
    answer = site.send("/v1/page", message)
    assert answer.json() == {"success": True, "accepted": 1, "rejected": []}
    (event,) = site.events()
    expected = {
        "event_id": "m", "event_type": "page_view", "anonymous_id": "a", "item_id": "7", "page_title": "Seven",
        "referrer": "https://t.co/x", "screen_width": 390, "screen_height": 844, "language": "pt-BR",
        "timezone": "America/Sao_Paulo", "country": "BR", "device_type": "desktop", "os": "Linux",
        "browser": "Chrome", "source": "segment",
    }  # fmt: skip
    assert {name: event[name] for name in expected} == expected
    properties = event["properties"]
    assert (properties["channel"], properties["utm_source"], properties["utm_campaign"]) == (
        "email",
        "letter",
        "spring",
    )
    assert "200.147" not in str(event)


def test_the_phone_of_a_traveller_is_set_right(site):
    now = dt.datetime.now(dt.UTC) - dt.timedelta(hours=5)
    times = {"timestamp": (now - dt.timedelta(seconds=2)).isoformat(), "sentAt": now.isoformat()}
    site.send("/v1/track", {"userId": "u", "event": "Signed Up", **times})
    (event,) = site.events()
    assert event["received_at"] - event["occurred_at"] == dt.timedelta(seconds=2)


def test_identify_group_and_alias_are_kept(site):
    with site.open() as client:
        client.post(
            "/v1/identify",
            json={"userId": "u", "anonymousId": "a", "traits": {"plan": "pro", "email": "x@y.example"}},
        )
        client.post("/v1/group", json={"userId": "u", "groupId": "g", "traits": {"size": 3}})
        client.post("/v1/alias", json={"userId": "u2", "previousId": "u"})
    identified, grouped, aliased = sorted(site.events(), key=lambda event: event["received_at"])
    assert (identified["event_type"], identified["user_id"], identified["anonymous_id"]) == ("identify", "u", "a")
    assert identified["properties"]["traits"]["plan"] == "pro"
    assert identified["properties"]["traits"]["email"].startswith("h:")
    assert (grouped["event_type"], grouped["properties"]["group_id"]) == ("custom:group", "g")
    assert (aliased["event_type"], aliased["user_id"], aliased["anonymous_id"]) == ("identify", "u2", "u")


def test_a_batch_shares_its_context_and_keeps_its_bad_messages(site):
    batch = [
        {"type": "track", "userId": "u", "event": "Signed Up"},
        {"type": "dance"},
        {"type": "track", "userId": "u"},
    ]
    answer = site.send("/v1/batch", {"batch": batch, "context": {"locale": "fr"}})
    assert answer.json()["accepted"] == 1
    assert [(row["index"], row["error"].split(":")[0]) for row in answer.json()["rejected"]] == [
        (1, "type"),
        (2, "event"),
    ]
    assert site.events()[0]["language"] == "fr"
    assert [row["row"] for row in site.letters()] == [1, 2]


def test_a_write_key_is_taken_from_basic_authentication_or_the_body(tmp_path):
    site = Site(tmp_path / "home", settings_with(), Keys(secret=frozenset({"w"})))
    message = {"userId": "u", "event": "Signed Up"}
    basic = {"Authorization": "Basic " + base64.b64encode(b"w:").decode()}
    beacon = {"Content-Type": "text/plain"}  # how the library for browsers sends
    with site.open() as client:
        statuses = [
            client.post("/v1/track", json=message).status_code,
            client.post("/v1/track", json=message, headers=basic).status_code,
            client.post("/v1/t", content=json.dumps(message | {"writeKey": "w"}), headers=beacon).status_code,
        ]
    assert statuses == [401, 200, 200]


def test_consent_preferences_are_purposes():
    consent = {"consent": {"categoryPreferences": {"Analytics": True, "personalization": False}}}
    (record,) = track("Signed Up", context=consent)
    assert record["consent"] == ["analytics"]


@pytest.mark.parametrize("message", [3, {}, {"type": []}, {"type": "track"}, {"type": "track", "event": " "}])
def test_what_is_no_message_is_said_to_be_none(message):
    assert isinstance(translate(message, {}), TranslationFailure)


@pytest.mark.parametrize(("body", "call"), [([], "track"), ({}, "batch"), ({"batch": {}}, "batch")])
def test_a_body_without_messages_has_none(body, call):
    assert read_messages(body, call) is None


@pytest.mark.parametrize("path", ["/v1/batch", "/v1/b", "/v1/import", "/beacon/v1/batch"])
def test_every_address_of_the_libraries_takes_a_batch(site, path):
    batch = [{"type": "track", "userId": "u", "event": "Signed Up", "messageId": "m"}]
    answer = site.send(path, {"batch": batch, "writeKey": "w", "sentAt": "2026-01-01T00:00:00Z"})
    assert (answer.status_code, answer.json()["accepted"]) == (200, 1)
    assert [event["event_id"] for event in site.events()] == ["m"]


def test_every_call_arrives_by_its_name_its_letter_and_as_a_pixel(site):
    message = {"userId": "u", "event": "Signed Up", "groupId": "g", "previousId": "a"}
    data = base64.b64encode(json.dumps(message).encode()).decode()
    with site.open() as client:
        for call in ("track", "page", "screen", "identify", "group", "alias"):
            for path in (f"/v1/{call}", f"/v1/{call[0]}"):
                assert client.post(path, json=message).json()["accepted"] == 1
            pixel = client.get(f"/v1/pixel/{call}", params={"data": data})
            assert (pixel.status_code, pixel.headers["content-type"]) == (200, "image/gif")
        assert client.get("/v1/pixel/track", params={"data": "%%"}).status_code == 400
    assert len(site.events()) == 18


def test_what_a_library_counts_of_itself_is_taken_and_not_kept(site):
    counted = {"series": [{"type": "Counter", "metric": "analytics_js.invoke", "value": 1, "tags": {}}]}
    text = {"Content-Type": "text/plain"}
    with site.open() as client:
        assert client.post("/v1/m", content=json.dumps(counted), headers=text).json() == {"success": True}
    assert site.events() == []


def test_a_beacon_carries_its_browser_key_in_the_query(tmp_path):
    site = Site(tmp_path / "home", settings_with(), Keys(browser=frozenset({"b"})))
    batch = {"batch": [{"type": "track", "anonymousId": "a", "event": "Signed Up"}]}
    beacon = {"Content-Type": "text/plain"}
    with site.open() as client:
        statuses = [
            client.post("/beacon/v1/batch", params=query, content=json.dumps(batch), headers=beacon).status_code
            for query in ({}, {"writeKey": "x"}, {"writeKey": "b"})
        ]
    assert statuses == [401, 401, 200]

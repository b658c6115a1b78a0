"""What trackers really send for time zones, ids and times, by every protocol."""

import datetime as dt
import json

import pytest

from tests.serving.collector.collecting import Site, settings_with

NOW = dt.datetime.now(dt.UTC)
SNOWPLOW = "/com.snowplowanalytics.snowplow/tp2"


def plain(**fields):
    names = {
        "user": "user_id",
        "device": "anonymous_id",
        "zone": "timezone",
        "item": "item_id",
        "time": "occurred_at",
    }
    event = {"event_type": "click", **{names[name]: value for name, value in fields.items()}}
    return "/v1/events", {"events": [event]}


def segment(**fields):
    names = {"user": "userId", "device": "anonymousId", "time": "timestamp"}
    message = {names[name]: value for name, value in fields.items() if name in names}
    more = {"properties": {"product_id": fields.get("item")}, "context": {"timezone": fields.get("zone")}}
    return "/v1/track", {"event": "Product Clicked", **message, **more}


def snowplow(**fields):
    names = {"user": "uid", "device": "duid", "zone": "tz", "time": "dtm"}
    payload = {names[name]: str(value) for name, value in fields.items() if name in names}
    item = {"schema": "iglu:io.tessera/item/jsonschema/1-0-0", "data": {"item_id": fields.get("item")}}
    return SNOWPLOW, {"data": [{"e": "pv", "co": json.dumps({"data": [item]}), **payload}]}


protocols = pytest.mark.parametrize("protocol", [plain, segment, snowplow])


def send(site: Site, request):
    path, body = request
    return site.send(path, body).json()


@protocols
@pytest.mark.parametrize(
    ("zone", "stored"),
    [
        ("Europe%2FLondon", "Europe/London"),
        ("Pacific Standard Time", "America/Los_Angeles"),
        ("undefined", None),
        ("+02:00", None),
        ("local", None),
    ],
)
def test_a_time_zone_is_checked_at_the_door(site, protocol, zone, stored):
    assert send(site, protocol(user="u", zone=zone))["accepted"] == 1
    (event,) = site.events()
    assert event.get("timezone") == stored
    assert (event.get("properties", {}).get("timezone") == zone) is (stored is None)


@protocols
@pytest.mark.parametrize(
    "word", ["null", "undefined", "NaN", "[object Object]", "00000000-0000-0000-0000-000000000000"]
)
def test_a_word_for_nobody_is_no_user(site, protocol, word, caplog):
    answer = send(site, protocol(user=word, device="d"))
    assert answer["accepted"] == 1
    assert answer["warnings"] == [
        f"user_id {word!r} names nobody: programs write it where they have no id; 1 events have no such id now"
    ]
    assert f"user_id {word!r} from the sender open" in caplog.text
    (event,) = site.events()
    assert "user_id" not in event
    assert event["anonymous_id"] == "d"


def test_an_address_that_names_no_item_gives_the_event_none(tmp_path):
    site = Site(tmp_path / "home", settings_with(collector={"item_url_pattern": r"/items/(?P<item_id>[^/?]+)"}))
    pages = {name: f"https://shop.example/items/{name}" for name in ("undefined", "1000.0", "lamp")}
    views = [{"event_type": "page_view", "user_id": "u", "page_url": url} for url in pages.values()]
    send(site, ("/v1/events", {"events": views}))
    assert {event["page_url"]: event.get("item_id") for event in site.events()} == {
        pages["undefined"]: None, pages["1000.0"]: "1000", pages["lamp"]: "lamp"
    }  # fmt: skip


def test_an_identify_of_nobody_is_refused_and_counted(site):
    with site.open() as client:
        answer = client.post("/v1/identify", json={"userId": "undefined", "anonymousId": "d"}).json()
    assert (answer["accepted"], answer["rejected"][0]["error"].split(":")[0]) == (0, "user_id")
    assert site.events() == []


@protocols
def test_ids_that_came_as_floats_keep_all_their_digits(site, protocol):
    send(site, protocol(user=12345678.0, item=10000001.0))
    send(site, protocol(user=12345679.0, item=10000002.0))
    stored = {(event["user_id"], event["item_id"]) for event in site.events()}
    assert stored == {("12345678", "10000001"), ("12345679", "10000002")}


@protocols
@pytest.mark.parametrize(
    "spelled", [lambda s: round(s * 1_000), lambda s: str(round(s * 1_000)), lambda s: str(round(s))]
)
def test_a_time_since_1970_is_that_time(site, protocol, spelled):
    moment = (NOW - dt.timedelta(days=2)).replace(microsecond=0)
    send(site, protocol(user="u", time=spelled(moment.timestamp())))
    assert [event["occurred_at"] for event in site.events()] == [moment]


@protocols
def test_what_is_no_time_is_rejected_by_the_name_of_its_field(site, protocol):
    answer = send(site, protocol(user="u", time="yesterday"))
    assert answer["accepted"] == 0
    name = {plain: "occurred_at", segment: "timestamp", snowplow: "dtm"}[protocol]
    assert answer["rejected"][0]["error"].startswith(f"{name}: is 'yesterday', not a")


def test_a_segment_message_that_is_delivered_again_keeps_its_day(site):
    then = (NOW - dt.timedelta(days=58)).replace(microsecond=0)
    skew = dt.timedelta(minutes=7)  # the client's clock was ahead
    times = {"originalTimestamp": then + skew, "sentAt": then + skew, "receivedAt": then, "timestamp": then}
    message = {"userId": "u", "event": "Signed Up", **{name: time.isoformat() for name, time in times.items()}}
    site.send("/v1/track", message)
    del message["timestamp"]
    site.send("/v1/track", message)
    assert [event["occurred_at"] for event in site.events()] == [then, then]


def test_a_segment_message_without_timestamp_is_corrected_by_its_sending_time(site):
    sent = NOW - dt.timedelta(hours=5)
    times = {"originalTimestamp": (sent - dt.timedelta(seconds=2)).isoformat(), "sentAt": sent.isoformat()}
    site.send("/v1/track", {"userId": "u", "event": "Signed Up", **times})
    (event,) = site.events()
    assert event["received_at"] - event["occurred_at"] == dt.timedelta(seconds=2)


@pytest.mark.parametrize(
    "sent_at", ["0001-01-01T00:00:00Z", "1970-01-01T00:00:00Z", "2999-01-01T00:00:00Z", "soon"]
)
def test_an_absurd_sending_time_is_ignored(site, sent_at):
    then = (NOW - dt.timedelta(days=3)).replace(microsecond=0)
    site.send("/v1/track", {"userId": "u", "event": "Signed Up", "timestamp": then.isoformat(), "sentAt": sent_at})
    assert [event["occurred_at"] for event in site.events()] == [then]


def test_other_fields_are_spelled_as_the_contract_spells_them(site):
    context = {
        "locale": "en_us",
        "location": {"country": "Germany", "region": "be"},
        "device": {"type": "Smart TV"},
        "network": {"effectiveType": "4G"},
        "screen": {"width": "1920", "height": 0},
    }
    site.send("/v1/track", {"userId": "u", "event": "Signed Up", "context": context})
    (event,) = site.events()
    names = ("language", "country", "region", "device_type", "network_type", "screen_width")
    assert [event[name] for name in names] == ["en-US", "DE", "DE-BE", "tv", "4g", 1920]
    assert event["properties"]["screen_height"] == 0

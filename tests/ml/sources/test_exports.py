"""Exports of other products: one hand-made row of each kind, and the shared Universal Analytics file."""

import datetime as dt
import json

import pyarrow as pa
import pytest

from ml.events.contract import EVENT_SCHEMA
from ml.events.dead_letters import DeadLetters
from ml.events.log import EventLog
from ml.home import Home
from ml.sources import SourceError, ingest, open_source
from tests.shared_data import SHARED, needs_shared_data

NOW = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
GOOGLE_STORE = SHARED / "data/ga_merch_store/all_sessions.csv.gz"


def ingested(name, path, home):
    report = ingest(open_source(name), path, home, NOW)
    rows = pa.Table.from_batches(EventLog(home).read(), schema=EVENT_SCHEMA).to_pylist()
    events = [
        {k: json.loads(v) if k == "properties" else v for k, v in row.items() if v is not None} for row in rows
    ]
    return report, events


def lines(path, *objects):
    path.write_text("".join(json.dumps(entry) + "\n" for entry in objects))
    return path


def ga4(name, params, **more):
    typed = {str: "string_value", int: "int_value", float: "double_value"}
    listed = [{"key": key, "value": {typed[type(value)]: value}} for key, value in params.items()]
    return {
        "event_name": name,
        "event_timestamp": 1700000000123456,
        "event_params": listed,
        "user_pseudo_id": "p.1",
        "device": {"category": "mobile", "operating_system": "Android", "web_info": {"browser": "Chrome"}},
        "geo": {"country": "Germany", "city": "Berlin"},
        "traffic_source": {"source": "google", "medium": "organic", "name": "(not set)"},
    } | more


def test_google_analytics_4_events_that_differ_only_in_their_place_in_the_batch_are_events_of_their_own(tmp_path):
    rows = [ga4("scroll", {"engagement_time_msec": 10}, batch_event_index=index) for index in (1, 2, 3)]
    path = lines(tmp_path / "events.jsonl", *rows, rows[0])
    _, events = ingested("google_analytics_4", path, Home(tmp_path / "home"))
    ids = [event["event_id"] for event in events]
    assert len(set(ids)) == 3
    assert ids[0] == ids[3]


def test_google_analytics_4_names_of_regions_become_codes_and_unknown_ones_are_counted(tmp_path):
    places = [
        ("Germany", "Bavaria"),
        ("United States", "California"),
        ("France", "Île-de-France"),
        ("Germany", "Oz"),
    ]
    rows = [
        ga4("scroll", {}, batch_event_index=index, geo={"country": country, "region": region})
        for index, (country, region) in enumerate(places)
    ]
    path = lines(tmp_path / "events.jsonl", *rows)
    report, events = ingested("google_analytics_4", path, Home(tmp_path / "home"))
    assert [event.get("region") for event in events] == ["DE-BY", "US-CA", "FR-IDF", None]
    assert [event["properties"].get("region") for event in events] == [None, None, None, "Oz"]
    assert +report.unreadable == {"region": 1}


def test_google_analytics_4_engagement_is_a_delta_of_one_event_however_many_items_it_names(tmp_path):
    items = [{"item_id": "a"}, {"item_id": "b"}]
    path = lines(
        tmp_path / "events.jsonl",
        ga4("page_view", {"engagement_time_msec": 3000}),
        ga4("user_engagement", {"engagement_time_msec": 12000}),
        ga4("view_item", {"engagement_time_msec": 7000}, items=items),
    )
    _, events = ingested("google_analytics_4", path, Home(tmp_path / "home"))
    deltas = [event["properties"].get("engaged_delta_seconds") for event in events]
    assert deltas == [3.0, 12.0, 7.0, None]
    assert [event.get("value") for event in events] == [None, 12.0, None, None]


def test_google_analytics_4_events_are_mapped_by_name(tmp_path):
    page = {"page_location": "https://shop.example/", "page_title": "Shop", "ga_session_id": 7, "theme": "dark"}
    items = [{"item_id": "a", "price": 20.0, "quantity": 2}, {"item_id": "b", "price": 10.0}]
    path = lines(
        tmp_path / "events.jsonl",
        ga4("page_view", page),
        ga4("user_engagement", {"engagement_time_msec": 5200}),
        ga4("scroll", {}),
        ga4("purchase", {"currency": "EUR"}, user_id="u", items=items),
        ga4("tutorial_begin", {}),
        {"event_name": "page_view", "event_timestamp": "soon", "event_params": [], "user_pseudo_id": "p"},
    )
    report, events = ingested("google_analytics_4", path, Home(tmp_path / "home"))
    view, engaged, scrolled, first, second, other = events
    assert view["occurred_at"] == dt.datetime(2023, 11, 14, 22, 13, 20, 123456, tzinfo=dt.UTC)
    assert (view["anonymous_id"], view["session_id"], view["page_title"]) == ("p.1", "p.1-7", "Shop")
    assert (view["device_type"], view["os"], view["browser"], view["city"]) == (
        "mobile",
        "Android",
        "Chrome",
        "Berlin",
    )
    assert view["properties"] == {
        "theme": "dark", "utm_source": "google", "utm_medium": "organic", "country_name": "Germany",
    }  # fmt: skip
    assert (engaged["event_type"], engaged["value"]) == ("page_ping", 5.2)
    assert (scrolled["event_type"], scrolled["value"]) == ("scroll", 90.0)
    assert [(e["event_type"], e["item_id"], e["value"], e["user_id"]) for e in (first, second)] == [
        ("purchase", "a", 40.0, "u"),
        ("purchase", "b", 10.0, "u"),
    ]
    assert other["event_type"] == "custom:tutorial_begin"
    assert dict(report.rejected) == {"event_timestamp: is 'soon', not a time": 1}


def test_a_google_analytics_4_refund_without_an_amount_is_no_purchase(tmp_path):
    items = [{"item_id": "a", "price": 20.0, "quantity": 2}, {"item_id": "b"}]
    path = lines(
        tmp_path / "refunds.jsonl",
        ga4("refund", {"step": 1}, items=items),
        ga4("refund", {"step": 2, "value": 7.5}),
    )
    _, events = ingested("google_analytics_4", path, Home(tmp_path / "home"))
    kinds = sorted((event["event_type"], str(event.get("item_id")), event.get("value")) for event in events)
    assert kinds == [("custom:refund", "b", None), ("purchase", "None", -7.5), ("purchase", "a", -40.0)]


def test_mixpanel_events_are_mapped_by_name(tmp_path):
    base = {"time": 1700000000, "distinct_id": "u", "$device_id": "d", "$insert_id": "i", "$user_id": "u"}
    path = lines(
        tmp_path / "export.jsonl",
        {"event": "$mp_web_page_view", "properties": base | {"$current_url": "https://x.example", "plan": "pro"}},
        {"event": "Order Completed", "properties": base | {"$insert_id": "j", "revenue": 12.5, "product_id": "7"}},
        {"event": "Level Up!", "properties": {"time": 1700000000000, "distinct_id": "$device:z"}},
        {"event": "x", "properties": []},
    )
    report, events = ingested("mixpanel", path, Home(tmp_path / "home"))
    view, order, level = events
    assert (view["event_id"], view["event_type"], view["user_id"], view["anonymous_id"]) == (
        "i",
        "page_view",
        "u",
        "d",
    )
    assert view["properties"] == {"plan": "pro", "event": "$mp_web_page_view"}
    assert (order["event_type"], order["item_id"], order["value"]) == ("purchase", "7", 12.5)
    assert (level["event_type"], level["anonymous_id"]) == ("custom:level_up", "z")
    assert level["occurred_at"] == view["occurred_at"]
    assert dict(report.rejected) == {"properties: is not an object": 1}


def test_universal_analytics_hits_count_from_the_start_of_the_visit(tmp_path):
    head = (
        "fullVisitorId,channelGrouping,time,country,city,visitId,type,productPrice,productQuantity,productSKU,"
        "eCommerceAction_type\n"
    )
    (tmp_path / "a.csv").write_text(
        head
        + "0012,Organic Search,122213,Taiwan,(not set),1473757371,PAGE,2990000,,GGO1,0\n"
        + "0012,Organic Search,130000,Taiwan,(not set),1473757371,EVENT,2990000,2,GGO1,6\n"
    )
    _, (view, bought) = ingested("universal_analytics", tmp_path / "a.csv", Home(tmp_path / "home"))
    assert view["occurred_at"] == dt.datetime(2016, 9, 13, 9, 4, 53, 213000, tzinfo=dt.UTC)
    assert (view["event_type"], view["anonymous_id"], view["item_id"]) == ("page_view", "0012", "GGO1")
    assert (view["properties"]["channel"], view["properties"]["unit_price"]) == ("search", 2.99)
    assert "city" not in view
    assert (bought["event_type"], bought["value"]) == ("purchase", 5.98)


def test_an_export_without_its_columns_is_refused(tmp_path):
    (tmp_path / "a.csv").write_text("visitor,when\n1,2\n")
    with pytest.raises(SourceError, match="has no column 'fullVisitorId'"):
        ingest(open_source("universal_analytics"), tmp_path / "a.csv", Home(tmp_path / "home"), NOW)


@needs_shared_data(GOOGLE_STORE)
def test_the_shared_export_is_taken_whole(tmp_path):
    report, events = ingested("universal_analytics", GOOGLE_STORE, Home(tmp_path / "home"))
    assert (report.rows, report.accepted, sum(report.rejected.values())) == (15_134, 15_134, 0)
    assert len({event["anonymous_id"] for event in events}) == 14_223
    kinds = {event["event_type"] for event in events}
    assert kinds == {"page_view", "click", "add_to_cart", "remove_from_cart", "checkout", "purchase"}
    assert len(DeadLetters(Home(tmp_path / "home")).read()) == 0

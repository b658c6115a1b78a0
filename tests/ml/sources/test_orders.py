"""Orders of exports: one purchase a line, whose values sum to what was paid; the sums are worked out by hand."""

import datetime as dt
import json

import pyarrow as pa
import pytest

from ml.events.contract import EVENT_SCHEMA
from ml.events.log import EventLog
from ml.home import Home
from ml.sources import ingest, open_source

NOW = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
LINES = [{"item_id": "a", "price": 60, "quantity": 1}, {"item_id": "b", "price": 10, "quantity": 4}]


def purchases(name, tmp_path, *rows):
    """(item, value, order, currency, quantity) of each purchase, by item."""
    path = tmp_path / "export.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    home = Home(tmp_path / "home")
    ingest(open_source(name), path, home, NOW)
    events = pa.Table.from_batches(EventLog(home).read(), schema=EVENT_SCHEMA).to_pylist()
    facts = [(event, json.loads(event["properties"])) for event in events if event["event_type"] == "purchase"]
    lines = [
        (event["item_id"], event["value"], more.get("order_id"), more.get("currency"), more.get("quantity"))
        for event, more in facts
    ]
    return sorted(lines, key=str)


def ga4(name, **fields):
    params = fields.pop("params", {})
    typed = [{"key": key, "value": {"string_value": value}} for key, value in params.items()]
    return {
        "event_name": name,
        "event_timestamp": 1700000000000000,
        "user_pseudo_id": "p",
        "event_params": typed,
        **fields,
    }


@pytest.mark.parametrize("total", [{"params": {"value": "80,00"}}, {"ecommerce": {"purchase_revenue": 80.0}}])
def test_lines_of_google_analytics_4_share_the_total(tmp_path, total):
    params = {"transaction_id": "T1", "currency": "eur"} | total.get("params", {})
    row = ga4("purchase", items=LINES, **(total | {"params": params}))
    assert purchases("google_analytics_4", tmp_path, row) == [
        ("a", 48.0, "T1", "EUR", 1),
        ("b", 32.0, "T1", "EUR", 4),
    ]


def test_a_google_analytics_4_order_of_lines_without_prices_is_shared_by_quantity(tmp_path):
    items = [{"item_id": "a", "quantity": 2}, {"item_id": "b"}]
    row = ga4("purchase", items=items, params={"value": "30", "transaction_id": "(not set)"})
    assert purchases("google_analytics_4", tmp_path, row) == [
        ("a", 20.0, None, None, 2),
        ("b", 10.0, None, None, None),
    ]


def mixpanel(**properties):
    return {"event": "Order Completed", "properties": {"time": 1700000000, "distinct_id": "u", **properties}}


@pytest.mark.parametrize(
    ("properties", "lines"),
    [
        ({"$amount": 12.5}, [(None, 12.5, None, None, None)]),
        ({"price": 10, "quantity": 3, "product_id": "7"}, [("7", 30.0, None, None, 3)]),
        ({"revenue": "60,00", "order_id": "o", "currency": "usd"}, [(None, 60.0, "o", "USD", None)]),
        ({"revenue": 80, "products": LINES}, [("a", 48.0, None, None, 1), ("b", 32.0, None, None, 4)]),
    ],
)
def test_a_mixpanel_order_is_worth_what_was_paid(tmp_path, properties, lines):
    assert purchases("mixpanel", tmp_path, mixpanel(**properties)) == lines


def test_a_refund_of_universal_analytics_is_below_zero(tmp_path):
    base = {
        "fullVisitorId": "1",
        "visitId": 1473757371,
        "type": "EVENT",
        "transactionId": "o",
        "currencyCode": "usd",
    }
    bought = base | {"time": 1, "eCommerceAction_type": "6", "productSKU": "a", "productRevenue": 5_000_000}
    back = base | {"time": 2, "eCommerceAction_type": "7", "productSKU": "b", "productPrice": 2_000_000}
    whole = base | {"time": 3, "eCommerceAction_type": "6", "totalTransactionRevenue": 9_000_000}
    assert purchases("universal_analytics", tmp_path, bought, back, whole) == [
        ("a", 5.0, "o", "USD", None),
        ("b", -2.0, "o", "USD", None),
        (None, 9.0, "o", "USD", None),
    ]


def test_the_currency_of_a_file_is_brought_to_one_name(tmp_path):
    row = {"event_type": "purchase", "occurred_at": "2024-07-01T08:00:00Z", "user_id": "u", "value": 3}
    rows = [row | {"item_id": "a", "Currency": "eur"}, row | {"item_id": "b", "currency_code": "US Dollar"}]
    assert purchases("files", tmp_path, *rows) == [("a", 3.0, None, "EUR", None), ("b", 3.0, None, "USD", None)]


def test_pages_of_exports_name_their_items(tmp_path):
    home = Home(tmp_path / "home")
    rows = [
        {"event": "$mp_web_page_view", "properties": {"time": 1700000000, "distinct_id": "u", "$current_url": url}}
        for url in ("https://shop.example/products/7?x=1", "https://shop.example/")
    ]
    (tmp_path / "mixpanel.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    ingest(open_source("mixpanel"), tmp_path / "mixpanel.jsonl", home, NOW)
    page = ga4("page_view", geo={"country": "Germany"})
    page["event_params"] = [{"key": "page_location", "value": {"string_value": "https://x.example/p/9"}}]
    (tmp_path / "ga4.jsonl").write_text(json.dumps(page) + "\n")
    pattern = "/p/(?P<item_id>[0-9]+)"
    ingest(open_source("google_analytics_4"), tmp_path / "ga4.jsonl", home, NOW, item_url_pattern=pattern)
    events = pa.Table.from_batches(EventLog(home).read(), schema=EVENT_SCHEMA).to_pylist()
    assert sorted((event["item_id"] or "", event["country"]) for event in events) == [
        ("", None),
        ("7", None),
        ("9", "DE"),
    ]


def test_trouble_with_a_page_has_one_name(tmp_path):
    home = Home(tmp_path / "home")
    names = ["$mp_rage_click", "$mp_dead_click", "$rageclick", "[Amplitude] Rage Click", "Scroll Reversal"]
    rows = [
        {"event": name, "properties": {"time": 1700000000 + i, "distinct_id": "u"}} for i, name in enumerate(names)
    ]
    (tmp_path / "mixpanel.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    ingest(open_source("mixpanel"), tmp_path / "mixpanel.jsonl", home, NOW)
    events = pa.Table.from_batches(EventLog(home).read(), schema=EVENT_SCHEMA).sort_by("occurred_at")
    assert events["event_type"].to_pylist() == [
        "custom:rage_click",
        "custom:dead_click",
        "custom:rage_click",
        "custom:rage_click",
        "custom:scroll_reversal",
    ]

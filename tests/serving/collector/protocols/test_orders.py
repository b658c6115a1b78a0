"""Orders as Segment and Snowplow send them, through the collector; the shares are worked out by hand."""

import json

import pytest

VENDOR = "com.snowplowanalytics.snowplow.ecommerce"
LINES = [{"id": "a", "price": 60, "quantity": 1}, {"id": "b", "price": "10,00", "quantity": 4}]


def segment(order, lines):
    products = [{**line, "product_id": line["id"]} for line in lines]
    properties = {**order, **({"products": products} if products else {})}
    return "/v1/track", {"userId": "u", "messageId": "m", "event": "Order Completed", "properties": properties}


def snowplow(order, lines):
    action = {
        "schema": f"iglu:{VENDOR}/snowplow_ecommerce_action/jsonschema/1-0-1",
        "data": {"type": "transaction"},
    }
    facts = {
        "transaction_id": order.get("order_id"),
        "revenue": order.get("total"),
        "currency": order.get("currency"),
    }
    entities = [{"schema": f"iglu:{VENDOR}/transaction/jsonschema/1-0-0", "data": facts}]
    entities += [{"schema": f"iglu:{VENDOR}/product/jsonschema/1-0-0", "data": line} for line in lines]
    payload = {"e": "ue", "uid": "u", "eid": "m", "ue_pr": json.dumps({"data": action})}
    return "/com.snowplowanalytics.snowplow/tp2", {"data": [{**payload, "co": json.dumps({"data": entities})}]}


@pytest.mark.parametrize("protocol", [segment, snowplow])
@pytest.mark.parametrize(
    ("total", "lines", "paid"),
    [
        (80, LINES, [("a", 48.0), ("b", 32.0)]),
        (None, LINES, [("a", 60.0), ("b", 40.0)]),
        ("60,00", [], [(None, 60.0)]),
        (30, [{"id": "a", "quantity": 2}, {"id": "b", "quantity": 1}], [("a", 20.0), ("b", 10.0)]),
    ],
)
def test_an_order_is_one_purchase_a_line_worth_what_was_paid(site, protocol, total, lines, paid):
    order = {"order_id": "o", "currency": "eur", "total": total}
    path, body = protocol({name: value for name, value in order.items() if value is not None}, lines)
    assert site.send(path, body).json()["accepted"] == max(len(lines), 1)
    events = site.events()
    assert {event["event_type"] for event in events} == {"purchase"}
    assert {(event["properties"]["order_id"], event["properties"]["currency"]) for event in events} == {
        ("o", "EUR")
    }
    assert sorted(((event.get("item_id"), event["value"]) for event in events), key=str) == paid


@pytest.mark.parametrize(
    ("properties", "value"),
    [({"price": 10, "quantity": 3}, 30.0), ({"$amount": "12.50"}, 12.5), ({"total": 0}, 0.0), ({}, None)],
)
def test_an_order_without_lines_is_one_purchase(site, properties, value):
    site.send("/v1/track", {"userId": "u", "event": "Order Completed", "properties": properties})
    assert [(event["event_type"], event.get("value")) for event in site.events()] == [("purchase", value)]


@pytest.mark.parametrize("name", ["Rage Click", "$rageclick", "rageClick"])
def test_a_rage_click_has_one_name_whoever_reports_it(site, name):
    site.send("/v1/track", {"userId": "u", "event": name})
    site.send("/v1/events", {"events": [{"event_type": "custom:rageclick", "user_id": "u"}]})
    assert [event["event_type"] for event in site.events()] == ["custom:rage_click"] * 2


def test_the_currency_of_a_plain_event_is_brought_to_one_name(site):
    event = {"event_type": "purchase", "user_id": "u", "value": 3, "properties": {"currencyCode": "usd"}}
    site.send("/v1/events", {"events": [event]})
    assert site.events()[0]["properties"]["currency"] == "USD"

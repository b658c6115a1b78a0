"""Google Analytics 4: the event export to BigQuery (`events_*` tables) as Parquet or JSON Lines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ml.events.contract import ENGAGED_DELTA
from ml.events.normalization.orders import first_amount, order_facts, purchase_record, purchase_values
from ml.sources.export import (
    Export,
    NoEventError,
    Record,
    content_id,
    drop_nulls,
    parse_instant,
    parse_number,
    parse_text,
)

TYPES: Mapping[str, str] = {
    "page_view": "page_view", "screen_view": "page_view", "view_item": "page_view", "user_engagement": "page_ping",
    "scroll": "scroll", "click": "click", "select_item": "click", "select_content": "click",
    "select_promotion": "click", "view_item_list": "impression", "view_promotion": "impression",
    "view_search_results": "search", "search": "search", "form_start": "form_start", "form_submit": "form_submit",
    "video_start": "video_play", "video_progress": "video_progress", "video_complete": "video_progress",
    "add_to_cart": "add_to_cart", "remove_from_cart": "remove_from_cart", "begin_checkout": "checkout",
    "purchase": "purchase", "refund": "purchase", "in_app_purchase": "purchase", "ecommerce_purchase": "purchase",
    "sign_up": "signup", "share": "share",
    "add_to_wishlist": "bookmark",
}  # fmt: skip
ORDERS = frozenset({"purchase", "refund", "in_app_purchase", "ecommerce_purchase"})
PER_ITEM = frozenset(
    {"view_item", "select_item", "view_item_list", "add_to_cart", "remove_from_cart", "begin_checkout"}
    | {"add_to_wishlist"}
)
SCROLLED_PERCENT = 90.0  # GA4 reports one scroll a page, at 90%
# Events of one batch may share their timestamp and everything else.
BATCH_FIELDS = ("batch_event_index", "batch_page_id", "batch_ordering_id")
FIELDS_OF_PARAMS = {"page_location", "page_title", "page_referrer", "ga_session_id"}


class GoogleAnalytics4(Export):
    """Rows of the export: one event each, one record an item for e-commerce events."""

    name = "google_analytics_4"
    description = "the BigQuery event export of Google Analytics 4, as Parquet or JSON Lines"
    required = ("event_name", "event_timestamp", "event_params")

    def records(self, row: Mapping[str, Any]) -> list[Record]:
        """One record, or one an item."""
        name = parse_text(row.get("event_name"))
        if name is None:
            raise NoEventError("event_name", "is required")
        params = parameters(row.get("event_params"))
        event_type = TYPES.get(name, f"custom:{name}")
        base = _common(row, params) | {"event_type": event_type}
        batch = {field: row[field] for field in BATCH_FIELDS if row.get(field) is not None}
        sender = (row.get("event_timestamp"), row.get("user_pseudo_id"), row.get("user_id"))
        key = (name, *sender, params, *([batch] if batch else []))
        items = row.get("items")
        listed = [item for item in items if isinstance(item, Mapping)] if isinstance(items, list) else []
        if name in ORDERS:
            records = _order(base, name, {**params, **_amounts(row.get("ecommerce"))}, listed, key)
        elif name in PER_ITEM and listed:
            records = [_of_item(base, name, item, content_id(*key, index)) for index, item in enumerate(listed)]
        else:
            value = _value(name, params)
            records = [base | drop_nulls([("event_id", content_id(*key)), ("value", value)])]
        for record in records[1:]:  # an event was engaged once, however many items it has
            record["properties"].pop(ENGAGED_DELTA, None)
        return records


def parameters(params: Any) -> dict[str, Any]:
    """`event_params`, a list of key and typed value, as one object."""
    values = {}
    for entry in params if isinstance(params, list) else []:
        value = entry.get("value") if isinstance(entry, Mapping) else None
        if isinstance(value, Mapping):
            typed = [value.get(f"{kind}_value") for kind in ("string", "int", "float", "double")]
            values[str(entry.get("key"))] = next((candidate for candidate in typed if candidate is not None), None)
    return values


def _common(row: Mapping[str, Any], params: Mapping[str, Any]) -> Record:
    device, place = _object(row.get("device")), _object(row.get("geo"))
    traffic, web = _object(row.get("traffic_source")), _object(device.get("web_info"))
    rest = {key: value for key, value in params.items() if key not in FIELDS_OF_PARAMS and value is not None}
    facts = [
        ("utm_source", parse_text(traffic.get("source"))),
        ("utm_medium", parse_text(traffic.get("medium"))),
        ("utm_campaign", parse_text(traffic.get("name"))),
        ("country_name", parse_text(place.get("country"))),
        ("platform", parse_text(row.get("platform"))),
    ]
    engaged_ms = parse_number(params.get("engagement_time_msec"))
    if engaged_ms is not None:
        rest[ENGAGED_DELTA] = engaged_ms / 1_000
    session = params.get("ga_session_id")
    visitor = parse_text(row.get("user_pseudo_id"))
    pairs = [
        ("occurred_at", parse_instant(row.get("event_timestamp"), 1_000_000, "event_timestamp")),
        ("user_id", parse_text(row.get("user_id"))),
        ("anonymous_id", visitor),
        ("session_id", f"{visitor}-{session}" if session is not None else None),
        ("page_url", parse_text(params.get("page_location"))),
        ("page_title", parse_text(params.get("page_title"))),
        ("referrer", parse_text(params.get("page_referrer"))),
        ("device_type", parse_text(device.get("category"))),
        ("os", parse_text(device.get("operating_system"))),
        ("browser", parse_text(web.get("browser")) or parse_text(device.get("browser"))),
        ("language", parse_text(device.get("language"))),
        ("city", parse_text(place.get("city"))),
        ("country", parse_text(place.get("country"))),
        ("region", parse_text(place.get("region"))),
        ("properties", {**rest, **drop_nulls(facts)}),
    ]
    return drop_nulls(pairs)


def _of_item(base: Record, name: str, item: Mapping[str, Any], event_id: str) -> Record:
    facts = drop_nulls(
        [
            ("item_name", parse_text(item.get("item_name"))),
            ("item_category", parse_text(item.get("item_category"))),
        ]
    )
    more = drop_nulls([("item_id", parse_text(item.get("item_id")))])
    properties = {**base["properties"], **facts, **order_facts(item)}
    return base | more | {"event_id": event_id, "properties": properties}


def _amounts(ecommerce: Any) -> dict[str, Any]:
    """What the field `ecommerce` of the export says of an order, under the names of the event's parameters."""
    facts = _object(ecommerce)
    pairs = [("transaction_id", parse_text(facts.get("transaction_id")))]
    return drop_nulls([*pairs, ("purchase_revenue", facts.get("purchase_revenue") or facts.get("refund_value"))])


def _order(
    base: Record, name: str, order: Mapping[str, Any], items: Sequence[Mapping[str, Any]], key: Sequence[Any]
) -> list[Record]:
    """One record a line of an order, whose values sum to the order's."""
    records = []
    total = first_amount(order, ("value", "purchase_revenue"))
    for index, value in enumerate(purchase_values(order, items, total)):
        item = items[index] if items else {}
        record = _of_item(base, name, item, content_id(*key, *([index] if items else [])))
        record["properties"] |= order_facts(order, item)
        records.append(record | purchase_record(value, is_refund=name == "refund"))
    return records


def _value(name: str, params: Mapping[str, Any]) -> float | None:
    if name == "user_engagement":
        engaged = parse_number(params.get("engagement_time_msec"))
        return None if engaged is None else engaged / 1_000
    if name == "scroll":
        return parse_number(params.get("percent_scrolled")) or SCROLLED_PERCENT
    if name in ("video_progress", "video_complete"):
        return 100.0 if name == "video_complete" else parse_number(params.get("video_percent"))
    return None


def _object(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}

"""Mixpanel: the raw event export, JSON Lines of `{"event": …, "properties": {…}}`."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any

from ml.events.contract import EVENT_TYPES
from ml.events.normalization.event_names import DEAD_CLICK, RAGE_CLICK
from ml.events.normalization.orders import order_facts, purchase_record, purchase_values
from ml.events.normalization.times import parse_moment_of
from ml.sources.export import (
    Export,
    NoEventError,
    Record,
    content_id,
    drop_nulls,
    parse_number,
    parse_text,
)

TYPES: Mapping[str, str] = {
    "$mp_web_page_view": "page_view", "page_viewed": "page_view", "product_viewed": "page_view",
    "$mp_click": "click", "$mp_rage_click": RAGE_CLICK, "$mp_dead_click": DEAD_CLICK, "$mp_scroll": "scroll",
    "$mp_submit": "form_submit", "$mp_page_leave": "page_exit", "product_added": "add_to_cart",
    "product_removed": "remove_from_cart", "checkout_started": "checkout", "order_completed": "purchase",
    "purchase": "purchase", "sign_up": "signup", "signed_up": "signup", "search": "search",
    "$identify": "identify", "$experiment_started": "exposure",
}  # fmt: skip
LINES = ("products", "items", "$products")
FIELDS = frozenset(
    {"time", "distinct_id", "$insert_id", "$user_id", "$device_id", "$session_id", "$current_url", "$referrer"}
    | {"$os", "$browser", "$screen_width", "$screen_height", "$city", "mp_country_code", "item_id", "product_id"}
    | {"current_page_title", "$email", "$region", *LINES}
)


class Mixpanel(Export):
    """One event a line."""

    name = "mixpanel"
    description = "the raw event export of Mixpanel, as JSON Lines"
    required = ("event",)

    def records(self, row: Mapping[str, Any]) -> list[Record]:
        """One record a line; the project's time zone is taken as UTC, as newer projects export it."""
        name, properties = parse_text(row.get("event")), row.get("properties")
        if name is None:
            raise NoEventError("event", "is required")
        if not isinstance(properties, Mapping):
            raise NoEventError("properties", "is not an object")
        user, device = parse_text(properties.get("$user_id")), parse_text(properties.get("$device_id"))
        distinct = parse_text(properties.get("distinct_id"))
        if distinct and not user and not (device and distinct.removeprefix("$device:") == device):
            user, device = (user, distinct) if distinct.startswith("$device:") else (distinct, device)
        event_type = find_event_type(name)
        event_id = parse_text(properties.get("$insert_id")) or content_id(name, dict(properties))
        pairs = [
            ("event_id", event_id),
            ("event_type", event_type),
            ("occurred_at", _time(properties.get("time"))),
            ("user_id", user),
            ("anonymous_id", device.removeprefix("$device:") if device else None),
            ("session_id", parse_text(properties.get("$session_id"))),
            ("item_id", parse_text(properties.get("item_id")) or parse_text(properties.get("product_id"))),
            ("page_url", parse_text(properties.get("$current_url"))),
            ("page_title", parse_text(properties.get("current_page_title"))),
            ("referrer", parse_text(properties.get("$referrer"))),
            ("os", parse_text(properties.get("$os"))),
            ("browser", parse_text(properties.get("$browser"))),
            ("screen_width", _pixels(properties.get("$screen_width"))),
            ("screen_height", _pixels(properties.get("$screen_height"))),
            ("city", parse_text(properties.get("$city"))),
            ("country", parse_text(properties.get("mp_country_code"))),
            ("region", parse_text(properties.get("$region"))),
            ("experiment_id", parse_text(properties.get("Experiment name")) if event_type == "exposure" else None),
            ("variant", parse_text(properties.get("Variant name")) if event_type == "exposure" else None),
            ("value", _value(event_type, properties)),
            (
                "properties",
                {key: value for key, value in properties.items() if key not in FIELDS} | {"event": name},
            ),
        ]
        record = drop_nulls(pairs)
        return _purchases(record, properties) if event_type == "purchase" else [record]


def find_event_type(name: str) -> str:
    """The contract's type of a Mixpanel event name."""
    plain = "_".join(name.lower().split())
    if plain in TYPES or plain in EVENT_TYPES:
        return TYPES.get(plain, plain)
    kept = "".join(
        letter if letter.isascii() and (letter.isalnum() or letter in "_.-") else "_" for letter in plain
    )
    return f"custom:{kept.strip('_')[:64] or 'unnamed'}"


def _value(event_type: str, properties: Mapping[str, Any]) -> float | None:
    names = {
        "scroll": ("$scroll_percentage",),
        "page_exit": ("$duration_s",),
    }
    numbers = (parse_number(properties.get(name)) for name in names.get(event_type, ()))
    return next((value for value in numbers if value is not None), None)


def _time(value: Any) -> dt.datetime:
    try:
        return parse_moment_of(value)
    except ValueError:
        raise NoEventError("time", f"is {str(value)[:40]!r}, not a time") from None


def _purchases(record: Record, properties: Mapping[str, Any]) -> list[Record]:
    """One record a line of an order, whose values sum to the order's."""
    lists: list[list[Any]] = [properties[name] for name in LINES if isinstance(properties.get(name), list)]
    lines = [line for line in lists[0] if isinstance(line, Mapping)] if lists else []
    records = []
    for index, value in enumerate(purchase_values(properties, lines)):
        line = lines[index] if lines else {}
        item = [parse_text(line.get(name)) for name in ("item_id", "product_id", "sku", "id")]
        facts = {"properties": {**record["properties"], **line, **order_facts(properties, line)}}
        identity = {"event_id": f"{record['event_id']}-{index}"} if index else {}
        named = {"item_id": next(filter(None, item), None)} if lines else {}
        records.append(
            {**record, **drop_nulls(named.items()), **identity, **facts, **purchase_record(value, False)}
        )
    return records


def _pixels(value: Any) -> int | None:
    number = parse_number(value)
    return int(number) if number is not None and 0 <= number < 100_000 else None

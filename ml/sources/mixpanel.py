"""Mixpanel: the raw event export, JSON Lines of `{"event": …, "properties": {…}}`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ml.events.contract import EVENT_TYPES
from ml.sources.export import Export, NoEventError, Record, content_id, instant, number_of, some, text_of

TYPES: Mapping[str, str] = {
    "$mp_web_page_view": "page_view", "page_viewed": "page_view", "product_viewed": "page_view",
    "$mp_click": "click", "$mp_rage_click": "click", "$mp_dead_click": "click", "$mp_scroll": "scroll",
    "$mp_submit": "form_submit", "$mp_page_leave": "page_exit", "product_added": "add_to_cart",
    "product_removed": "remove_from_cart", "checkout_started": "checkout", "order_completed": "purchase",
    "purchase": "purchase", "sign_up": "signup", "signed_up": "signup", "search": "search",
    "$identify": "identify", "$experiment_started": "exposure",
}  # fmt: skip
FIELDS = frozenset(
    {"time", "distinct_id", "$insert_id", "$user_id", "$device_id", "$session_id", "$current_url", "$referrer"}
    | {"$os", "$browser", "$screen_width", "$screen_height", "$city", "mp_country_code", "item_id", "product_id"}
    | {"current_page_title", "$email"}
)


class Mixpanel(Export):
    """One event a line."""

    name = "mixpanel"
    description = "the raw event export of Mixpanel, as JSON Lines"
    required = ("event",)

    def records(self, row: Mapping[str, Any]) -> list[Record]:
        """One record a line; the project's time zone is taken as UTC, as newer projects export it."""
        name, properties = text_of(row.get("event")), row.get("properties")
        if name is None:
            raise NoEventError("event", "is required")
        if not isinstance(properties, Mapping):
            raise NoEventError("properties", "is no object")
        user, device = text_of(properties.get("$user_id")), text_of(properties.get("$device_id"))
        distinct = text_of(properties.get("distinct_id"))
        if distinct and not user and not (device and distinct.removeprefix("$device:") == device):
            user, device = (user, distinct) if distinct.startswith("$device:") else (distinct, device)
        country = text_of(properties.get("mp_country_code"))
        time = number_of(properties.get("time"))
        per_second = 1_000 if time is not None and abs(time) > 1e11 else 1
        event_type = type_of(name)
        pairs = [
            ("event_id", text_of(properties.get("$insert_id")) or content_id(name, dict(properties))),
            ("event_type", event_type),
            ("occurred_at", instant(properties.get("time"), per_second, "time")),
            ("user_id", user),
            ("anonymous_id", device.removeprefix("$device:") if device else None),
            ("session_id", text_of(properties.get("$session_id"))),
            ("item_id", text_of(properties.get("item_id")) or text_of(properties.get("product_id"))),
            ("page_url", text_of(properties.get("$current_url"))),
            ("page_title", text_of(properties.get("current_page_title"))),
            ("referrer", text_of(properties.get("$referrer"))),
            ("os", text_of(properties.get("$os"))),
            ("browser", text_of(properties.get("$browser"))),
            ("screen_width", _pixels(properties.get("$screen_width"))),
            ("screen_height", _pixels(properties.get("$screen_height"))),
            ("city", text_of(properties.get("$city"))),
            ("country", country.upper() if country and len(country) == 2 else None),
            ("experiment_id", text_of(properties.get("Experiment name")) if event_type == "exposure" else None),
            ("variant", text_of(properties.get("Variant name")) if event_type == "exposure" else None),
            ("value", _value(event_type, properties)),
            (
                "properties",
                {key: value for key, value in properties.items() if key not in FIELDS} | {"event": name},
            ),
        ]
        return [some(pairs)]


def type_of(name: str) -> str:
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
        "purchase": ("revenue", "amount", "price"),
        "scroll": ("$scroll_percentage",),
        "page_exit": ("$duration_s",),
    }
    found = (number_of(properties.get(name)) for name in names.get(event_type, ()))
    return next((value for value in found if value is not None), None)


def _pixels(value: Any) -> int | None:
    number = number_of(value)
    return int(number) if number is not None and 0 <= number < 100_000 else None

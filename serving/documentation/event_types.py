"""The event types with the unit of their value, in words and as examples."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ml.events.contract import EVENT_TYPES
from serving.collector.authority import SERVICE_TYPES

UNIT_NAMES: Mapping[str, str] = {
    "s": "seconds",
    "ms": "milliseconds",
    "%": "percent, 0 to 100",
    "px": "CSS pixels",
    "money": "amount in `currency`",
    "stars": "stars",
}


def event_type_table() -> str:
    """Return the event types that a site sends as a Markdown table."""
    lines = ["| `event_type` | `value` is in | meaning |", "|---|---|---|"]
    lines += [
        f"| `{name}` | {UNIT_NAMES[kind.unit] if kind.unit else 'not used'} | {kind.description} |"
        for name, kind in EVENT_TYPES.items()
        if name not in SERVICE_TYPES
    ]
    lines.append("| `custom:<name>` | what you like | Anything else that matters to the site. |")
    return "\n".join(lines)


def event_examples(person: Mapping[str, str], item: str) -> dict[str, dict[str, Any]]:
    """Return one body of `POST /v1/events` for each kind of event, by name.

    Args:
        person: The id of the person: `user_id` or `anonymous_id`.
        item: The id of an item.
    """
    consent = ["analytics", "personalization"]
    base = {**person, "consent": consent}
    bodies: dict[str, tuple[str, list[dict[str, Any]]]] = {
        "page_view": ("A page was opened", [{"event_type": "page_view", **base, "item_id": item}]),
        "page_ping": (
            "15 seconds of attention",
            [{"event_type": "page_ping", **base, "item_id": item, "value": 15}],
        ),
        "like": ("An item was liked", [{"event_type": "like", **base, "item_id": item}]),
        "rating": ("4 stars", [{"event_type": "rating", **base, "item_id": item, "value": 4}]),
        "purchase": (
            "A purchase of 19.90 euros",
            [
                {
                    "event_type": "purchase",
                    **base,
                    "item_id": item,
                    "value": 19.9,
                    "properties": {"currency": "EUR"},
                }
            ],
        ),
        "consent_granted": ("Consent is given", [{"event_type": "consent_granted", **base}]),
        "custom": (
            "An event of your own",
            [{"event_type": "custom:recipe_printed", **base, "item_id": item, "properties": {"copies": 2}}],
        ),
        "repeat_safe": (
            "With an id, so that sending it again counts once",
            [{"event_id": "order-1001", "event_type": "checkout", **base}],
        ),
    }
    return {name: {"summary": summary, "value": {"events": events}} for name, (summary, events) in bodies.items()}

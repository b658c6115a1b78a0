"""The page of the event contract, and its tables, from `ml.events.contract`."""

from __future__ import annotations

import pyarrow as pa
from markdown_tables import code, table

from ml.events.contract import CONTRACT_VERSION, EVENT_TYPES, FIELDS, TIMESTAMP
from serving.collector.authority import BROWSER_TYPES, SERVICE_TYPES

TYPE_NAMES = {TIMESTAMP: "timestamp", pa.list_(pa.string()): "list of strings", pa.float64(): "number"}
UNITS = {"s": "seconds", "ms": "milliseconds", "%": "percent", "px": "pixels", "money": "money, in `currency`"}


def events_page() -> str:
    """The whole page."""
    return "\n\n".join(
        [
            "# Event contract",
            f"This is version {CONTRACT_VERSION} of the contract. One event is one thing that happened. A field "
            "that the contract does not have is kept in `properties`, never dropped. "
            "[Events and trackers](../events.md) shows how a site sends events.",
            "## Fields",
            event_fields(),
            "## Types",
            event_types(),
            "A type of your own is written `custom:<name>`, such as `custom:gallery_zoom`.",
        ]
    )


def event_fields() -> str:
    """A table of the fields."""
    rows = (
        (
            code(field.name),
            TYPE_NAMES.get(field.type, "integer" if pa.types.is_integer(field.type) else "string"),
            f"**Required.** {field.description}" if field.required else field.description,
        )
        for field in FIELDS
    )
    return table(("Field", "Type", "Meaning"), rows)


def event_types() -> str:
    """A table of the types with the unit of `value` and the key that they need."""
    rows = (
        (code(kind.name), kind.description, UNITS.get(kind.unit, kind.unit) if kind.unit else "–", _key(kind.name))
        for kind in EVENT_TYPES.values()
    )
    return table(("`event_type`", "What happened", "Unit of `value`", "Key"), rows)


def _key(event_type: str) -> str:
    if event_type in SERVICE_TYPES:
        return "written by the service"
    return "browser or secret" if event_type in BROWSER_TYPES else "secret"

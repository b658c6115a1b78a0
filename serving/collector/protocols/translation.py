"""What every protocol translates to: records, or a reason why there is none."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ml.events.contract import CUSTOM_PREFIX, EVENT_TYPES
from ml.events.normalization.ids import is_placeholder, number_as_id

MAX_NAME_CHARS = 64


@dataclass(frozen=True)
class TranslationFailure:
    """Why a payload could not be translated: the field at fault, the reason, and the payload."""

    field: str
    reason: str
    payload: Any


def custom_event_type(name: str) -> str:
    """`custom:<name>` with what the contract allows in names; a type of the contract keeps its own name."""
    plain = to_snake_case(name)
    if plain in EVENT_TYPES:
        return plain
    return CUSTOM_PREFIX + (plain or "unnamed")


def to_snake_case(name: str) -> str:
    """`Order Completed` and `orderCompleted` → `order_completed`."""
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name.strip())
    return re.sub(r"[^A-Za-z0-9.]+", "_", spaced).strip("_").lower()[:MAX_NAME_CHARS]


def as_number(value: Any) -> float | None:
    """A finite number from a number or its text; None for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        parsed = float(value)
    except (ValueError, OverflowError):
        return None
    return parsed if abs(parsed) < float("inf") else None


def as_text(value: Any) -> str | None:
    """Text from text or a number; None where there is nothing in it."""
    if isinstance(value, bool) or value is None:
        return None
    if isinstance(value, int | float):
        return number_as_id(value) if math.isfinite(value) else None
    return value.strip() or None if isinstance(value, str) else None


def as_event_id(value: Any) -> str | None:
    """The id of a message; None for a word such as `undefined`, which many messages would share."""
    text = as_text(value)
    return None if text is None or is_placeholder("event_id", text) else text


def first_person_id(*values: Any) -> str | None:
    """The first id that names a person or a device, else the first that does not, for the intake to report."""
    ids = [text for text in map(as_text, values) if text is not None]
    return next((text for text in ids if not is_placeholder("anonymous_id", text)), ids[0] if ids else None)


def as_mapping(value: Any) -> Mapping[str, Any]:
    """A JSON object, or an empty one where there is none."""
    return value if isinstance(value, dict) else {}


def as_objects(value: Any) -> list[Mapping[str, Any]]:
    """The JSON objects of a list; empty where there is no list."""
    return [entry for entry in value if isinstance(entry, dict)] if isinstance(value, list) else []


def drop_empty(record: Mapping[str, Any]) -> dict[str, Any]:
    """The record without what is null, empty text or empty object; an empty list says something and stays."""
    return {name: value for name, value in record.items() if value not in (None, "", {})}

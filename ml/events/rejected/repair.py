"""Repairs rejected records by rules that a person states: rename a field, convert its value, set it."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

from ml.errors import InvalidInputError, TesseraError
from ml.events.contract import EVENT_SCHEMA, FIELD_NAMES
from ml.events.normalization.times import parse_moment_of

FIXED_FIELDS = ("authority", "consent", "received_at", "source")
"""Who vouches for an event, what the person agreed to, and how the event arrived: no rule writes these."""
REPAIRABLE_FIELDS = tuple(name for name in FIELD_NAMES if name not in FIXED_FIELDS)
TIME_FORMAT = "time:"


class UnrepairedError(TesseraError, ValueError):
    """The rules do not fit this record. The text says why."""


@dataclass(frozen=True)
class RepairRules:
    """What is changed in each record: first the names, then the values, then what is set.

    Attributes:
        renames: Present name of a field → its name in the event contract.
        conversions: Field of the contract → `number`, `decimal-comma`, `text`, `time`, or `time:` and a format of
            `strptime`, in which a time without a zone is in UTC.
        values: Field of the contract → value, written as JSON where the field is not text.

    Raises:
        InvalidInputError: A rule names a field that it may not write, an unknown kind, or a value of another type.
    """

    renames: Mapping[str, str] = field(default_factory=dict)
    conversions: Mapping[str, str] = field(default_factory=dict)
    values: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in (*self.renames.values(), *self.conversions, *self.values):
            if name not in REPAIRABLE_FIELDS:
                raise InvalidInputError(
                    f"{name!r} is not a field that a repair may write. Legal: {', '.join(REPAIRABLE_FIELDS)}"
                )
        for name, kind in self.conversions.items():
            if kind not in CONVERSIONS and not kind.startswith(TIME_FORMAT):
                legal = ", ".join([*CONVERSIONS, f"{TIME_FORMAT}FORMAT"])
                raise InvalidInputError(f"{name} cannot be converted to {kind!r}. Legal: {legal}")
        for name, text in self.values.items():
            _parse_value(name, text)

    def __bool__(self) -> bool:
        return bool(self.renames or self.conversions or self.values)

    def apply(self, record: Mapping[str, Any]) -> dict[str, Any]:
        """Return the repaired record.

        Raises:
            UnrepairedError: Nothing changes, a value cannot be converted, or a renamed field is there already.
        """
        repaired = dict(record)
        for old, new in self.renames.items():
            if repaired.get(old) is None:
                continue
            if repaired.get(new) is not None:
                raise UnrepairedError(f"{old} cannot be renamed, because {new} is there too")
            repaired[new] = repaired.pop(old)
        for name, kind in self.conversions.items():
            if repaired.get(name) is not None:
                repaired[name] = _convert(name, kind, repaired[name])
        repaired |= {name: _parse_value(name, text) for name, text in self.values.items()}
        if repaired == record:
            raise UnrepairedError("the rules change nothing")
        return repaired


def _convert(name: str, kind: str, value: Any) -> Any:
    try:
        if kind.startswith(TIME_FORMAT):
            moment = dt.datetime.strptime(str(value).strip(), kind.removeprefix(TIME_FORMAT))
            return parse_moment_of(moment).isoformat()
        return CONVERSIONS[kind](value)
    except (ValueError, OverflowError):
        raise UnrepairedError(f"{name} {str(value)[:60]!r} cannot be converted to {kind}") from None


def _number(value: Any) -> float:
    return float(value if isinstance(value, int | float) else str(value).strip())


def _decimal_comma(value: Any) -> float:
    if isinstance(value, int | float):
        return float(value)
    return float(str(value).strip().replace(".", "").replace(",", "."))


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _time(value: Any) -> str:
    return parse_moment_of(value).isoformat()


CONVERSIONS: Mapping[str, Callable[[Any], Any]] = {
    "number": _number,
    "decimal-comma": _decimal_comma,
    "text": _text,
    "time": _time,
}


def _parse_value(name: str, text: str) -> Any:
    """Return the value of a field from its text on the command line.

    Raises:
        InvalidInputError: The field holds no text, and this is no JSON.
    """
    kind = EVENT_SCHEMA.field(name).type
    if pa.types.is_string(kind) or pa.types.is_timestamp(kind):
        return text
    try:
        return json.loads(text)
    except ValueError:
        raise InvalidInputError(f"{name} cannot be set to {text!r}: write a {kind} as JSON") from None

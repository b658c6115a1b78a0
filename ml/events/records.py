"""Converts JSON-like records to the columns of the event contract, and reports each fault with its field."""

from __future__ import annotations

import datetime as dt
import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

import orjson
import pyarrow as pa

from ml.errors import TesseraError
from ml.events.contract import EVENT_SCHEMA, FIELD_NAMES
from ml.events.normalization.ids import ID_FIELDS, number_as_id
from ml.events.normalization.times import parse_moment_of

MAX_PAYLOAD_CHARS = 10_000_000  # more than any request to the collector holds
REJECTED_SCHEMA = pa.schema(
    [("row", pa.int64()), ("field", pa.string()), ("reason", pa.string()), ("payload", pa.string())]
)


def events_from_records(
    records: Sequence[Any], defaults: Mapping[str, Any] | None = None
) -> tuple[pa.Table, pa.Table]:
    """Convert JSON-like dicts to a table of events.

    Fields outside the contract are kept in `properties`. Timestamps are what
    `parse_moment_of` reads.

    Args:
        records: One dict for each event.
        defaults: Values of contract fields that a record leaves out.

    Returns:
        A table with the types of EVENT_SCHEMA and an additional column `row`, the index of the record; and a table
        with REJECTED_SCHEMA of the records that are no object or have a field of a wrong type.
    """
    rows: list[dict[str, Any]] = []
    places: list[int] = []
    rejected: list[dict[str, Any]] = []
    for place, record in enumerate(records):
        try:
            row = _row(record, defaults or {})
        except _FieldError as error:
            rejected.append(
                {"row": place, "field": error.field, "reason": error.reason, "payload": payload_text(record)}
            )
            continue
        rows.append(row)
        places.append(place)
    given = set().union(*rows)
    arrays = [
        pa.array([row.get(field.name) for row in rows], field.type)
        if field.name in given
        else pa.nulls(len(rows), field.type)
        for field in EVENT_SCHEMA
    ]
    table = pa.table([*arrays, pa.array(places, pa.int64())], names=[*FIELD_NAMES, "row"])
    return table, pa.Table.from_pylist(rejected, schema=REJECTED_SCHEMA)


class _FieldError(TesseraError, ValueError):
    def __init__(self, field: str, reason: str) -> None:
        super().__init__(f"{field} {reason}")
        self.field = field
        self.reason = reason


def _row(record: Any, defaults: Mapping[str, Any]) -> dict[str, Any]:
    if not isinstance(record, dict):
        raise _FieldError("event", f"is a {type(record).__name__}, not an object")
    row: dict[str, Any] = dict(defaults)
    unknown: dict[str, Any] = {}
    for name, value in record.items():
        convert = _CONVERTERS.get(name)
        if convert is None:
            unknown[str(name)] = value
        elif value is not None:
            row[name] = convert(name, value)
    if unknown:
        properties = json.loads(row["properties"]) if row.get("properties") else {}
        row["properties"] = _as_text("properties", _json({**unknown, **properties}))
    return row


def _as_text(name: str, value: Any) -> str:
    if isinstance(value, str):
        text = value
    elif isinstance(value, int) and not isinstance(value, bool):
        text = str(value)
    elif isinstance(value, float) and name in ID_FIELDS:
        text = number_as_id(value) if math.isfinite(value) else "NaN"
    else:
        raise _FieldError(name, f"is a {type(value).__name__}, not a string")
    if not text.isascii():
        try:
            text.encode("utf-8")
        except UnicodeEncodeError:
            raise _FieldError(name, "is not valid Unicode text") from None
    if "\x00" in text:
        raise _FieldError(name, "holds a NUL character")
    return text


def _as_number(name: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise _FieldError(name, f"is a {type(value).__name__}, not a number")
    try:
        return float(value)
    except OverflowError:
        raise _FieldError(name, "is too large a number") from None


def _as_pixels(name: str, value: Any) -> int:
    number = _as_number(name, value)
    if not number.is_integer() or not 0 <= number < 2**31:
        raise _FieldError(name, f"is {value!r}, not a whole number of CSS px")
    return int(number)


def _as_timestamp(name: str, value: Any) -> dt.datetime:
    try:
        return parse_moment_of(value)
    except ValueError:
        raise _FieldError(name, f"is {str(value)[:40]!r}, not an ISO 8601 time") from None


def _as_json_object(name: str, value: Any) -> str:
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            raise _FieldError(name, "is not a JSON object") from None
    if not isinstance(value, dict):
        raise _FieldError(name, f"is a {type(value).__name__}, not an object")
    return _as_text(name, _json(value))


def _json(value: Any) -> str:
    """JSON text. Numbers beyond 64 bits and lone surrogates, which orjson refuses, take the slower way."""
    try:
        return orjson.dumps(value, option=orjson.OPT_NON_STR_KEYS).decode()
    except TypeError:
        return json.dumps(value, ensure_ascii=False, default=str)


def _as_purposes(name: str, value: Any) -> list[str]:
    if not isinstance(value, list) or not all(isinstance(purpose, str) for purpose in value):
        raise _FieldError(name, "is not a list of strings")
    return value


def _choose_converter(field: pa.Field) -> Any:
    if field.name == "properties":
        return _as_json_object
    if pa.types.is_timestamp(field.type):
        return _as_timestamp
    if pa.types.is_floating(field.type):
        return _as_number
    if pa.types.is_integer(field.type):
        return _as_pixels
    if pa.types.is_list(field.type):
        return _as_purposes
    return _as_text


_CONVERTERS = {field.name: _choose_converter(field) for field in EVENT_SCHEMA}


def payload_text(record: Any) -> str:
    """Return a rejected record as JSON text. It is whole, so that it can be replayed."""
    text = json.dumps(record, ensure_ascii=True, default=str)
    return text[:MAX_PAYLOAD_CHARS]

"""Splits events into those that keep the event contract and those that break it. Vectorised over Arrow columns."""

from __future__ import annotations

import datetime as dt
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ml.arrays import I64
from ml.errors import InvalidInputError
from ml.events.contract import (
    AUTHORITIES,
    CONSENT_PURPOSES,
    CUSTOM_PREFIX,
    DEVICE_TYPES,
    EVENT_SCHEMA,
    EVENT_TYPES,
    FIELD_NAMES,
    NETWORK_TYPES,
    TIMESTAMP,
)
from ml.events.control_events import CONTROL_PROPERTIES, find_control_fault
from ml.events.normalization.fields import ESSENTIAL_FIELDS, normalize_words, restore_ids
from ml.events.normalization.ids import NOBODY
from ml.events.records import REJECTED_SCHEMA, events_from_records, payload_text
from ml.privacy.id_matcher import MAX_ID_CHARS

EARLIEST = dt.datetime(2000, 1, 1, tzinfo=dt.UTC)
EARLIEST_OF_FILES = dt.datetime(
    1990, 1, 1, tzinfo=dt.UTC
)  # of archives; no clock that was never set shows such a year
MAX_FUTURE = dt.timedelta(hours=1)
KNOWN_TYPES, CONTROL_TYPES = pa.array(list(EVENT_TYPES)), pa.array(list(CONTROL_PROPERTIES))
NULLABLE_SCHEMA = pa.schema([field.with_nullable(True) for field in EVENT_SCHEMA])
FIELD_TYPES = dict(zip(EVENT_SCHEMA.names, EVENT_SCHEMA.types, strict=True))
LEGAL_WORDS = {"device_type": DEVICE_TYPES, "network_type": NETWORK_TYPES, "authority": AUTHORITIES}

Finding = tuple[str, pa.ChunkedArray, str]
"""A field, the mask of the rows where it is at fault, and the reason."""


@dataclass(frozen=True)
class ValidatedEvents:
    """Events after their validation.

    Attributes:
        accepted: The events that keep the contract, in EVENT_SCHEMA.
        rejected: The others, in REJECTED_SCHEMA; `row` counts from 0 in the input.
        placeholders: Ids that name nobody and were removed, such as `user_id 'null'`, with their numbers.
    """

    accepted: pa.Table
    rejected: pa.Table
    placeholders: Counter[str]


def validate_records(
    records: Sequence[Any], now: dt.datetime, max_future: dt.timedelta = MAX_FUTURE, check_ids: bool = True
) -> tuple[ValidatedEvents, I64]:
    """Convert JSON-like dicts to events and validate them.

    Args:
        records: One dict for each event.
        now: The present time, which is the `received_at` of events without one.
        max_future: How far `occurred_at` may lie in the future.
        check_ids: As in `validate_events`.

    Returns:
        The validated events, whose `row` counts the records; and the index of the record of each accepted event,
        int64 (n,).
    """
    table, malformed = events_from_records(records)
    places = np.asarray(table["row"], dtype=np.int64)
    valid = validate_events(table.drop_columns(["row"]), now, max_future, check_json=False, check_ids=check_ids)
    broken_rows = np.asarray(valid.rejected["row"])
    broken = valid.rejected.set_column(0, "row", pa.array(places[broken_rows], pa.int64()))
    rejected = pa.concat_tables([malformed, broken.cast(REJECTED_SCHEMA)])
    return ValidatedEvents(valid.accepted, rejected, valid.placeholders), np.delete(places, broken_rows)


def validate_events(
    table: pa.Table,
    now: dt.datetime,
    max_future: dt.timedelta = MAX_FUTURE,
    check_json: bool = True,
    earliest: dt.datetime = EARLIEST,
    check_ids: bool = True,
) -> ValidatedEvents:
    """Split a table of events into rows that keep the contract and rows that break it.

    A time zone or language that is none becomes null and is kept in `properties`. An id that names nobody, such as
    `null` or `undefined`, becomes null; an `identify` whose user it is breaks the contract.

    Args:
        table: The events; columns that it lacks are null.
        now: The present time, which is the `received_at` of events without one.
        max_future: How far `occurred_at` may lie in the future.
        earliest: The first moment at which `occurred_at` may lie, the beginning of a year.
        check_json: Whether to parse `properties`. Sources that wrote the JSON themselves can do without.
        check_ids: Whether to look for ids that name nobody. Callers that passed each record through
            `restore_ids_of` can do without.

    Raises:
        InvalidInputError: The table has a column outside the contract, or one whose type cannot be cast.
    """
    table = normalize_words(_conform(table), ESSENTIAL_FIELDS)
    table, empty_ids, placeholders = restore_ids(table) if check_ids else (table, {}, Counter())
    findings: list[Finding] = []
    if "user_id" in empty_ids:
        is_identify = pc.fill_null(pc.equal(table["event_type"], "identify"), False)
        findings.append(("user_id", pc.and_(is_identify, empty_ids["user_id"]), NOBODY))
    for name in ("event_id", "event_type"):
        findings.append((name, _blank(table[name]), "is required"))
    findings.append(("occurred_at", pc.is_null(table["occurred_at"]), "is required"))
    findings.append(("event_type", _unknown_type(table["event_type"]), "is not a type of the contract"))
    nobody = pc.and_(_blank(table["user_id"]), _blank(table["anonymous_id"]))
    findings.append(("user_id", nobody, "user_id or anonymous_id is required"))
    findings += _find_illegal_values(table, now + max_future, earliest)
    if check_json:
        findings.append(("properties", _no_json_object(table["properties"]), "is not a JSON object"))
    accepted, rejected = _split(table, findings + _control_findings(table), now)
    return ValidatedEvents(accepted, rejected, placeholders)


def _find_illegal_values(table: pa.Table, latest: dt.datetime, earliest: dt.datetime) -> Iterator[Finding]:
    """Look at the values of the columns that hold any: most events leave most columns empty."""
    has_values = {name for name in table.column_names if table[name].null_count < len(table)}
    for name in ("user_id", "anonymous_id"):
        if name in has_values:
            is_long = pc.greater(pc.utf8_length(table[name]), MAX_ID_CHARS)
            yield name, is_long, f"has more than {MAX_ID_CHARS:,} characters"
    is_late = pc.greater(table["occurred_at"], pa.scalar(latest, TIMESTAMP))
    yield "occurred_at", is_late, "lies in the future"
    is_early = pc.less(table["occurred_at"], pa.scalar(earliest, TIMESTAMP))
    yield "occurred_at", is_early, f"lies before the year {earliest.year}"
    if "value" in has_values:
        yield "value", pc.invert(pc.is_finite(table["value"])), "is not a finite number"
    for name, legal in LEGAL_WORDS.items():
        if name in has_values:
            yield name, _outside(table[name], legal), f"is not one of {', '.join(legal)}"
    if "country" in has_values:
        not_country = pc.invert(pc.match_substring_regex(table["country"], "^[A-Z]{2}$"))
        yield "country", not_country, "is not an ISO 3166-1 alpha-2 code"
    for name in ("screen_width", "screen_height"):
        if name in has_values:
            yield name, pc.less(table[name], 0), "is negative"
    if "consent" in has_values:
        yield "consent", _unknown_consent(table["consent"]), f"may only hold {', '.join(CONSENT_PURPOSES)}"


def _control_findings(table: pa.Table) -> list[Finding]:
    """Find the control events whose properties have another shape than their readers rely on."""
    rows = np.flatnonzero(pc.is_in(table["event_type"], CONTROL_TYPES))
    if not len(rows):
        return []
    events = table.select(["event_type", "properties"]).take(pa.array(rows)).to_pylist()
    rows_of_fault: dict[tuple[str, str], list[int]] = {}
    for row, event in zip(rows.tolist(), events, strict=True):
        fault = find_control_fault(event["event_type"], event["properties"])
        if fault is not None:
            rows_of_fault.setdefault(fault, []).append(row)
    findings = []
    for (field, reason), faulty in rows_of_fault.items():
        mask = np.zeros(len(table), dtype=bool)
        mask[faulty] = True
        findings.append((field, pa.chunked_array([pa.array(mask)]), reason))
    return findings


def _conform(table: pa.Table) -> pa.Table:
    columns = dict(zip(table.column_names, table.columns, strict=True))
    unknown = [name for name in columns if name not in FIELD_TYPES]
    if unknown:
        raise InvalidInputError(
            f"columns outside the event contract: {', '.join(unknown)}; put them into `properties`. "
            f"Legal: {', '.join(FIELD_NAMES)}"
        )
    for name, expected in FIELD_TYPES.items():
        column = columns.get(name)
        if column is None:
            columns[name] = pa.chunked_array([pa.nulls(len(table), expected)])
        elif column.type != expected:
            try:
                columns[name] = pc.cast(column, expected)
            except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
                raise InvalidInputError(f"column {name} cannot be read as {expected}: {error}") from error
    return pa.Table.from_arrays([columns[name] for name in FIELD_TYPES], schema=NULLABLE_SCHEMA)


def _split(table: pa.Table, findings: Iterable[Finding], now: dt.datetime) -> tuple[pa.Table, pa.Table]:
    """Split by what was found first in each row."""
    first = np.full(len(table), -1, dtype=np.int16)
    labels: list[tuple[str, str]] = []
    for name, mask, reason in findings:
        bad = np.asarray(pc.fill_null(mask, False) if mask.null_count else mask)
        if bad.any():
            first[(first < 0) & bad] = len(labels)
        labels.append((name, reason))
    bad_rows = np.flatnonzero(first >= 0)
    received = pc.fill_null(table["received_at"], pa.scalar(now, TIMESTAMP))
    place = table.schema.get_field_index("received_at")
    accepted = table.set_column(place, "received_at", received)
    if len(bad_rows):
        accepted = accepted.filter(pa.array(first < 0))
    rejects = table.take(pa.array(bad_rows)).to_pylist() if len(bad_rows) else []
    rejected = pa.table(
        [
            pa.array(bad_rows, pa.int64()),
            pa.array([labels[first[row]][0] for row in bad_rows], pa.string()),
            pa.array([_reason(labels[first[row]], event) for row, event in zip(bad_rows, rejects, strict=True)]),
            pa.array(
                [payload_text({k: v for k, v in event.items() if v is not None}) for event in rejects],
                pa.string(),
            ),
        ],
        schema=REJECTED_SCHEMA,
    )
    return pa.Table.from_arrays(accepted.columns, schema=EVENT_SCHEMA), rejected


def _reason(label: tuple[str, str], event: Mapping[str, Any]) -> str:
    name, reason = label
    value = event.get(name)
    return reason if value is None else f"{str(value)[:60]!r} {reason}"


def _blank(column: pa.ChunkedArray) -> pa.ChunkedArray:
    return pc.equal(pc.fill_null(column, ""), "")


def _unknown_type(column: pa.ChunkedArray) -> pa.ChunkedArray:
    in_contract = pc.is_in(column, KNOWN_TYPES)
    custom = pc.match_substring_regex(column, f"^{CUSTOM_PREFIX}[A-Za-z0-9_.-]{{1,64}}$")
    return pc.invert(pc.or_(in_contract, pc.fill_null(custom, True)))


def _outside(column: pa.ChunkedArray, legal: Sequence[str]) -> pa.ChunkedArray:
    return pc.and_(pc.is_valid(column), pc.invert(pc.is_in(column, pa.array(legal))))


def _unknown_consent(column: pa.ChunkedArray) -> pa.ChunkedArray:
    bad = np.zeros(len(column), dtype=bool)
    start = 0
    for chunk in column.chunks:
        parents = pc.list_parent_indices(chunk)
        unknown = pc.invert(pc.is_in(pc.list_flatten(chunk), pa.array(CONSENT_PURPOSES)))
        bad[start + np.asarray(parents)[np.asarray(unknown)]] = True
        start += len(chunk)
    return pa.chunked_array([pa.array(bad)])


def _no_json_object(column: pa.ChunkedArray) -> pa.ChunkedArray:
    encoded = column.combine_chunks().dictionary_encode() if len(column) else None
    if encoded is None:
        return pa.chunked_array([pa.array([], pa.bool_())])
    if isinstance(encoded, pa.ChunkedArray):
        encoded = encoded.combine_chunks()
    bad = np.array([not _is_json_object(text) for text in encoded.dictionary.to_pylist()], dtype=bool)
    return pa.chunked_array([pc.take(pa.array(bad, pa.bool_()), encoded.indices)])


def _is_json_object(text: str) -> bool:
    try:
        return isinstance(json.loads(text), dict)
    except (ValueError, RecursionError):
        return False

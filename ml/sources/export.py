"""What the exports of other analytics products share: a row is translated to records, and records to events."""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pyarrow as pa

from ml.errors import TesseraError
from ml.events.normalization.ids import number_as_id
from ml.events.records import REJECTED_SCHEMA, events_from_records
from ml.sources.input_files import list_input_files
from ml.sources.source import ROW_NUMBER, SourceBatch
from ml.tables.readers import count_rows, read_records

Record = dict[str, Any]


class NoEventError(TesseraError, ValueError):
    """A row of an export that is no event, with the field at fault."""

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(f"{field} {reason}")
        self.field = field
        self.reason = reason


class Export:
    """A source whose files are rows of another product. Subclasses say how a row becomes records."""

    name: str
    description: str
    required: tuple[str, ...] = ()

    def files(self, path: Path) -> Sequence[Path]:
        """The file, or every file of the folder."""
        return list_input_files(path)

    def count(self, path: Path) -> int | None:
        """Rows, where every file says how many it has."""
        counts = [count_rows(file) for file in self.files(path)]
        known_counts = [count for count in counts if count is not None]
        return sum(known_counts) if len(known_counts) == len(counts) else None

    def batches(self, path: Path) -> Iterator[SourceBatch]:
        """Records of all rows as events; rows that are none are rejected."""
        start = 0
        for file in self.files(path):
            end = start
            for objects in read_records(file, self.required):
                numbers = objects.numbers + start
                rejected = objects.rejected.set_column(
                    0, "row", pa.array(np.asarray(objects.rejected["row"]) + start)
                )
                end = max([end, *(numbers + 1), *(np.asarray(rejected["row"]) + 1)])
                yield self._batch(objects.records, numbers.tolist(), rejected)
            start = int(end)

    def items(self, path: Path) -> Iterator[pa.Table]:
        """Exports describe events, not items."""
        return iter(())

    def records(self, row: Mapping[str, Any]) -> list[Record]:
        """Records of a row, in the contract's fields.

        Raises:
            NoEventError: the row is no event.
        """
        raise NotImplementedError

    def _batch(self, rows: Sequence[Mapping[str, Any]], numbers: Sequence[int], rejected: pa.Table) -> SourceBatch:
        records: list[Record] = []
        owners: list[int] = []
        failures: list[dict[str, Any]] = []
        for number, row in zip(numbers, rows, strict=True):
            try:
                translated = self.records(row)
            except NoEventError as error:
                failures.append(
                    {"row": number, "field": error.field, "reason": error.reason, "payload": to_json(row)}
                )
                continue
            records += translated
            owners += [number] * len(translated)
        events, broken = events_from_records(records)
        places = np.array(owners, dtype=np.int64)
        events = events.set_column(
            events.schema.get_field_index(ROW_NUMBER), ROW_NUMBER, pa.array(places[np.asarray(events[ROW_NUMBER])])
        )
        broken = broken.set_column(0, "row", pa.array(places[np.asarray(broken["row"])], pa.int64()))
        untranslated = pa.Table.from_pylist(failures, schema=REJECTED_SCHEMA)
        everything = pa.concat_tables([rejected.cast(REJECTED_SCHEMA), broken.cast(REJECTED_SCHEMA), untranslated])
        return SourceBatch(_without_empty(events), everything, len(rows) + len(rejected))


def content_id(*parts: Any) -> str:
    """An id made of what identifies an event where the export gives none."""
    return hashlib.blake2b(orjson.dumps(parts, default=str), digest_size=16).hexdigest()


def to_json(row: Mapping[str, Any]) -> str:
    """A row as JSON text, for the dead letters."""
    return orjson.dumps(row, default=str, option=orjson.OPT_NON_STR_KEYS).decode()


def parse_text(value: Any) -> str | None:
    """Text from text or a number; null for nothing and for the products' words for it."""
    if value is None or isinstance(value, bool):
        return None
    if isinstance(value, float):
        return number_as_id(value) if np.isfinite(value) else None
    text = str(value).strip()
    return None if text in ("", "(not set)", "not available in demo dataset", "(none)") else text


def parse_number(value: Any) -> float | None:
    """A finite number from a number or its text."""
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return number if np.isfinite(number) else None


def parse_instant(value: Any, per_second: int, field: str) -> dt.datetime:
    """A time in UTC from a count of parts of a second since 1970.

    Raises:
        NoEventError: it is none.
    """
    number = parse_number(value)
    if number is None:
        raise NoEventError(field, f"is {str(value)[:40]!r}, not a time")
    try:
        return dt.datetime.fromtimestamp(number / per_second, dt.UTC)
    except (OverflowError, ValueError, OSError):
        raise NoEventError(field, f"is {str(value)[:40]!r}, not a time") from None


def drop_nulls(pairs: Iterable[tuple[str, Any]]) -> Record:
    """The pairs whose value is not null."""
    return {name: value for name, value in pairs if value is not None}


def _without_empty(events: pa.Table) -> pa.Table:
    """Columns that the export says nothing about are left to the defaults of ingestion."""
    empty = [
        name
        for name in ("consent", "received_at", "source", "authority")
        if events[name].null_count == len(events)
    ]
    return events.drop_columns(empty)

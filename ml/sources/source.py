"""What a source is: something that turns files of others into canonical events, batch by batch."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import orjson
import pyarrow as pa

from ml.arrays import Bools
from ml.errors import TesseraError
from ml.events.records import REJECTED_SCHEMA
from ml.tables.chunks import Chunk, empty_rejects

ROW_NUMBER = "row"


class SourceError(TesseraError, ValueError):
    """The input cannot be read as a whole; the message says what is wrong and what to do about it."""


@dataclass(frozen=True)
class SourceBatch:
    """Some rows of the input as events.

    `events` has columns of EVENT_SCHEMA (those it lacks are null) and `row`, the row of the input that an event
    came from. `rejected` (REJECTED_SCHEMA) are rows that cannot be an event. `rows` is how many rows were read.
    """

    events: pa.Table
    rejected: pa.Table
    rows: int


class Source(Protocol):
    """One kind of input. Reading is repeatable: the same files give the same events with the same ids."""

    name: str
    description: str

    def files(self, path: Path) -> Sequence[Path]:
        """Files that make up the input below `path`; their content identifies it.

        Raises:
            SourceError: something that the source needs is not there.
        """
        ...

    def count(self, path: Path) -> int | None:
        """Rows of the input, where that is known without reading it."""
        ...

    def batches(self, path: Path) -> Iterator[SourceBatch]:
        """The input as events, in bounded memory.

        Raises:
            SourceError: the input is empty, cut short, or lacks a column.
        """
        ...

    def items(self, path: Path) -> Iterator[pa.Table]:
        """Items that the input describes: columns of `ml.sources.catalogue.ITEM_SCHEMA` but for `updated_at`."""
        ...


def reject(chunk: Chunk, bad: Bools, field: str, reason: str) -> pa.Table:
    """Rejected rows (REJECTED_SCHEMA) for the rows of `chunk` where `bad` (bool, one a row) is true.

    The payload is the row as it stands in the input; the reason is preceded by the value of `field`.
    """
    if not bad.any():
        return empty_rejects()
    rows = chunk.table.filter(pa.array(bad)).to_pylist()
    payloads = [orjson.dumps(row, default=str, option=orjson.OPT_NON_STR_KEYS).decode() for row in rows]
    reasons = [reason if row.get(field) is None else f"{str(row[field])[:60]!r} {reason}" for row in rows]
    return pa.table(
        [
            pa.array(chunk.numbers[bad]),
            pa.array([field] * len(rows), pa.string()),
            pa.array(reasons, pa.string()),
            pa.array(payloads, pa.string()),
        ],
        schema=REJECTED_SCHEMA,
    )

"""What readers of files give: chunks of rows, and the error of a file that cannot be read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from ml.arrays import I64
from ml.errors import TesseraError
from ml.events.records import REJECTED_SCHEMA

BATCH_ROWS = 131_072


class TableError(TesseraError, ValueError):
    """A file cannot be used as the table that it should be; the message names file, column and what is there."""


class MissingColumnError(TableError):
    """A file lacks columns that it must have.

    Attributes:
        missing: Names of the columns that it lacks.
        columns: Names of the columns that it has.
    """

    def __init__(self, path: Path, missing: Sequence[str], columns: Sequence[str]) -> None:
        super().__init__(
            f"{path}: has no column {', '.join(map(repr, missing))}. Columns of the file: {', '.join(columns)}"
        )
        self.missing, self.columns = tuple(missing), tuple(columns)


@dataclass(frozen=True)
class Chunk:
    """Some rows of the input, as they stand there.

    `numbers` (int64, one a row of `table`) counts from 0 over the whole input. `rejected` (REJECTED_SCHEMA) are
    rows that could not even be read.
    """

    table: pa.Table
    numbers: I64
    rejected: pa.Table


def empty_rejects() -> pa.Table:
    """An empty table of rejected rows."""
    return REJECTED_SCHEMA.empty_table()

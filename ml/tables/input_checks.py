"""What readers of files check, and the errors that say what to do."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa

from ml.events.records import REJECTED_SCHEMA
from ml.tables.chunks import TableError


def check_input_file(path: Path) -> Path:
    """The path itself, if it is a readable file with something in it.

    Raises:
        TableError: it is not.
    """
    if not path.exists():
        raise TableError(f"{path}: there is no such file")
    if not path.is_file():
        raise TableError(f"{path}: is a folder, not a file")
    if path.stat().st_size == 0:
        raise TableError(f"{path}: the file is empty")
    return path


def check_columns(path: Path, columns: Sequence[str], required: Sequence[str]) -> None:
    """Check the names of a file's columns.

    Raises:
        TableError: Two columns have one name, or a required one is missing.
    """
    doubled = [name for name, count in Counter(columns).items() if count > 1]
    if doubled:
        raise TableError(
            f"{path}: has more than one column {', '.join(map(repr, doubled))}. Give each column a name of its own"
        )
    missing = [name for name in required if name not in columns]
    if missing:
        raise TableError(
            f"{path}: has no column {', '.join(map(repr, missing))}. Columns of the file: {', '.join(columns)}"
        )


def cut_message(path: Path, row: int) -> str:
    """Say that a file ends inside a row."""
    return (
        f"{path}: the file ends inside row {row}: it is cut short. Fetch the file again, or delete its last "
        "line if that is all it lacks"
    )


def damage_message(path: Path, error: Exception) -> str:
    """Say that a file cannot be read to its end."""
    return f"{path}: cut short or damaged ({error}). Fetch the file again"


def rejected_rows(rows: Sequence[tuple[int, str, str]]) -> pa.Table:
    """Return rejects (REJECTED_SCHEMA) from row number, reason and text of each row that could not be read."""
    records = [{"row": number, "field": "row", "reason": why, "payload": text} for number, why, text in rows]
    return pa.Table.from_pylist(records, schema=REJECTED_SCHEMA)


def empty_table(names: Sequence[str]) -> pa.Table:
    """Return a table of text without rows."""
    return pa.table([pa.array([], pa.string()) for _ in names], names=list(names))

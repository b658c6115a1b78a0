"""What readers of files check, and the errors that say what to do."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa

from ml.events.records import REJECTED_SCHEMA
from ml.sources.source import SourceError


def check_input_file(path: Path) -> Path:
    """The path itself, if it is a readable file with something in it.

    Raises:
        SourceError: it is not.
    """
    if not path.exists():
        raise SourceError(f"{path}: there is no such file. Check --path")
    if not path.is_file():
        raise SourceError(f"{path}: is a folder, not a file")
    if path.stat().st_size == 0:
        raise SourceError(f"{path}: the file is empty. Nothing was ingested; fetch the file again")
    return path


def check_columns(path: Path, columns: Sequence[str], required: Sequence[str]) -> None:
    """Check the names of a file's columns.

    Raises:
        SourceError: Two columns have one name, or a required one is missing.
    """
    doubled = [name for name, count in Counter(columns).items() if count > 1]
    if doubled:
        raise SourceError(
            f"{path}: has more than one column {', '.join(map(repr, doubled))}. Nothing was ingested; give each "
            "column of the file a name of its own"
        )
    missing = [name for name in required if name not in columns]
    if missing:
        raise SourceError(
            f"{path}: has no column {', '.join(map(repr, missing))}. Columns of the file: {', '.join(columns)}. "
            "Nothing was ingested; name the right columns in the mapping"
        )


def cut_message(path: Path, row: int) -> str:
    """Say that a file ends inside a row."""
    return (
        f"{path}: the file ends inside row {row}: it is cut short. Nothing was ingested; fetch the file again, "
        "or delete its last line if that is all it lacks"
    )


def damage_message(path: Path, error: Exception) -> str:
    """Say that a file cannot be read to its end."""
    return f"{path}: cut short or damaged ({error}). Nothing was ingested; fetch the file again"


def rejected_rows(rows: Sequence[tuple[int, str, str]]) -> pa.Table:
    """Return rejects (REJECTED_SCHEMA) from row number, reason and text of each row that could not be read."""
    records = [{"row": number, "field": "row", "reason": why, "payload": text} for number, why, text in rows]
    return pa.Table.from_pylist(records, schema=REJECTED_SCHEMA)


def empty_table(names: Sequence[str]) -> pa.Table:
    """Return a table of text without rows."""
    return pa.table([pa.array([], pa.string()) for _ in names], names=list(names))

"""Objects in JSON, one a line or as one list, as objects or as chunks of rows."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pyarrow as pa

from ml.arrays import I64
from ml.events.normalization.ids import number_as_id
from ml.tables.chunks import BATCH_ROWS, Chunk, TableError
from ml.tables.input_checks import check_columns, cut_message, damage_message, empty_table, rejected_rows
from ml.tables.text_files import DAMAGE, lines_of

LONG_NUMBER = re.compile(rb"[:,\[\s]\d{20}")  # orjson makes a float of it, and an id would lose its last digits


@dataclass(frozen=True)
class ObjectChunk:
    """Some rows of an input as nested objects; `numbers` and `rejected` as in Chunk."""

    records: list[dict[str, Any]]
    numbers: I64
    rejected: pa.Table


def read_json_lines(path: Path, required: Sequence[str] = ()) -> Iterator[Chunk]:
    """Read a JSON Lines file as a table, one row for each object.

    Nested fields become columns `outer.inner`; lists of anything but text become JSON text. A line that is no JSON
    object is rejected. The `required` columns must be there in the first chunk.
    """
    first = True
    for chunk in read_objects(path):
        table = build_table([_flatten(record) for record in chunk.records])
        if first and chunk.records:
            check_columns(path, table.column_names, required)
            first = False
        yield Chunk(table, chunk.numbers, chunk.rejected)


def read_objects(path: Path) -> Iterator[ObjectChunk]:
    """Objects of a JSON Lines file; lines that are none are rejected.

    Raises:
        TableError: the file is empty, damaged, or cut inside its last line.
    """
    records: list[dict[str, Any]] = []
    numbers: list[int] = []
    bad: list[tuple[int, str, str]] = []
    has_lines = False
    try:
        for number, line in enumerate(_json_lines(path)):
            if not line.strip():
                continue
            has_lines = True
            try:
                record = _loads(line)
            except (ValueError, RecursionError) as error:
                if not line.endswith(b"\n") and not _is_loose_json(line):
                    raise TableError(cut_message(path, number)) from error
                bad.append((number, f"is not JSON: {error}", line.decode("utf-8", "replace")))
                continue
            if not isinstance(record, dict):
                bad.append((number, "is not a JSON object", line.decode("utf-8", "replace")))
                continue
            records.append(record)
            numbers.append(number)
            if len(records) >= BATCH_ROWS // 4:
                yield ObjectChunk(records, np.array(numbers, dtype=np.int64), rejected_rows(bad))
                records, numbers, bad = [], [], []
    except DAMAGE as error:
        raise TableError(damage_message(path, error)) from error
    if records or bad:
        yield ObjectChunk(records, np.array(numbers, dtype=np.int64), rejected_rows(bad))
    elif not has_lines:
        raise TableError(f"{path}: the file has no lines")


def _json_lines(path: Path) -> Iterator[bytes]:
    """Lines of a file, or the elements of the one list that a file of JSON holds."""
    lines = lines_of(path)
    first = next(lines, b"")
    if not first.lstrip().startswith(b"[") or ".json" not in path.suffixes[-2:]:
        yield first
        yield from lines
        return
    content = b"".join([first, *lines])
    try:
        elements = _loads(content)
    except (ValueError, RecursionError) as error:
        raise TableError(f"{path}: is cut short, or no list in JSON ({error})") from error
    for element in elements:
        yield json.dumps(element).encode() + b"\n"


def _loads(text: bytes) -> Any:
    """The value of a text in JSON, with all digits of its integers."""
    return orjson.loads(text) if LONG_NUMBER.search(text) is None else json.loads(text)


def _is_loose_json(line: bytes) -> bool:
    """Whether a line is whole, but holds what JSON does not have: NaN, or half of a surrogate pair."""
    try:
        json.loads(line)
    except (ValueError, RecursionError):
        return False
    return True


def build_table(records: Sequence[dict[str, Any]]) -> pa.Table:
    """Flat records as a table: a column whose values share a type keeps it, a mixed one becomes text."""
    names = list(dict.fromkeys(name for record in records for name in record))
    arrays = []
    for name in names:
        values = [record.get(name) for record in records]
        try:
            arrays.append(pa.array(values))
        except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError):
            arrays.append(pa.array([_as_text(value) for value in values], pa.string()))
    return pa.table(arrays, names=names) if names else empty_table([])


def flat_names(records: Sequence[dict[str, Any]]) -> list[str]:
    """Names of the columns that the records become, each once."""
    return list(dict.fromkeys(name for record in records for name in _flatten(record)))


def _flatten(record: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in record.items():
        if isinstance(value, dict):
            flat.update(_flatten(value, f"{prefix}{name}."))
        elif isinstance(value, list) and not all(isinstance(entry, str) for entry in value):
            flat[prefix + name] = orjson.dumps(value).decode()
        else:
            flat[prefix + name] = value
    return flat


def _as_text(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value):
        return number_as_id(value)
    return orjson.dumps(value).decode()

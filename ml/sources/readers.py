"""Parquet, CSV and JSON Lines as chunks of rows, in bounded memory, with errors that say what to do."""

from __future__ import annotations

import csv
import gzip
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, cast

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq

from ml.arrays import I64
from ml.events.records import REJECTED_SCHEMA
from ml.sources.source import BATCH_ROWS, Chunk, SourceError, empty_rejects

PARQUET = (".parquet", ".pq")
CSV = (".csv", ".csv.gz", ".tsv", ".tsv.gz")
JSON_LINES = (".jsonl", ".jsonl.gz", ".ndjson", ".ndjson.gz")
CSV_BLOCK_BYTES = 8 << 20
DELIMITERS = ",;\t|"


def detect_format(path: Path) -> str:
    """`parquet`, `csv` or `jsonl`, by the end of the file's name.

    Raises:
        SourceError: it is none of them.
    """
    for kind, endings in (("parquet", PARQUET), ("csv", CSV), ("jsonl", JSON_LINES)):
        if path.name.lower().endswith(endings):
            return kind
    legal = ", ".join((*PARQUET, *CSV, *JSON_LINES))
    raise SourceError(f"{path}: the name tells no format. Rename the file so that it ends in one of {legal}")


def read_chunks(path: Path, required: Sequence[str] = ()) -> Iterator[Chunk]:
    """Rows of a file, in its own order; CSV cells are text and an empty cell is null.

    Raises:
        SourceError: the file is missing, empty, cut short, of another format, or lacks a required column.
    """
    check_input_file(path)
    kind = detect_format(path)
    if kind == "parquet":
        return read_parquet(path, required)
    return read_csv(path, required) if kind == "csv" else read_json_lines(path, required)


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


def count_rows(path: Path) -> int | None:
    """Rows of a Parquet file, from its footer; None for the other formats."""
    if not path.name.lower().endswith(PARQUET):
        return None
    return int(_open_parquet(path).metadata.num_rows)


def read_parquet(path: Path, required: Sequence[str] = ()) -> Iterator[Chunk]:
    """Rows of a Parquet file with the types that it has."""
    file = _open_parquet(path)
    _check_columns(path, file.schema_arrow.names, required)
    if file.metadata.num_rows == 0:
        raise SourceError(f"{path}: the file has columns but no rows. Nothing was ingested")
    start = 0
    try:
        for batch in file.iter_batches(batch_size=BATCH_ROWS):
            yield Chunk(pa.Table.from_batches([batch]), np.arange(start, start + len(batch)), empty_rejects())
            start += len(batch)
    except (pa.ArrowInvalid, OSError) as error:
        raise SourceError(f"{path}: damaged after row {start}: {error}. Fetch the file again") from error


def read_csv(path: Path, required: Sequence[str] = ()) -> Iterator[Chunk]:
    """Read a CSV file as text; rows with too few or too many cells are rejected.

    The first line shows which of DELIMITERS separates the cells.
    """
    malformed: list[tuple[int, int, int, str]] = []

    def remember(row: Any) -> str:
        malformed.append((row.number - 2, row.actual_columns, row.expected_columns, row.text))
        return "skip"

    header = _first_line(path)
    delimiter = _sniff_delimiter(path, header)
    names = _csv_names(header, delimiter)
    _check_columns(path, names, required)
    try:
        reader = pyarrow.csv.open_csv(
            path,
            read_options=pyarrow.csv.ReadOptions(use_threads=False, block_size=CSV_BLOCK_BYTES),
            parse_options=pyarrow.csv.ParseOptions(
                delimiter=delimiter, newlines_in_values=True, invalid_row_handler=remember
            ),
            convert_options=pyarrow.csv.ConvertOptions(
                column_types={name: pa.string() for name in names}, null_values=[""], strings_can_be_null=True
            ),
        )
        start = 0
        last_bad = -1
        for batch in reader:
            bad = malformed[:]
            malformed.clear()
            last_bad = bad[-1][0] if bad else last_bad
            span = np.arange(start, start + len(batch) + len(bad))
            numbers = span[~np.isin(span, [row[0] for row in bad])][: len(batch)]
            yield Chunk(pa.Table.from_batches([batch]), numbers, _malformed_csv(bad))
            start += len(batch) + len(bad)
    except (pa.ArrowInvalid, OSError, EOFError) as error:
        raise SourceError(_damaged(path, error)) from error
    last_bad = malformed[-1][0] if malformed else last_bad
    if last_bad == start + len(malformed) - 1 and not _ends_in_newline(path):
        raise SourceError(_cut(path, last_bad))
    if malformed:
        yield Chunk(_no_rows(names), np.arange(0), _malformed_csv(malformed))
    elif start == 0:
        raise SourceError(f"{path}: the file has a header but no rows. Nothing was ingested")


def read_json_lines(path: Path, required: Sequence[str] = ()) -> Iterator[Chunk]:
    """Read a JSON Lines file as a table, one row for each object.

    Nested fields become columns `outer.inner`; lists of anything but text become JSON text. A line that is no JSON
    object is rejected. The `required` columns must be there in the first chunk.
    """
    first = True
    for chunk in read_objects(path):
        table = build_table([_flatten(record) for record in chunk.records])
        if first and chunk.records:
            _check_columns(path, table.column_names, required)
            first = False
        yield Chunk(table, chunk.numbers, chunk.rejected)


@dataclass(frozen=True)
class ObjectChunk:
    """Some rows of an input as nested objects; `numbers` and `rejected` as in Chunk."""

    records: list[dict[str, Any]]
    numbers: I64
    rejected: pa.Table


def read_records(path: Path, required: Sequence[str] = ()) -> Iterator[ObjectChunk]:
    """Rows of a file of any format as objects, nested as they stand there.

    Raises:
        SourceError: as `read`.
    """
    if detect_format(check_input_file(path)) == "jsonl":
        yield from read_objects(path)
        return
    for chunk in read_chunks(path, required):
        yield ObjectChunk(chunk.table.to_pylist(), chunk.numbers, chunk.rejected)


def read_objects(path: Path) -> Iterator[ObjectChunk]:
    """Objects of a JSON Lines file; lines that are none are rejected.

    Raises:
        SourceError: the file is empty, damaged, or cut inside its last line.
    """
    records: list[dict[str, Any]] = []
    numbers: list[int] = []
    bad: list[tuple[int, str, str]] = []
    has_lines = False
    try:
        with _open_text(path) as file:
            for number, line in enumerate(file):
                if not line.strip():
                    continue
                has_lines = True
                try:
                    record = orjson.loads(line)
                except orjson.JSONDecodeError as error:
                    if not line.endswith(b"\n"):
                        raise SourceError(_cut(path, number)) from error
                    bad.append((number, f"is no JSON: {error}", line.decode("utf-8", "replace")))
                    continue
                if not isinstance(record, dict):
                    bad.append((number, "is no JSON object", line.decode("utf-8", "replace")))
                    continue
                records.append(record)
                numbers.append(number)
                if len(records) >= BATCH_ROWS // 4:
                    yield ObjectChunk(records, np.array(numbers, dtype=np.int64), _malformed_json(bad))
                    records, numbers, bad = [], [], []
    except (OSError, EOFError) as error:
        raise SourceError(_damaged(path, error)) from error
    if records or bad:
        yield ObjectChunk(records, np.array(numbers, dtype=np.int64), _malformed_json(bad))
    elif not has_lines:
        raise SourceError(f"{path}: the file has no lines. Nothing was ingested")


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
    return pa.table(arrays, names=names) if names else _no_rows([])


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
    return orjson.dumps(value).decode()


def _open_parquet(path: Path) -> pq.ParquetFile:
    try:
        return pq.ParquetFile(path)
    except (pa.ArrowInvalid, OSError) as error:
        raise SourceError(
            f"{path}: cut short, or no Parquet file ({str(error).splitlines()[0]}). "
            "Nothing was ingested; fetch the file again"
        ) from error


def _open_text(path: Path) -> IO[bytes]:
    if path.name.endswith(".gz"):
        return cast(IO[bytes], gzip.open(path, "rb"))
    return open(path, "rb")


def _first_line(path: Path) -> str:
    try:
        with _open_text(path) as file:
            return file.readline().decode("utf-8-sig")
    except (OSError, EOFError, UnicodeDecodeError) as error:
        raise SourceError(_damaged(path, error)) from error


def _sniff_delimiter(path: Path, header: str) -> str:
    """Return the delimiter of a header; for a single column, the one that the file's name promises."""
    try:
        return csv.Sniffer().sniff(header, DELIMITERS).delimiter
    except csv.Error:
        return "\t" if ".tsv" in path.name.lower() else ","


def _csv_names(header: str, delimiter: str) -> list[str]:
    table = pyarrow.csv.read_csv(
        pa.BufferReader(header.encode()), parse_options=pyarrow.csv.ParseOptions(delimiter=delimiter)
    )
    return [str(name) for name in table.column_names]


def _check_columns(path: Path, columns: Sequence[str], required: Sequence[str]) -> None:
    missing = [name for name in required if name not in columns]
    if missing:
        raise SourceError(
            f"{path}: has no column {', '.join(map(repr, missing))}. Columns of the file: {', '.join(columns)}. "
            "Nothing was ingested; name the right columns in the mapping"
        )


def _ends_in_newline(path: Path) -> bool:
    if path.name.endswith(".gz"):
        return True  # a cut gzip stream was already an error
    with open(path, "rb") as file:
        file.seek(-1, 2)
        return file.read(1) == b"\n"


def _cut(path: Path, row: int) -> str:
    return (
        f"{path}: the file ends inside row {row}: it is cut short. Nothing was ingested; fetch the file again, "
        "or delete its last line if that is all it lacks"
    )


def _damaged(path: Path, error: Exception) -> str:
    return f"{path}: cut short or damaged ({error}). Nothing was ingested; fetch the file again"


def _malformed_csv(rows: Sequence[tuple[int, int, int, str]]) -> pa.Table:
    return _rejects(
        [(number, f"has {cells} cells, not {expected}", text) for number, cells, expected, text in rows]
    )


def _malformed_json(rows: Sequence[tuple[int, str, str]]) -> pa.Table:
    return _rejects(rows)


def _rejects(rows: Sequence[tuple[int, str, str]]) -> pa.Table:
    records = [{"row": number, "field": "row", "reason": why, "payload": text} for number, why, text in rows]
    return pa.Table.from_pylist(records, schema=REJECTED_SCHEMA)


def _no_rows(names: Sequence[str]) -> pa.Table:
    return pa.table([pa.array([], pa.string()) for _ in names], names=list(names))

"""Parquet, CSV and JSON Lines as chunks of rows, in bounded memory, with errors that say what to do."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from ml.tables.chunks import BATCH_ROWS, Chunk, TableError, empty_rejects
from ml.tables.csv_tables import read_csv
from ml.tables.input_checks import check_columns, check_input_file
from ml.tables.json_lines import ObjectChunk, read_json_lines, read_objects
from ml.tables.layouts import PLAIN_LAYOUT, FileLayout

PARQUET = (".parquet", ".pq")
PACKED = ("", ".gz", ".zst", ".bz2", ".xz", ".zip")
CSV = tuple(f"{end}{packed}" for end in (".csv", ".tsv", ".txt", ".dat", ".data") for packed in PACKED)
JSON_LINES = tuple(f"{end}{packed}" for end in (".jsonl", ".ndjson", ".json") for packed in PACKED)


def detect_format(path: Path) -> str:
    """`parquet`, `csv` or `jsonl`, by the end of the file's name.

    Raises:
        TableError: it is not one of them.
    """
    for kind, endings in (("parquet", PARQUET), ("csv", CSV), ("jsonl", JSON_LINES)):
        if path.name.lower().endswith(endings):
            return kind
    legal = ", ".join(name for name in (*PARQUET, *CSV, *JSON_LINES) if not name.endswith(PACKED[2:]))
    raise TableError(
        f"{path}: the name does not say which format the file has. Rename it so that it ends in one of {legal}"
    )


def read_chunks(path: Path, required: Sequence[str] = (), layout: FileLayout | None = None) -> Iterator[Chunk]:
    """Rows of a file, in its own order; CSV cells are text and an empty cell is null.

    With a layout, the file is a text table, whatever its name says.

    Raises:
        TableError: the file is missing, empty, cut short, of another format, or lacks a required column.
    """
    check_input_file(path)
    kind = detect_format(path) if layout is None else "csv"
    if kind == "parquet":
        return read_parquet(path, required)
    return read_csv(path, required, layout or PLAIN_LAYOUT) if kind == "csv" else read_json_lines(path, required)


def count_rows(path: Path) -> int | None:
    """Rows of a Parquet file, from its footer; None for the other formats."""
    if not path.name.lower().endswith(PARQUET):
        return None
    return int(_open_parquet(path).metadata.num_rows)


def read_parquet(path: Path, required: Sequence[str] = ()) -> Iterator[Chunk]:
    """Rows of a Parquet file with the types that it has."""
    file = _open_parquet(path)
    check_columns(path, file.schema_arrow.names, required)
    if file.metadata.num_rows == 0:
        raise TableError(f"{path}: the file has columns but no rows")
    start = 0
    try:
        for batch in file.iter_batches(batch_size=BATCH_ROWS):
            yield Chunk(pa.Table.from_batches([batch]), np.arange(start, start + len(batch)), empty_rejects())
            start += len(batch)
    except (pa.ArrowInvalid, OSError) as error:
        raise TableError(f"{path}: damaged after row {start}: {error}. Fetch the file again") from error


def read_records(path: Path, required: Sequence[str] = ()) -> Iterator[ObjectChunk]:
    """Rows of a file of any format as objects, nested as they stand there.

    Raises:
        TableError: as `read`.
    """
    if detect_format(check_input_file(path)) == "jsonl":
        yield from read_objects(path)
        return
    for chunk in read_chunks(path, required):
        yield ObjectChunk(chunk.table.to_pylist(), chunk.numbers, chunk.rejected)


def _open_parquet(path: Path) -> pq.ParquetFile:
    try:
        return pq.ParquetFile(path)
    except (pa.ArrowInvalid, OSError) as error:
        raise TableError(
            f"{path}: cut short, or no Parquet file ({str(error).splitlines()[0]}). Fetch the file again"
        ) from error

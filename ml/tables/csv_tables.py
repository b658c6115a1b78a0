"""Tables of text, whose cells a character, a word or blanks separate, as chunks of rows."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv

from ml.tables.chunks import Chunk, TableError
from ml.tables.input_checks import (
    check_columns,
    cut_message,
    damage_message,
    empty_table,
    encoding_message,
    rejected_rows,
)
from ml.tables.layouts import PLAIN_LAYOUT, FileLayout, TextSample, sample_text
from ml.tables.separated_lines import read_separated_lines
from ml.tables.text_files import DAMAGE, UTF_8, ends_in_newline, open_stream
from ml.tables.text_rows import Dialect

CSV_BLOCK_BYTES = 8 << 20


def column_names(header: Sequence[str]) -> list[str]:
    """Names of the columns of a header; a column without one is called by its place."""
    return [name.strip() or f"column {place + 1}" for place, name in enumerate(header)]


def read_csv(
    path: Path,
    required: Sequence[str] = (),
    layout: FileLayout = PLAIN_LAYOUT,
    columns: Sequence[str] | None = None,
    sample: TextSample | None = None,
) -> Iterator[Chunk]:
    """Read a CSV file as text; rows with too few or too many cells are rejected.

    Args:
        path: The file.
        required: Columns that must be there.
        layout: What is known of the file; the rest is detected.
        columns: Those to read, all of them if absent.
        sample: What `sample_text` made of the file and the layout, where that is known already.

    Raises:
        TableError: Two columns have one name, or as `read_chunks`.
    """
    sample = sample or sample_text(path, layout)
    names = list(layout.columns) or column_names(sample.rows[0])
    check_columns(path, names, required)
    header_lines = 0 if layout.columns else sample.header_lines
    try:
        if sample.dialect.has_quotes and not sample.dialect.pads_cells:
            yield from _read_with_arrow(path, names, columns, sample.dialect, sample.encoding, header_lines)
        else:
            chunks = read_separated_lines(path, sample.dialect, names, sample.encoding, header_lines)
            for chunk in _check_not_empty(path, chunks):
                table = chunk.table if columns is None else chunk.table.select(list(columns))
                yield Chunk(table, chunk.numbers, chunk.rejected)
    except UnicodeDecodeError as error:
        raise TableError(encoding_message(path, sample.encoding)) from error
    except (pa.ArrowInvalid, csv.Error, *DAMAGE) as error:
        raise TableError(damage_message(path, error)) from error


def _check_not_empty(path: Path, chunks: Iterator[Chunk]) -> Iterator[Chunk]:
    is_empty = True
    for chunk in chunks:
        is_empty = False
        yield chunk
    if is_empty:
        raise TableError(f"{path}: the file has a header but no rows")


def _read_with_arrow(
    path: Path, names: list[str], columns: Sequence[str] | None, dialect: Dialect, encoding: str, header_lines: int
) -> Iterator[Chunk]:
    malformed: list[tuple[int, int, int, str]] = []

    def remember(row: Any) -> str:
        malformed.append((row.number - 1 - header_lines, row.actual_columns, row.expected_columns, row.text))
        return "skip"

    with open_stream(path) as stream:
        reader = pyarrow.csv.open_csv(
            stream,
            read_options=pyarrow.csv.ReadOptions(
                use_threads=False,
                block_size=CSV_BLOCK_BYTES,
                encoding="utf8" if encoding == UTF_8 else encoding,
                column_names=names,
                skip_rows=header_lines,
            ),
            parse_options=pyarrow.csv.ParseOptions(
                delimiter=dialect.delimiter,
                escape_char="\\" if dialect.escapes_quotes else False,
                newlines_in_values=True,
                invalid_row_handler=remember,
            ),
            convert_options=pyarrow.csv.ConvertOptions(
                column_types={name: pa.string() for name in names},
                include_columns=list(names if columns is None else columns),
                null_values=[""],
                strings_can_be_null=True,
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
    last_bad = malformed[-1][0] if malformed else last_bad
    if last_bad >= 0 and last_bad == start + len(malformed) - 1 and not ends_in_newline(path):
        raise TableError(cut_message(path, last_bad))
    if malformed:
        yield Chunk(empty_table(names if columns is None else columns), np.arange(0), _malformed_csv(malformed))
    elif start == 0:
        raise TableError(f"{path}: the file has a header but no rows")


def _malformed_csv(rows: Sequence[tuple[int, int, int, str]]) -> pa.Table:
    return rejected_rows(
        [(number, f"has {cells} cells, not {expected}", text) for number, cells, expected, text in rows]
    )

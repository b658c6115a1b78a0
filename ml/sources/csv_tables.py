"""Tables of text, whose cells a character, a word or blanks separate, as chunks of rows."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv

from ml.sources.input_checks import check_columns, cut_message, damage_message, empty_table, rejected_rows
from ml.sources.separated_lines import WHITESPACE, read_separated_lines
from ml.sources.source import Chunk, SourceError
from ml.sources.text_files import UTF_8, detect_encoding, ends_in_newline, is_gzipped, lines_of

CSV_BLOCK_BYTES = 8 << 20
DELIMITERS = ",;\t|"


@dataclass(frozen=True)
class FileLayout:
    """What a text table does not say of itself.

    Attributes:
        delimiter: What stands between two cells, `whitespace` for any run of blanks; None to see from the first
            line.
        columns: Names of the columns of a file whose first line is a row; empty if the first line has the names.
        encoding: A codec of Python; None to see from the content.
    """

    delimiter: str | None = None
    columns: tuple[str, ...] = ()
    encoding: str | None = None


PLAIN_LAYOUT = FileLayout()


def detect_layout(path: Path) -> FileLayout:
    """Return the delimiter and the encoding of a table of text, as its first line and its content show them.

    Raises:
        SourceError: The file is damaged or cannot be read.
    """
    encoding = _encoding_of(path, PLAIN_LAYOUT)
    return FileLayout(_sniff_delimiter(path, _first_line(path, encoding)), encoding=encoding)


def read_csv(path: Path, required: Sequence[str] = (), layout: FileLayout = PLAIN_LAYOUT) -> Iterator[Chunk]:
    """Read a CSV file as text; rows with too few or too many cells are rejected.

    The first line shows which of DELIMITERS separates the cells, unless the layout says it.

    Raises:
        SourceError: Two columns have one name, or as `read_chunks`.
    """
    encoding = _encoding_of(path, layout)
    first_line = _first_line(path, encoding)
    delimiter = layout.delimiter or _sniff_delimiter(path, first_line)
    is_plain = len(delimiter) == 1
    names = list(layout.columns) or _column_names(first_line, delimiter)
    check_columns(path, names, required)
    header_lines = 0 if layout.columns else 1
    try:
        if is_plain:
            yield from _read_with_arrow(path, names, delimiter, encoding, header_lines)
        else:
            yield from _check_not_empty(path, read_separated_lines(path, delimiter, names, encoding, header_lines))
    except (pa.ArrowInvalid, OSError, EOFError) as error:
        raise SourceError(damage_message(path, error)) from error


def _check_not_empty(path: Path, chunks: Iterator[Chunk]) -> Iterator[Chunk]:
    is_empty = True
    for chunk in chunks:
        is_empty = False
        yield chunk
    if is_empty:
        raise SourceError(f"{path}: the file has a header but no rows. Nothing was ingested")


def _read_with_arrow(
    path: Path, names: list[str], delimiter: str, encoding: str, header_lines: int
) -> Iterator[Chunk]:
    malformed: list[tuple[int, int, int, str]] = []

    def remember(row: Any) -> str:
        malformed.append((row.number - 1 - header_lines, row.actual_columns, row.expected_columns, row.text))
        return "skip"

    with pa.input_stream(path, compression="gzip" if is_gzipped(path) else None) as stream:
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
    last_bad = malformed[-1][0] if malformed else last_bad
    if last_bad >= 0 and last_bad == start + len(malformed) - 1 and not ends_in_newline(path):
        raise SourceError(cut_message(path, last_bad))
    if malformed:
        yield Chunk(empty_table(names), np.arange(0), _malformed_csv(malformed))
    elif start == 0:
        raise SourceError(f"{path}: the file has a header but no rows. Nothing was ingested")


def _malformed_csv(rows: Sequence[tuple[int, int, int, str]]) -> pa.Table:
    return rejected_rows(
        [(number, f"has {cells} cells, not {expected}", text) for number, cells, expected, text in rows]
    )


def _encoding_of(path: Path, layout: FileLayout) -> str:
    try:
        return layout.encoding or detect_encoding(path)
    except (OSError, EOFError) as error:
        raise SourceError(damage_message(path, error)) from error


def _first_line(path: Path, encoding: str) -> str:
    try:
        return next(lines_of(path, encoding), b"").decode()
    except (OSError, EOFError, UnicodeDecodeError) as error:
        raise SourceError(damage_message(path, error)) from error


def _sniff_delimiter(path: Path, header: str) -> str:
    """Return the delimiter of a header; for a single column, the one that the file's name promises."""
    try:
        return csv.Sniffer().sniff(header, DELIMITERS).delimiter
    except csv.Error:
        return "\t" if ".tsv" in path.name.lower() else ","


def _column_names(header: str, delimiter: str) -> list[str]:
    text = header.rstrip("\r\n")
    if delimiter == WHITESPACE:
        return text.split()
    if len(delimiter) > 1:
        return text.split(delimiter)
    return next(csv.reader([text], delimiter=delimiter), [])

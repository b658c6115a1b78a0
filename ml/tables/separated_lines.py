"""Tables whose cells Arrow does not separate: by blanks, as in CDNOW, by `::`, as in MovieLens, or by `, "`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path

import numpy as np
import pyarrow as pa

from ml.tables.chunks import BATCH_ROWS, Chunk
from ml.tables.input_checks import rejected_rows
from ml.tables.text_files import lines_of
from ml.tables.text_rows import WHITESPACE, Dialect, split_rows


def read_separated_lines(
    path: Path, dialect: Dialect, names: Sequence[str], encoding: str | None, header_lines: int
) -> Iterator[Chunk]:
    """Rows of text cells; an empty cell is null, and a row with too few or too many cells is rejected.

    Args:
        path: The file.
        dialect: How its cells are written.
        names: Names of the columns.
        encoding: The file's encoding, detected if absent.
        header_lines: Lines before the first row.
    """
    rows: list[list[str]] = []
    numbers: list[int] = []
    rejected: list[tuple[int, str, str]] = []
    lines = islice((line.decode() for line in lines_of(path, encoding)), header_lines, None)
    for cells, line_number in split_rows(lines, dialect):
        number = line_number - 1
        if len(cells) == len(names):
            rows.append(cells)
            numbers.append(number)
        else:
            rejected.append((number, f"has {len(cells)} cells, not {len(names)}", _joined(cells, dialect)))
        if len(rows) >= BATCH_ROWS:
            yield _chunk(rows, numbers, rejected, names)
            rows, numbers, rejected = [], [], []
    if rows or rejected:
        yield _chunk(rows, numbers, rejected, names)


def _joined(cells: Sequence[str], dialect: Dialect) -> str:
    return (" " if dialect.delimiter == WHITESPACE else dialect.delimiter).join(cells)


def _chunk(
    rows: list[list[str]], numbers: list[int], rejected: list[tuple[int, str, str]], names: Sequence[str]
) -> Chunk:
    columns = zip(*rows, strict=True) if rows else [()] * len(names)
    arrays = [pa.array([cell.strip() or None for cell in column], pa.string()) for column in columns]
    table = pa.table(arrays, names=list(names))
    return Chunk(table, np.array(numbers, dtype=np.int64), rejected_rows(rejected))

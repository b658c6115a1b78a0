"""Tables whose cells no CSV reader separates: by blanks, as in CDNOW, or by `::`, as in MovieLens."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa

from ml.events.records import REJECTED_SCHEMA
from ml.sources.source import BATCH_ROWS, Chunk
from ml.sources.text_files import lines_of

WHITESPACE = "whitespace"


def read_separated_lines(
    path: Path, delimiter: str, names: Sequence[str], encoding: str | None, first_row: int
) -> Iterator[Chunk]:
    """Rows of text cells; an empty cell is null, and a line with too few or too many cells is rejected.

    Args:
        path: The file.
        delimiter: What stands between two cells; `whitespace` is any run of blanks.
        names: Names of the columns.
        encoding: The file's encoding, detected if absent.
        first_row: Lines before the first row.
    """
    rows: list[list[str]] = []
    numbers: list[int] = []
    rejected: list[dict[str, object]] = []
    for line_number, line in enumerate(lines_of(path, encoding)):
        text = line.decode().rstrip("\r\n")
        if line_number < first_row or not text.strip():
            continue
        cells = text.split() if delimiter == WHITESPACE else text.split(delimiter)
        number = line_number - first_row
        if len(cells) == len(names):
            rows.append(cells)
            numbers.append(number)
        else:
            reason = f"has {len(cells)} cells, not {len(names)}"
            rejected.append({"row": number, "field": "row", "reason": reason, "payload": text})
        if len(rows) >= BATCH_ROWS:
            yield _chunk(rows, numbers, rejected, names)
            rows, numbers, rejected = [], [], []
    if rows or rejected:
        yield _chunk(rows, numbers, rejected, names)


def _chunk(
    rows: list[list[str]], numbers: list[int], rejected: list[dict[str, object]], names: Sequence[str]
) -> Chunk:
    columns = zip(*rows, strict=True) if rows else [()] * len(names)
    arrays = [pa.array([cell.strip() or None for cell in column], pa.string()) for column in columns]
    table = pa.table(arrays, names=list(names))
    return Chunk(table, np.array(numbers, dtype=np.int64), pa.Table.from_pylist(rejected, schema=REJECTED_SCHEMA))

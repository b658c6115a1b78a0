"""Lines of text as rows of cells, in the dialects that programs write."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

WHITESPACE = "whitespace"


@dataclass(frozen=True)
class Dialect:
    """How the cells of a table of text are written.

    Attributes:
        delimiter: What stands between two cells; `whitespace` is any run of blanks.
        escapes_quotes: Whether a quote inside a cell is written with a backslash before it, as MySQL does, and not
            doubled.
        pads_cells: Whether blanks stand between the delimiter and the quote of a cell.
    """

    delimiter: str
    escapes_quotes: bool = False
    pads_cells: bool = False

    @property
    def has_quotes(self) -> bool:
        """Whether cells may be quoted."""
        return len(self.delimiter) == 1


def split_rows(lines: Iterable[str], dialect: Dialect) -> Iterator[tuple[list[str], int]]:
    """The cells of each row that is not blank, and the number of lines up to its end.

    Raises:
        csv.Error: A cell is longer than the csv module reads.
    """
    if not dialect.has_quotes:
        for number, line in enumerate(lines):
            text = line.rstrip("\r\n")
            if text.strip():
                cells = text.split() if dialect.delimiter == WHITESPACE else text.split(dialect.delimiter)
                yield cells, number + 1
        return
    reader = csv.reader(
        lines,
        delimiter=dialect.delimiter,
        escapechar="\\" if dialect.escapes_quotes else None,
        skipinitialspace=dialect.pads_cells,
    )
    for row in reader:
        if row:
            yield row, reader.line_num

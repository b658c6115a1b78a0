"""What a table of text does not say of itself: encoding, delimiter, and whether it has a header."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ml.tables.chunks import TableError
from ml.tables.input_checks import damage_message
from ml.tables.text_files import BLOCK_BYTES, DAMAGE, detect_encoding, lines_of, open_bytes
from ml.tables.text_rows import WHITESPACE, Dialect, split_rows

# Of two that fit alike, the one that is rarer inside a cell comes first.
DELIMITERS = ("\t", ";", ",", "|", "::", "^", "~", "\x01")
SAMPLE_LINES = 200
SAMPLE_CHARS = 1 << 18
ENOUGH_LINES = 0.9  # share of the lines with as many cells as the first, from which a delimiter is believed
HINT = re.compile(r"sep=(?P<delimiter>.)\s*")  # what Excel writes above a header
NUMBER = re.compile(r"[+-]?(\d[\d.,' ]*|[.,]\d+)([eE][+-]?\d+)?")
MOMENT = re.compile(r"\d{4}-\d{2}-\d{2}([T ].*)?")


@dataclass(frozen=True)
class FileLayout:
    """What a text table does not say of itself.

    Attributes:
        delimiter: What stands between two cells, `whitespace` for any run of blanks; None to see from the first
            lines.
        columns: Names of the columns of a file whose first line is a row; empty if the first line has the names.
        encoding: A codec of Python; None to see from the content.
    """

    delimiter: str | None = None
    columns: tuple[str, ...] = ()
    encoding: str | None = None


PLAIN_LAYOUT = FileLayout()


@dataclass(frozen=True)
class TextSample:
    """The beginning of a table of text.

    Attributes:
        encoding: A codec of Python.
        dialect: How its cells are written.
        rows: The cells of the first rows, the header among them.
        header_lines: Lines up to the end of the first row.
    """

    encoding: str
    dialect: Dialect
    rows: list[list[str]]
    header_lines: int


def sample_text(path: Path, layout: FileLayout = PLAIN_LAYOUT) -> TextSample:
    """Read the beginning of a table of text; what the layout leaves open is detected.

    Raises:
        TableError: The file is damaged, has only blank lines, or has an encoding that does not exist.
    """
    try:
        encoding = layout.encoding or detect_encoding(path)
        lines, is_whole = _first_lines(path, encoding)
        skipped, hint = _lines_before_header(lines)
        lines = lines[skipped:]
        if not any(line.strip() for line in lines):
            raise TableError(f"{path}: the file has no lines")
        delimiter = layout.delimiter or hint or detect_delimiter(lines, path.name)
        dialect = Dialect(delimiter, _escapes_quotes(path, lines, delimiter), _pads_cells(lines, delimiter))
    except (*DAMAGE, UnicodeDecodeError) as error:
        raise TableError(damage_message(path, error)) from error
    rows = list(_first_rows(lines, dialect))
    if not rows:
        raise TableError(f"{path}: a cell of the first row has more than {csv.field_size_limit():,} characters")
    cells = [row for row, _ in (rows if is_whole else rows[:-1] or rows)]
    return TextSample(encoding, dialect, cells, skipped + rows[0][1])


def detect_delimiter(lines: Sequence[str], name: str = "") -> str:
    """Return what separates the cells of these lines.

    The delimiter that gives nearly all lines as many cells as the first one wins, and among several the one that
    gives the most cells. For a single column it is the one that the file's name promises.
    """
    best, best_score = None, (0.0, 0.0)
    for delimiter in (*DELIMITERS, WHITESPACE):
        if delimiter == WHITESPACE and best is not None:
            break
        widths = [len(row) for row, _ in _first_rows(lines, Dialect(delimiter))]
        if not widths or widths[0] < 2:
            continue
        share = widths.count(widths[0]) / len(widths)
        if delimiter == WHITESPACE and (share < 1 or len(widths) < 2):
            continue
        score = (1.0, float(widths[0])) if share >= ENOUGH_LINES else (share, 0.0)
        if score > best_score:
            best, best_score = delimiter, score
    return best or ("\t" if ".tsv" in name.lower() else ",")


def _lines_before_header(lines: Sequence[str]) -> tuple[int, str | None]:
    """Number of the blank lines, comments and hints before the header, and the delimiter of a hint."""
    delimiter = None
    for number, line in enumerate(lines):
        hint = HINT.fullmatch(line)
        delimiter = hint["delimiter"] if hint else delimiter
        if line.strip() and not hint and not _is_comment(line, lines[number + 1 :]):
            return number, delimiter
    return len(lines), delimiter


def _is_comment(line: str, following: Sequence[str]) -> bool:
    """Whether a line begins with `#` and, unlike a header, has other cells than the next line that does not."""
    row = next((other for other in following if not other.startswith("#")), "")
    marks = [mark for mark in DELIMITERS if mark in row]
    return line.startswith("#") and bool(marks) and all(line.count(mark) != row.count(mark) for mark in marks)


def _escapes_quotes(path: Path, lines: Sequence[str], delimiter: str) -> bool:
    """Whether somewhere in the file a backslash stands before a quote that does not end its cell."""
    if len(delimiter) > 1 or not any('"' in line for line in lines):
        return False
    pattern = re.compile(rb"""\\"[^"\s%s]""" % re.escape(delimiter.encode()))
    with open_bytes(path) as file:
        tail = b""
        while block := file.read(BLOCK_BYTES):
            if b'\\"' in block and pattern.search(tail + block):
                return True
            tail = block[-3:]
    return False


def _pads_cells(lines: Sequence[str], delimiter: str) -> bool:
    """Whether most rows have a quote after a delimiter and blanks."""
    if len(delimiter) > 1 or delimiter.isspace():
        return False
    padded = re.compile(rf'{re.escape(delimiter)} +"')
    return sum(padded.search(line) is not None for line in lines) * 2 > len(lines)


def _first_rows(lines: Sequence[str], dialect: Dialect) -> Iterator[tuple[list[str], int]]:
    """Rows up to the first one with a cell that is too long for a sample."""
    try:
        yield from split_rows(lines, dialect)
    except csv.Error:
        return


def has_header(rows: Sequence[Sequence[str]]) -> bool:
    """Return whether the first row names the columns.

    It is itself a row if a column has a number or a time there as it has below, and no column has one only below.
    The names 0, 1, 2 … that pandas gives are a header.
    """
    first, rest = rows[0], rows[1:]
    names = [cell.strip() for cell in first]
    of_columns = names[1:] if names[0] == "" else names
    if len(names) > 3 and of_columns == [str(number) for number in range(len(of_columns))]:
        return True
    if not rest:
        return not any(map(_is_value, first))
    is_value_below = [
        all(_is_value(row[place]) for row in rest if place < len(row) and row[place].strip())
        and any(place < len(row) and row[place].strip() for row in rest)
        for place in range(len(first))
    ]
    only_below = any(below and not _is_value(name) for below, name in zip(is_value_below, names, strict=True))
    alike = any(below and _is_value(name) for below, name in zip(is_value_below, names, strict=True))
    return only_below or not alike


def _is_value(cell: str) -> bool:
    text = cell.strip()
    return bool(NUMBER.fullmatch(text) or MOMENT.fullmatch(text))


def _first_lines(path: Path, encoding: str) -> tuple[list[str], bool]:
    lines: list[str] = []
    chars = 0
    for line in lines_of(path, encoding):
        if len(lines) == SAMPLE_LINES or chars > SAMPLE_CHARS:
            return lines, False
        text = line.decode("utf-8", "replace")
        lines += text.splitlines(keepends=True) if text.count("\r") > 1 and not lines else [text]
        chars += len(line)
    return lines, True

"""Columns of numbers, as programs and people of every country write them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ml.arrays import I64, Bools
from ml.events.normalization.ids import EMPTY_WORDS
from ml.tables.chunks import TableError
from ml.tables.conversion import as_text, flatten

# What people and programs write in a cell of a number that they do not have.
NO_NUMBER = sorted(EMPTY_WORDS | {"na", "n/a", "#n/a", "-", "--", "?", "."})
CURRENCY = r"^[+-]?\s*[$€£¥₹]\s*|\s*([$€£¥₹%]|EUR|USD|GBP)$"
BLANKS = "[\\s\u00a0\u202f'’]"
# Cells that only one decimal mark explains; `D` stands for the mark and `T` for the one between thousands.
CERTAIN = (
    r"^[+-]?\d{1,3}(T\d{3})+D\d+$",
    r"^[+-]?\d*D(\d{1,2}|\d{4,})([eE][+-]?\d+)?$",
    r"^[+-]?(0+|\d{4,})D\d+([eE][+-]?\d+)?$",
    r"^[+-]?\d{1,3}(T\d{3}){2,}$",
)
LEGAL = r"^[+-]?(\d{1,3}(T\d{3})+|\d+)?(D\d*)?([eE][+-]?\d+)?$"


@dataclass(frozen=True)
class CellPlace:
    """Where the cells of a column stand, for messages.

    Attributes:
        file: The file, as messages call it.
        column: Name of the column.
        numbers: int64, place of each row in the file, from 0.
    """

    file: str
    column: str
    numbers: I64

    def error(self, row: int, message: str) -> TableError:
        """The error of the cell in a row of the column, counted from 0 among those that were read."""
        return TableError(f"{self.file}: column {self.column!r}, row {int(self.numbers[row]) + 1:,}: {message}")


@dataclass(frozen=True)
class Numbers:
    """A column as numbers.

    Attributes:
        values: float64, or the column's own integers; null where there is no number.
        is_bad: Cells that hold something else.
        remark: How the cells were read, where that is not plain; else empty.
        mixes_marks: Whether all of those cells would be numbers with the other decimal mark.
    """

    values: pa.Array
    is_bad: Bools
    remark: str = ""
    mixes_marks: bool = False


def parse_numbers(column: pa.ChunkedArray | pa.Array, delimiter: str = "") -> Numbers:
    """Read a column as numbers; the decimal mark is that of the whole column.

    `1,234.56`, `1.234,56`, `1 234`, `1'234`, `€ 5`, `5 %` and `1e5` are read. Where all cells are like `1,234`,
    the comma is the decimal mark if `;` separates the cells, and separates thousands if not.

    Args:
        column: Numbers, booleans or text.
        delimiter: What separates the cells of the file.
    """
    array = flatten(column)
    if not (pa.types.is_string(array.type) or pa.types.is_large_string(array.type)):
        return _from_numbers(array)
    try:
        return Numbers(*_finite(pc.cast(array, pa.float64())))
    except pa.ArrowInvalid:
        pass
    text = as_text(array).dictionary_encode()
    words = _without_decoration(text.dictionary)
    decimal, remark = _decimal_mark(words, delimiter)
    thousands = "," if decimal == "." else "."
    has_digit = pc.match_substring_regex(words, r"\d")
    is_legal = pc.and_(_matches(words, LEGAL, decimal), has_digit)
    plain = pc.replace_substring(pc.replace_substring(words, thousands, ""), decimal, ".")
    nothing = pa.scalar(None, pa.string())
    values = pc.cast(pc.if_else(is_legal, plain, nothing), pa.float64())
    is_bad = pc.and_(pc.is_valid(words), pc.is_null(values))
    values, infinite = _finite(values.take(text.indices))
    bad = np.asarray(pc.fill_null(is_bad.take(text.indices), False)).astype(bool)
    elsewhere = pc.and_(_matches(words, LEGAL, thousands), has_digit)
    mixes_marks = bad.any() and pc.all(elsewhere.filter(is_bad)).as_py()
    return Numbers(values, bad | infinite, remark, bool(mixes_marks))


def read_numbers(column: pa.ChunkedArray | pa.Array, place: CellPlace, delimiter: str = "") -> Numbers:
    """Read a column that must hold a number in each cell; `true` and `false` in all of them are 1 and 0.

    Raises:
        TableError: A cell is empty or no number; the message names the first and counts the others.
    """
    numbers = parse_numbers(_without_truth_values(flatten(column)), delimiter)
    if numbers.is_bad.any():
        row = int(np.argmax(numbers.is_bad))
        raise place.error(row, f"{flatten(column)[row].as_py()!r} is not a number{others(numbers.is_bad)}")
    is_empty = np.asarray(pc.is_null(numbers.values))
    if is_empty.any():
        raise place.error(int(np.argmax(is_empty)), f"there is no number{others(is_empty)}")
    return numbers


def _without_truth_values(array: pa.Array) -> pa.Array:
    """The array, or integers where it is booleans or text that is `true` or `false` in every cell."""
    if pa.types.is_boolean(array.type):
        return pc.cast(array, pa.int64())
    if not (pa.types.is_string(array.type) or pa.types.is_large_string(array.type)):
        return array
    words = array.dictionary_encode()
    is_true = pc.equal(pc.utf8_lower(pc.utf8_trim_whitespace(words.dictionary)), "true")
    is_false = pc.equal(pc.utf8_lower(pc.utf8_trim_whitespace(words.dictionary)), "false")
    if not len(words.dictionary) or pc.all(pc.or_(is_true, is_false)).as_py() is False:
        return array
    return pc.cast(is_true, pa.int64()).take(words.indices)


def others(mask: Bools) -> str:
    """Say in how many rows besides the first of a mask it is the same; nothing where there is no other."""
    count = int(mask.sum()) - 1
    return f", nor in {count:,} other row{'s' if count > 1 else ''}" if count else ""


def has_leading_zeros(column: pa.ChunkedArray | pa.Array) -> bool:
    """Whether a column of text has digits after a zero, as postcodes and account numbers have."""
    if not pa.types.is_string(column.type):
        return False
    return bool(pc.any(pc.match_substring_regex(column, r"^\s*0\d+\s*$")).as_py())


def _from_numbers(array: pa.Array) -> Numbers:
    none_bad = np.zeros(len(array), dtype=bool)
    if pa.types.is_integer(array.type) or pa.types.is_boolean(array.type) or pa.types.is_null(array.type):
        return Numbers(array, none_bad)
    if pa.types.is_floating(array.type) or pa.types.is_decimal(array.type):
        return Numbers(*_finite(pc.cast(array, pa.float64())))
    return Numbers(pa.nulls(len(array), pa.float64()), np.asarray(pc.is_valid(array)).astype(bool))


def _finite(values: pa.Array) -> tuple[pa.Array, Bools]:
    """Null in place of NaN, and a mask of the infinite values."""
    values = pc.if_else(pc.is_nan(values), pa.scalar(None, pa.float64()), values)
    return values, np.asarray(pc.fill_null(pc.is_inf(values), False)).astype(bool)


def _without_decoration(words: pa.Array) -> pa.Array:
    """Words without signs of currencies, blanks and apostrophes; null for those that stand for no number."""
    is_empty = pc.is_in(pc.utf8_lower(words), pa.array(NO_NUMBER, pa.string()))
    words = pc.if_else(is_empty, pa.scalar(None, pa.string()), words)
    has_digit = pc.match_substring_regex(words, r"\d")
    negative = pc.starts_with(words, "-")
    bare = pc.replace_substring_regex(words, CURRENCY, "")
    bare = pc.replace_substring_regex(bare, rf"(\d){BLANKS}(\d)", r"\1\2")
    bare = pc.if_else(
        pc.and_(negative, pc.invert(pc.starts_with(bare, "-"))),
        pc.binary_join_element_wise("-", bare, ""),
        bare,
    )
    return pc.if_else(has_digit, bare, words)


def _matches(words: pa.Array, pattern: str, decimal: str) -> pa.Array:
    thousands = "," if decimal == "." else "."
    return pc.match_substring_regex(words, pattern.replace("D", f"[{decimal}]").replace("T", f"[{thousands}]"))


def _decimal_mark(words: pa.Array, delimiter: str) -> tuple[str, str]:
    """The decimal mark that most cells tell of, and what to say of it."""
    votes = {}
    for mark in (".", ","):
        certain = [pc.fill_null(_matches(words, pattern, mark), False) for pattern in CERTAIN]
        votes[mark] = sum(bool(value) for value in np.logical_or.reduce([np.asarray(part) for part in certain]))
    has_comma = pc.any(pc.match_substring(words, ",")).as_py()
    if not has_comma and not votes[","]:
        return ".", ""
    if votes["."] != votes[","]:
        mark = max(votes, key=lambda candidate: votes[candidate])
    else:
        mark = "," if delimiter == ";" else "."
    return mark, "a comma as the decimal mark" if mark == "," else "a comma between thousands"

"""Columns of ids: every id stays the text that it is, and a cell that names nobody is empty."""

from __future__ import annotations

import re
from itertools import islice

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ml.events.normalization.ids import EMPTY_WORDS
from ml.tables.chunks import TableError
from ml.tables.conversion import as_text, flatten
from ml.tables.list_cells import holds_objects, is_list_like, parse_list
from ml.tables.number_columns import CellPlace, others

WHOLE_FLOAT = r"^\d+\.0$"
MISSING_NUMBERS = ["na", "n/a", "#n/a"]  # as R and spreadsheets have it; beside words, `NA` may be Namibia
JUDGED_WORDS = 200
# `N55528 N19639`: letters and a number each time. Numbers alone are left out, since telephone numbers have blanks.
CODES = re.compile(r"([A-Za-z]{1,3})\d+( \1\d+)+")


def read_ids(column: pa.ChunkedArray | pa.Array, name: str) -> pa.Array:
    """Read a column as ids, null where there is none.

    Blanks around an id go. Words such as `NULL` and `NaN`, which programs write where they have no id, are none,
    and `NA` is none where all others are numbers.
    Ids that a program made floats of, because some were missing, get their form back: `17850` of `17850.0`. Bytes
    that are no text, as those of a UUID, become hexadecimal digits.

    Args:
        column: Text, integers, floats or bytes.
        name: The column, as messages call it.

    Returns:
        Text or integers, (len(column),); text may be dictionary-encoded.

    Raises:
        TableError: The values are lists, structs or the like.
    """
    array = flatten(column)
    if pa.types.is_integer(array.type) and not array.null_count:
        return array
    try:
        if pa.types.is_floating(array.type):
            text = as_text(array)
        else:
            text = _bytes_as_text(array) if _holds_bytes(array.type) else pc.cast(array, pa.string())
    except (pa.ArrowNotImplementedError, pa.ArrowInvalid):
        raise TableError(f"{name}: expected ids, found {array.type}") from None
    encoded = text.dictionary_encode()
    words = _cleaned(encoded.dictionary)
    return encoded if words.equals(encoded.dictionary) else words.take(encoded.indices)


def read_unique_ids(column: pa.ChunkedArray | pa.Array, place: CellPlace, otherwise: str = "") -> pa.StringArray:
    """Read a column that must hold an id in each cell, and each id once: text, (len(column),).

    Args:
        column: As `read_ids` reads it.
        place: Where the cells stand.
        otherwise: What else to do than to mend the rows, for messages, from the comma before it.

    Raises:
        TableError: A row has the id of an earlier one, or none; the message names the first. Or as `read_ids`.
    """
    ids = pc.cast(flatten(read_ids(column, f"{place.file}: column {place.column!r}")), pa.string())
    missing = np.asarray(pc.is_null(ids)).astype(bool)
    rows = np.flatnonzero(~missing)
    codes = ids.drop_null().dictionary_encode().indices.to_numpy(zero_copy_only=False)
    _, first = np.unique(codes, return_index=True)
    if len(first) < len(rows):
        row = int(np.setdiff1d(rows, rows[first])[0])
        raise place.error(
            row,
            f"{ids[row].as_py()!r} has an earlier row already; {len(rows):,} rows have {len(first):,} different "
            f"ids. Give each id one row{otherwise}",
        )
    if missing.any():
        raise place.error(int(np.argmax(missing)), f"there is no id{others(missing)}. Fill it{otherwise}")
    return ids


def _holds_bytes(kind: pa.DataType) -> bool:
    checks = (pa.types.is_binary, pa.types.is_large_binary, pa.types.is_fixed_size_binary)
    return any(check(kind) for check in checks)


def _bytes_as_text(array: pa.Array) -> pa.Array:
    """Bytes as the text in UTF-8 that they are, or else all of them as hexadecimal digits."""
    variable = pc.cast(array, pa.large_binary())
    try:
        return pc.cast(pc.cast(variable, pa.large_string()), pa.string())
    except pa.ArrowInvalid:
        encoded = variable.dictionary_encode()
        digits = [None if value is None else value.hex() for value in encoded.dictionary.to_pylist()]
        return pa.array(digits, pa.string()).take(encoded.indices)


def _cleaned(words: pa.Array) -> pa.Array:
    trimmed = pc.utf8_trim_whitespace(words)
    lower = pc.utf8_lower(trimmed)
    is_empty = pc.is_in(lower, pa.array(sorted({"", *EMPTY_WORDS}), pa.string()))
    trimmed = pc.if_else(is_empty, pa.scalar(None, pa.string()), trimmed)
    is_missing = pc.is_in(pc.utf8_lower(trimmed), pa.array(MISSING_NUMBERS, pa.string()))
    if pc.any(is_missing).as_py():
        numbers = trimmed.filter(pc.invert(is_missing)).drop_null()
        if len(numbers) and pc.all(pc.match_substring_regex(numbers, r"^\d+(\.0)?$")).as_py():
            trimmed = pc.if_else(is_missing, pa.scalar(None, pa.string()), trimmed)
    if len(trimmed) > trimmed.null_count and pc.all(pc.match_substring_regex(trimmed, WHOLE_FLOAT)).as_py():
        return pc.replace_substring(trimmed, ".0", "", max_replacements=1)
    return trimmed


def check_one_id_each(column: pa.ChunkedArray | pa.Array, place: CellPlace) -> None:
    """Refuse a column of ids in which most of the first different cells hold several.

    Args:
        column: Integers or text, null where there is no id.
        place: Where the cells stand.

    Raises:
        TableError: Most cells are lists; the message names the first.
    """
    array = flatten(column)
    if not pa.types.is_string(array.type):
        return
    words = pc.unique(array.drop_null())
    judged = list(islice(words.to_pylist(), JUDGED_WORDS))
    lists = [word for word in judged if _holds_several(word)]
    if not lists or len(lists) <= len(judged) / 2:
        return
    several = pc.is_in(array, pa.array(lists, pa.string())).to_numpy(zero_copy_only=False)
    row, more = int(several.argmax()), int(several.sum()) - 1
    alike = f", and {more:,} other cell{'s do' if more > 1 else ' does'} too" if more else ""
    raise place.error(row, f"{_shown(array[row].as_py())} holds several ids{alike}. Write a row for each of them")


def _holds_several(word: str) -> bool:
    if CODES.fullmatch(word):
        return True
    if not is_list_like(word):
        return False
    try:
        return holds_objects(word) or len(parse_list(word)) > 1
    except ValueError:
        return False


def _shown(word: str) -> str:
    return repr(word if len(word) <= 60 else f"{word[:60]}…")

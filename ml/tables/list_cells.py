"""Cells of text that hold lists: in JSON, as Python prints them, or separated by `|`."""

from __future__ import annotations

import ast
import json
import re
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from ml.tables.conversion import flatten
from ml.tables.number_columns import CellPlace

BRACKETS = {"[": "]", "{": "}"}
PRINTED_BY_NUMPY = re.compile(r"""(?<=['"])\s+(?=['"])""")  # ['a' 'b'], which Python would read as one text
ARRAY = re.compile(r"(?:array|set|frozenset|tuple)\((.*)\)", re.DOTALL)
FIRST_TEXT = re.compile(r"""\[\s*(['"{])[^\]]*$""")  # `['a', `, cut before the end
TUPLE = re.compile(r"""\((['"]).*\1,?\)""", re.DOTALL)  # other text in parentheses is a remark


def is_list_like(text: str) -> bool:
    """Return whether a cell begins and ends as a list does, or begins as only a list of texts does."""
    stripped = text.strip()
    if len(stripped) > 1 and BRACKETS.get(stripped[0]) == stripped[-1]:
        return True
    return bool(TUPLE.fullmatch(stripped) or FIRST_TEXT.match(stripped))


def holds_objects(text: str) -> bool:
    """Return whether a cell is a list that can be read and has elements that are no texts, such as objects."""
    try:
        return any(not _is_text(element) for element in _elements(text.strip()))
    except ValueError:
        return False


def parse_list(text: str, separator: str = "|") -> list[str]:
    """Read one cell as a list of texts without blanks around them; an object `{"name": …}` gives its name.

    Raises:
        ValueError: It begins and ends as a list, and is none in JSON or Python.
    """
    bare = text.strip()
    if ARRAY.fullmatch(bare):
        bare = ARRAY.sub(r"\1", bare)
    if not is_list_like(bare):
        return [part.strip() for part in bare.split(separator) if part.strip()]
    return [entry for entry in map(_as_text, _elements(bare)) if entry]


def read_lists(column: pa.ChunkedArray | pa.Array, place: CellPlace, separator: str = "|") -> pa.ListArray:
    """Read a column as lists of texts, (len(column),); an empty cell is an empty list.

    Args:
        column: Lists, or text.
        place: Where the cells stand.
        separator: What separates the elements of a cell without brackets.

    Raises:
        TableError: A cell looks like a list and cannot be read as one, or the column has no text.
    """
    array = flatten(column)
    if pa.types.is_list(array.type) or pa.types.is_large_list(array.type):
        try:
            return pc.cast(array, pa.list_(pa.string()))
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
            raise place.error(0, f"expected lists of text, found {array.type}") from None
    if pa.types.is_null(array.type):
        return array.cast(pa.list_(pa.string()))
    if not (pa.types.is_string(array.type) or pa.types.is_large_string(array.type)):
        raise place.error(0, f"expected a list such as a|b, found {array[0].as_py()!r}")
    encoded = array.dictionary_encode()
    lists: list[list[str] | None] = []
    for code, word in enumerate(encoded.dictionary.to_pylist()):
        try:
            lists.append(parse_list(word, separator))
        except ValueError as error:
            row = pc.index(encoded.indices, code).as_py()
            raise place.error(row, f"{word[:80]!r} looks like a list, but {error}") from None
    return pa.array(lists, pa.list_(pa.string())).take(encoded.indices)


def _elements(text: str) -> list[Any]:
    """The elements of a list in JSON or Python.

    Raises:
        ValueError: It is neither.
    """
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        try:
            value = ast.literal_eval(PRINTED_BY_NUMPY.sub(", ", text))
        except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
            raise ValueError(
                'cannot be read as one; write it as JSON, such as ["a", "b"], or without brackets as a|b'
            ) from None
    if isinstance(value, dict):
        return [value] if "name" in value else [f"{name}:{entry}" for name, entry in value.items()]
    return sorted(value, key=str) if isinstance(value, set) else list(value if not _is_scalar(value) else [value])


def _is_scalar(value: Any) -> bool:
    return value is None or isinstance(value, str | int | float | bool)


def _is_text(element: Any) -> bool:
    return _is_scalar(element) or _is_named(element)


def _is_named(element: Any) -> bool:
    return isinstance(element, dict) and _is_scalar(element.get("name")) and element.get("name") is not None


def _as_text(element: Any) -> str:
    if _is_named(element):
        return str(element["name"]).strip()
    if not _is_scalar(element):
        raise ValueError(f"its element {str(element)[:40]!r} is not text; a list of texts is needed")
    return "" if element is None else str(element).strip()

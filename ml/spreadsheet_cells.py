"""Cells of CSV files that a spreadsheet would run as formulas, which ids and texts of strangers may hold."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

ESCAPE = "'"
STARTS = r"[=+\-@\t\r']"


def escape_formulas(table: pa.Table) -> pa.Table:
    """Return a table for a CSV file, in which texts that begin like a formula get the prefix `'`.

    A formula begins with `=`, `+`, `-`, `@`, a tab or a carriage return. A text that already begins with `'` gets
    a second one, so that `unescape_formulas` always gives the text back. The names of the columns are treated
    alike.
    """
    return _replace_texts(table, f"^({STARTS})", r"'\1")


def unescape_formulas(table: pa.Table) -> pa.Table:
    """Return a table that was read from a CSV file with the texts that `escape_formulas` was given."""
    return _replace_texts(table, f"^'({STARTS})", r"\1")


def escape_formula(text: str) -> str:
    """Return one cell as `escape_formulas` writes it."""
    return str(escape_formulas(pa.table({"text": [text]}))["text"][0])


def _replace_texts(table: pa.Table, pattern: str, replacement: str) -> pa.Table:
    def replace(texts: pa.ChunkedArray) -> pa.ChunkedArray:
        return pc.replace_substring_regex(texts, pattern=pattern, replacement=replacement, max_replacements=1)

    for place, field in enumerate(table.schema):
        if pa.types.is_string(field.type) or pa.types.is_large_string(field.type):
            table = table.set_column(place, field, replace(table.column(place)))
    return table.rename_columns(replace(pa.chunked_array([table.column_names], pa.string())).to_pylist())

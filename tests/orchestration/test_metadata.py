"""Figures and tables become Markdown for Dagster's pages."""

from __future__ import annotations

import base64

import pyarrow as pa
from matplotlib.figure import Figure

from orchestration.defs.metadata import figure_metadata, table_metadata


def test_a_table_is_written_with_its_numbers_in_the_given_format() -> None:
    table = pa.table({"name": ["a", None], "share": [0.12345, 2.0]})
    assert table_metadata(table).md_str == "| name | share |\n|---|---|\n| a | 0.1235 |\n| None | 2 |"
    assert table_metadata(table, ".1f").md_str == "| name | share |\n|---|---|\n| a | 0.1 |\n| None | 2.0 |"


def test_a_figure_is_written_as_an_inline_png() -> None:
    prefix = "![figure](data:image/png;base64,"
    text = figure_metadata(Figure(figsize=(1, 1))).md_str
    assert text.startswith(prefix)
    assert base64.b64decode(text.removeprefix(prefix).removesuffix(")")).startswith(b"\x89PNG")

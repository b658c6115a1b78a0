"""Tables for the terminal, of which a narrow one cuts nothing off."""

from __future__ import annotations

from typing import Any

from rich.table import Column, Table


def text_table(*headings: str | Column, **options: Any) -> Table:
    """Create a table whose cells wrap where they do not fit: a cut name could not be typed, nor a cut number read.

    Args:
        headings: Names of the columns, or columns with a justification of their own.
        options: Passed on to `rich.table.Table`.
    """
    columns = [Column(heading) if isinstance(heading, str) else heading for heading in headings]
    for column in columns:
        column.overflow = "fold"
        column.no_wrap = False
    return Table(*columns, **options)

"""What a page of the console is made of: cards with one figure each, and sheets with a table and its chart."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ml.spreadsheet_cells import escape_formula

Cell = str | int | float | None


@dataclass(frozen=True)
class Card:
    """One figure.

    Attributes:
        label: What it is.
        value: The figure as text.
        note: Its interval, or what it rests on.
        change: Change since the time that it is compared with, as text; empty without one.
        direction: `up`, `down` or empty.
    """

    label: str
    value: str
    note: str = ""
    change: str = ""
    direction: str = ""


@dataclass(frozen=True)
class Sheet:
    """A table, and the chart that shows it.

    Attributes:
        key: Name of the sheet in addresses.
        title: Heading.
        columns: Headings of the columns.
        rows: A value for each column; numbers stay numbers.
        note: What a reader has to know.
        chart: Description of the chart for `console.js`; None for a table alone.
        is_tall: Whether the chart needs height.
        is_half: Whether two sheets fit beside each other.
        is_open: Whether the table below a chart is shown at once.
        empty: What to say where there are no rows.
    """

    key: str
    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    note: str = ""
    chart: Mapping[str, Any] | None = None
    is_tall: bool = False
    is_half: bool = False
    is_open: bool = False
    empty: str = "Nothing was counted on these dates with these filters."

    def as_csv(self) -> str:
        """Return the table as CSV, in which no text is a formula."""
        buffer = io.StringIO()
        writer = csv.writer(buffer, lineterminator="\n")
        writer.writerow([escape_formula(column) for column in self.columns])
        for row in self.rows:
            writer.writerow([escape_formula(cell) if isinstance(cell, str) else cell for cell in row])
        return buffer.getvalue()


@dataclass(frozen=True)
class ConsolePage:
    """The content of a page.

    Attributes:
        cards: Figures on top.
        sheets: Tables with their charts.
        notes: Sentences above them.
    """

    cards: Sequence[Card] = ()
    sheets: Sequence[Sheet] = ()
    notes: Sequence[str] = field(default_factory=tuple)

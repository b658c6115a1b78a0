"""What a page of the console is made of: cards with one figure, sheets with a table and its chart, and forms."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ml.spreadsheet_cells import escape_formula
from serving.console.localized_texts import say

Cell = str | int | float | None
BARS = 12  # of a chart; the table has every row


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
        links: For each row, where its first cell leads to; empty where it leads nowhere.
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
    links: Sequence[str] = ()

    def as_csv(self) -> str:
        """Return the table as CSV, in which no text is a formula."""
        buffer = io.StringIO()
        writer = csv.writer(buffer, lineterminator="\n")
        writer.writerow([escape_formula(column) for column in self.columns])
        for row in self.rows:
            writer.writerow([escape_formula(cell) if isinstance(cell, str) else cell for cell in row])
        return buffer.getvalue()


def chart_bars(rows: Sequence[Sequence[Cell]], series: Mapping[str, int]) -> dict[str, Any]:
    """Describe a chart of the first rows: a bar for the cell at each place of `series`, by the first cell."""
    shown = rows[:BARS]
    return {
        "kind": "bar",
        "sideways": True,
        "x": [row[0] for row in shown],
        "series": [{"name": say(name), "values": [row[place] for row in shown]} for name, place in series.items()],
        "whole": True,
    }


@dataclass(frozen=True)
class FormField:
    """A field of a form.

    Attributes:
        name: Its name in the request.
        label: What stands above it; a hidden field has none.
        value: What it holds, or which option is chosen.
        options: Value and name of each option of a select field; None for a text.
        kind: `text`, `number`, `checkbox` or `hidden`.
        hint: An example of what can be written.
        is_required: Whether the form is sent only with it.
        live: Where what it holds is shown as it is written; empty for nowhere.
        words: What can be written, separated by spaces; completed as it is written.
        is_wide: Whether it needs a line of its own.
        is_suggested: Whether the suggestions of the form complete it.
    """

    name: str
    label: str = ""
    value: str = ""
    options: Sequence[tuple[str, str]] | None = None
    kind: str = "text"
    hint: str = ""
    is_required: bool = False
    live: str = ""
    words: str = ""
    is_wide: bool = False
    is_suggested: bool = False


@dataclass(frozen=True)
class Form:
    """A form.

    Attributes:
        key: Name of the form on its page.
        title: Heading.
        address: Where it is sent.
        fields: Its fields.
        button: What its button says.
        note: What a reader has to know.
        changes: Whether it does something; else it chooses what is shown, and stands in the address.
        is_dangerous: Whether what it does cannot be undone.
        live: Where what its fields hold is shown as they are written; empty for nowhere.
        suggestions: What can be written into its suggested fields.
    """

    key: str
    title: str
    address: str
    fields: Sequence[FormField]
    button: str
    note: str = ""
    changes: bool = False
    is_dangerous: bool = False
    live: str = ""
    suggestions: Sequence[str] = ()


@dataclass(frozen=True)
class LatePart:
    """A part of a page that takes longer to make and is loaded after it.

    Attributes:
        key: Name of the part on its page.
        title: What it is.
        address: Where it is loaded from.
        every_seconds: After how long it is loaded again; 0 for never.
    """

    key: str
    title: str
    address: str
    every_seconds: int = 0


@dataclass(frozen=True)
class ConsolePage:
    """The content of a page.

    Attributes:
        cards: Figures on top.
        sheets: Tables with their charts.
        notes: Sentences above them.
        forms: What a reader can choose or do.
        late: Parts that are loaded after the page.
        live: Where the page is told what happens now; empty for nowhere.
        has_forms_last: Whether the forms stand below the sheets.
        fault: Why something that the reader chose cannot be shown; empty if it can.
    """

    cards: Sequence[Card] = ()
    sheets: Sequence[Sheet] = ()
    notes: Sequence[str] = field(default_factory=tuple)
    forms: Sequence[Form] = ()
    late: Sequence[LatePart] = ()
    fault: str = ""
    live: str = ""
    has_forms_last: bool = False

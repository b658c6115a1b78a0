"""Pages: views, entries, exits, bounces and attention."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pyarrow.compute as pc

from ml.console.published import PublishedTables
from ml.console.selection import VisitSelection
from ml.console.tables import LEFT, NO_PAGE, OTHER, START


@dataclass(frozen=True)
class PageFigures:
    """Figures of a page; those of all rare pages together bear the number OTHER."""

    page: int
    views: int
    entries: int
    exits: int
    bounces: int
    dwell_seconds: float | None


def collect_pages(tables: PublishedTables, selection: VisitSelection) -> list[PageFigures]:
    """Work out the figures of every page with a view, the most viewed first and the rare ones last."""
    views = {
        row["page"]: row
        for row in tables.sums(
            "moves",
            selection,
            ("page",),
            ("moves", "bounces", "dwells", "dwell_milliseconds"),
            pc.field("page") != START,
        )
    }
    entries = dict(_moves(tables, selection, "next_page", pc.field("page") == START))
    exits = dict(_moves(tables, selection, "page", pc.field("next_page") == LEFT))
    figures = [
        PageFigures(
            page,
            row["moves"],
            entries.get(page, 0),
            exits.get(page, 0),
            row["bounces"],
            row["dwell_milliseconds"] / 1000 / row["dwells"] if row["dwells"] else None,
        )
        for page, row in views.items()
    ]
    return sorted(figures, key=lambda each: (each.page == OTHER, -each.views, each.page))


def page_name(tables: PublishedTables, page: int) -> str:
    """Return the title of a page, else its address, or the words for what is no single page."""
    words = {OTHER: "Other pages", LEFT: "Left", START: "Start", NO_PAGE: "No page view"}
    if page in words:
        return words[page]
    row = tables.pages[page]
    return str(row["title"] or row["page_key"])


def _moves(
    tables: PublishedTables, selection: VisitSelection, by: str, condition: pc.Expression
) -> Iterator[tuple[int, int]]:
    for row in tables.sums("moves", selection, (by,), ("moves",), condition):
        yield row[by], row["moves"]

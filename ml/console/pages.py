"""Pages: views, entries, exits, bounces and attention."""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from ml.console.published import PublishedTables, sum_by
from ml.console.selection import VisitSelection
from ml.console.tables import LEFT, NO_PAGE, OTHER, START

MEASURES = ("moves", "bounces", "dwells", "dwell_milliseconds")


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
    moves = tables.read("moves", selection, columns=("page", "next_page", *MEASURES))
    pairs = sum_by(moves, ("page", "next_page"), MEASURES)
    is_start = pc.equal(pairs["page"], START)
    views = _by_page(pairs.filter(pc.invert(is_start)), "page")
    entries = _by_page(pairs.filter(is_start), "next_page")
    exits = _by_page(pairs.filter(pc.equal(pairs["next_page"], LEFT)), "page")
    figures = [
        PageFigures(
            page,
            row["moves"],
            entries[page]["moves"] if page in entries else 0,
            exits[page]["moves"] if page in exits else 0,
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


def _by_page(pairs: pa.Table, column: str) -> dict[int, dict[str, int]]:
    """Sum the measures of pairs of pages by the number of the page in a column."""
    return {row[column]: row for row in sum_by(pairs, (column,), MEASURES).to_pylist()}

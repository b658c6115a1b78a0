"""The most viewed items: views, attention, and what was bought."""

from __future__ import annotations

from dataclasses import dataclass

from ml.console.published import PublishedTables
from ml.console.selection import VisitSelection

MEASURES = (
    "views", "dwells", "dwell_milliseconds", "scrolled_views", "scrolled_percent", "add_to_carts", "purchases",
)  # fmt: skip


@dataclass(frozen=True)
class ItemFigures:
    """Figures of an item.

    Attributes:
        item_id: The item.
        title: Its title; empty where none is known.
        views: Page views.
        dwell_seconds: Mean attention of a view; None where it is known of none.
        scrolled_percent: How far a view was scrolled at most, on average; None where it is known of none.
        add_to_carts: Times that it was put into a cart.
        purchases: Purchases of it.
    """

    item_id: str
    title: str
    views: int
    dwell_seconds: float | None
    scrolled_percent: float | None
    add_to_carts: int
    purchases: int


def collect_items(tables: PublishedTables, selection: VisitSelection) -> list[ItemFigures]:
    """Work out the figures of every item that was viewed or bought, the most viewed first."""
    items = [
        ItemFigures(
            row["item_id"],
            row["title"],
            row["views"],
            row["dwell_milliseconds"] / 1000 / row["dwells"] if row["dwells"] else None,
            row["scrolled_percent"] / row["scrolled_views"] if row["scrolled_views"] else None,
            row["add_to_carts"],
            row["purchases"],
        )
        for row in tables.sums("items", selection, ("item_id", "title"), MEASURES)
    ]
    return sorted(items, key=lambda item: (-item.views, -item.purchases, item.item_id))

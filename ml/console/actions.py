"""What people do on pages, beside viewing them."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

from ml.console.published import PublishedTables
from ml.console.selection import VisitSelection

IN_VAIN = ("dead_click", "rage_click")


@dataclass(frozen=True)
class VainClicks:
    """Clicks on a page that say that something does not work.

    Attributes:
        page: Number of the page; OTHER for all rare ones, NO_PAGE for clicks of which no page is known.
        clicks: Clicks.
        dead: Clicks without an effect.
        rage: Clicks that were at least the third on one element within a moment.
    """

    page: int
    clicks: int
    dead: int
    rage: int


PageActions = Mapping[int, Mapping[str, int]]
"""How often each action was done, by the number of the page."""


def count_actions_of_pages(tables: PublishedTables, selection: VisitSelection) -> PageActions:
    """Count how often each action was done, by the number of the page."""
    counts: dict[int, dict[str, int]] = defaultdict(dict)
    for row in tables.sums("page_actions", selection, ("page", "action"), ("times",)):
        counts[row["page"]][row["action"]] = row["times"]
    return dict(counts)


def sum_actions(of_pages: PageActions) -> dict[str, int]:
    """Sum how often each action was done on any page, the most frequent first."""
    times = Counter[str]()
    for counts in of_pages.values():
        times.update(counts)
    return dict(sorted(times.items(), key=lambda action: (-action[1], action[0])))


def list_vain_clicks(of_pages: PageActions) -> list[VainClicks]:
    """List the pages with clicks in vain, those with the most of them first."""
    pages = [
        VainClicks(page, counts.get("click", 0), *(counts.get(action, 0) for action in IN_VAIN))
        for page, counts in of_pages.items()
    ]
    in_vain = [page for page in pages if page.dead or page.rage]
    return sorted(in_vain, key=lambda page: (-page.dead - page.rage, page.page))

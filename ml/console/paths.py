"""Paths of visits as layers of nodes, whose links add up to the visits."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

import pyarrow.compute as pc

from ml.console.published import PublishedTables
from ml.console.selection import VisitSelection
from ml.console.tables import LATER, LEFT, NO_PAGE, OTHER

ENDS = frozenset({LEFT, NO_PAGE})
Node = tuple[int, int]
"""Step and number of a page, or of what is no single page."""


@dataclass(frozen=True)
class PathFlows:
    """Flows between nodes.

    Attributes:
        links: Moves between two nodes, of which the second stands one step later.
        total: Moves out of the first layer; in `follow_visits` these are all visits.
    """

    links: Mapping[tuple[Node, Node], int]
    total: int

    def into(self, node: Node) -> int:
        """Moves that lead to a node."""
        return sum(moves for (_, target), moves in self.links.items() if target == node)

    def out_of(self, node: Node) -> int:
        """Moves that lead away from a node."""
        return sum(moves for (origin, _), moves in self.links.items() if origin == node)


def follow_visits(tables: PublishedTables, selection: VisitSelection, steps: int, pages_shown: int) -> PathFlows:
    """Follow all visits from their beginning through their first pages.

    Each layer shows the pages with the most views there, and adds the rest up as other pages. What flows into a
    page flows out of it, to a further page or to the end of the visit, except in the last layer.

    Args:
        tables: The published tables.
        selection: The dates and filters.
        steps: Number of layers of pages, below LATER.
        pages_shown: Pages that each layer shows by themselves.

    Raises:
        ValueError: There are not as many steps.
    """
    if not 0 < steps < LATER:
        raise ValueError(f"there are 1 to {LATER - 1} steps, not {steps}")
    rows = tables.sums("moves", selection, ("step", "page", "next_page"), ("moves",), pc.field("step") < steps)
    arrivals: dict[int, Counter[int]] = {step: Counter() for step in range(1, steps + 1)}
    for row in rows:
        arrivals[row["step"] + 1][row["next_page"]] += row["moves"]
    shown = {step: _most_viewed(counts, pages_shown) for step, counts in arrivals.items()}
    links: Counter[tuple[Node, Node]] = Counter()
    for row in rows:
        step = row["step"]
        origin = row["page"] if step == 0 or row["page"] in shown[step] else OTHER
        target = row["next_page"]
        if target not in ENDS and target not in shown[step + 1]:
            target = OTHER
        links[(step, origin), (step + 1, target)] += row["moves"]
    return PathFlows(links, sum(row["moves"] for row in rows if row["step"] == 0))


def surround_page(tables: PublishedTables, selection: VisitSelection, page: int, pages_shown: int) -> PathFlows:
    """Return what came before and after each view of a page, wherever in a visit it was.

    The moves into the page, also from the beginning of a visit, are its views. So are the moves out of it, also to
    the end of the visit.

    Args:
        tables: The published tables.
        selection: The dates and filters.
        page: Number of the page.
        pages_shown: Pages that are shown by themselves on either side.
    """
    before = _count_by(tables, selection, "page", pc.field("next_page") == page)
    after = _count_by(tables, selection, "next_page", pc.field("page") == page)
    links: Counter[tuple[Node, Node]] = Counter()
    for counts, is_before in ((before, True), (after, False)):
        shown = _most_viewed(counts, pages_shown)
        for other, moves in counts.items():
            name = other if other in shown or other < OTHER else OTHER
            links[((0, name), (1, page)) if is_before else ((1, page), (2, name))] += moves
    return PathFlows(links, sum(before.values()))


def _count_by(
    tables: PublishedTables, selection: VisitSelection, by: str, condition: pc.Expression
) -> Counter[int]:
    rows = tables.sums("moves", selection, (by,), ("moves",), condition)
    return Counter({row[by]: row["moves"] for row in rows})


def _most_viewed(counts: Counter[int], most: int) -> set[int]:
    pages = [(-moves, page) for page, moves in counts.items() if page > OTHER]
    return {page for _, page in sorted(pages)[:most]}

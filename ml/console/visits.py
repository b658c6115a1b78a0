"""People and their visits: totals, days, and parts by a dimension."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from ml.console.published import PublishedTables
from ml.console.selection import VisitSelection
from ml.usage.ratios import Ratio, share_of_sums

MEASURES = (
    "visits", "page_views", "bounces", "conversions", "purchases", "revenue", "measured_visits",
    "engaged_milliseconds", "visits_people", "visits_visits", "conversions_visits", "conversions_conversions",
    "bounces_visits", "bounces_bounces",
)  # fmt: skip


@dataclass(frozen=True)
class VisitFigures:
    """Figures of some visits.

    Attributes:
        visits: Number of visits.
        page_views: Page views.
        purchases: Purchases.
        revenue: Their amounts in the currency of the site.
        conversion: Visits with a purchase, of all visits, with an interval over person-days.
        bounce: Bounces of all visits, with an interval over person-days.
        engaged_seconds: Mean attention of a visit; None where it is known of none.
    """

    visits: int
    page_views: int
    purchases: int
    revenue: float
    conversion: Ratio
    bounce: Ratio
    engaged_seconds: float | None


@dataclass(frozen=True)
class AudienceFigures(VisitFigures):
    """Figures of some visits, and of the people who made them.

    Attributes:
        visitors: Number of people.
    """

    visitors: int


def count_visitors(
    tables: PublishedTables, selection: VisitSelection, by: Sequence[str] = ()
) -> dict[tuple[Any, ...], int]:
    """Count people by columns, each once for each value of these columns.

    Args:
        tables: The published tables.
        selection: The dates and filters.
        by: Dimensions; `date` counts the people of each date.

    Returns:
        Number of people by the values of the columns; with no columns, one number under `()`.
    """
    condition = pc.field("counted_by") == selection.counted_by(*by)
    if "date" not in by:  # else each person would count on the first date of the range only
        before = pc.field("previous_date")
        condition &= before.is_null() | (before < pa.scalar(selection.first))
    rows = tables.sums("visitors", selection, by, ["visitors"], condition)
    return {tuple(row[name] for name in by): row["visitors"] for row in rows}


def collect_totals(tables: PublishedTables, selection: VisitSelection) -> AudienceFigures:
    """Work out the figures of all visits of a selection."""
    row = tables.sums("visits", selection, (), MEASURES)[0]
    return AudienceFigures(**_figures(row), visitors=count_visitors(tables, selection)[()])


def collect_parts(
    tables: PublishedTables, selection: VisitSelection, *by: str
) -> dict[tuple[Any, ...], AudienceFigures]:
    """Work out the figures by dimensions or by `date`."""
    people = count_visitors(tables, selection, by)
    parts = {}
    for row in tables.sums("visits", selection, by, MEASURES):
        key = tuple(row[name] for name in by)
        parts[key] = AudienceFigures(**_figures(row), visitors=people[key])
    return parts


def collect_campaigns(tables: PublishedTables, selection: VisitSelection) -> dict[tuple[str, str], VisitFigures]:
    """Work out the figures by campaign and source, both empty for the small ones, which are counted together."""
    rows = tables.sums("campaigns", selection, ("campaign", "source"), MEASURES)
    return {(row["campaign"], row["source"]): VisitFigures(**_figures(row)) for row in rows}


def collect_dayparts(tables: PublishedTables, selection: VisitSelection) -> dict[tuple[int, int], tuple[int, int]]:
    """Return visits and conversions by weekday, from 1 for Monday, and hour by the visitor's clock."""
    rows = tables.sums("dayparts", selection, ("weekday", "hour"), ("visits", "conversions"))
    return {(row["weekday"], row["hour"]): (row["visits"], row["conversions"]) for row in rows}


def _figures(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of `VisitFigures` from sums."""
    measured = row["measured_visits"]
    return {
        **{name: row[name] for name in ("visits", "page_views", "purchases", "revenue")},
        "conversion": share_of_sums(row, "conversions", "visits"),
        "bounce": share_of_sums(row, "bounces", "visits"),
        "engaged_seconds": row["engaged_milliseconds"] / 1000 / measured if measured else None,
    }

"""Retention: people by the week of their first visit, and who of them came again."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from ml.console.published import PublishedTables
from ml.console.selection import VisitSelection


@dataclass(frozen=True)
class CohortWeeks:
    """People whose first visit was in a week.

    Attributes:
        week: Monday of that week.
        people: How many they are.
        active: Who of them came in that week and in each further week that has begun.
        last_is_whole: Whether the last of these weeks has ended.
    """

    week: dt.date
    people: int
    active: tuple[int, ...]
    last_is_whole: bool


def collect_cohorts(tables: PublishedTables, selection: VisitSelection) -> list[CohortWeeks]:
    """Work out the cohorts whose first week overlaps the dates.

    Of the filters, only the segment counts: the others belong to visits, and a person's visits may differ in them.
    """
    monday = selection.first - dt.timedelta(days=selection.first.weekday())
    week = pc.field("cohort_week")
    condition = (week >= pa.scalar(monday)) & (week <= pa.scalar(selection.last))
    if "segment" in selection.filters:
        condition &= pc.field("segment") == selection.filters["segment"]
    rows = tables.read("retention", columns=("cohort_week", "week_number", "active_people"), condition=condition)
    sums = rows.group_by(["cohort_week", "week_number"]).aggregate([("active_people", "sum")])
    active = {(row["cohort_week"], row["week_number"]): row["active_people_sum"] for row in sums.to_pylist()}
    last = tables.about["last_date"]
    cohorts = []
    for start in sorted({week for week, _ in active}):
        weeks = (last - start).days // 7 + 1
        counts = tuple(active.get((start, number), 0) for number in range(weeks))
        cohorts.append(CohortWeeks(start, counts[0], counts, (last - start).days % 7 == 6))
    return cohorts

"""Counts a funnel that nobody has defined yet, from the steps of the newest visits."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ml.arrays import I64, Bools
from ml.console.published import PublishedTables
from ml.errors import InvalidInputError
from ml.usage.step_names import ELEMENT, PAGE, PATTERN, StepName

HOUR_MICROSECONDS = 3_600_000_000
MOST_SUGGESTED = 300


@dataclass(frozen=True)
class VisitSteps:
    """What was done in the newest visits, action by action.

    Attributes:
        rows: The table `visit_steps`, ordered by person and time.
    """

    rows: pa.Table

    @classmethod
    def of_tables(cls, tables: PublishedTables) -> VisitSteps:
        """Read the published table."""
        return cls(tables.read("visit_steps"))

    @property
    def visits(self) -> int:
        """Number of the visits."""
        return int(pc.count_distinct(self.rows["visit"]).as_py())

    @property
    def dates(self) -> tuple[dt.date, dt.date]:
        """First and last date of the visits.

        Raises:
            ValueError: There is no visit.
        """
        if not self.rows.num_rows:
            raise ValueError("there is no visit")
        ends = pc.min_max(self.rows["date"]).as_py()
        return ends["min"], ends["max"]

    def suggest(self) -> list[str]:
        """Return the steps that visits took, the most frequent first: types, then pages, then elements."""
        views = self.rows.filter(pc.field("event_type") == "page_view")
        return [
            *self._most(self.rows, "event_type"),
            *(f"page_view{PAGE}{page}" for page in self._most(views, "page")),
            *(
                f"click{ELEMENT}{name}"
                for name in self._most(self.rows.filter(pc.field("event_type") == "click"), "element")
            ),
        ]

    def count(
        self, steps: Sequence[StepName], per: Literal["session", "user"] = "session", window_hours: int = 24
    ) -> list[int]:
        """Return how many visits or people took each step in order inside the window.

        A step may be taken at the moment of the step before it. Any first step opens a window.

        Args:
            steps: The steps.
            per: Whether the steps are taken within one visit, or by one person.
            window_hours: Hours from the first to the last step.

        Raises:
            InvalidInputError: A step is a pattern of addresses, or no such page or element is published.
        """
        chosen = self._of_visits if per == "session" else self._of_people
        places = np.arange(len(chosen.group))
        starts = places
        counts = []
        for number, step in enumerate(steps):
            holds = self._mask(step)[chosen.rows]
            if number == 0:
                starts = np.where(holds, places, -1)
            elif len(starts):
                # Of the chains that lead here, the one with the latest start leaves most of the window.
                latest = np.maximum.accumulate(starts)[chosen.together]
                starts = np.where(holds & (latest >= chosen.first), latest, -1)
            taken = starts >= 0
            passed = chosen.at[taken] - chosen.at[starts[taken]] <= window_hours * HOUR_MICROSECONDS
            counts.append(len(np.unique(chosen.group[taken][passed])))
        return counts

    @cached_property
    def _of_visits(self) -> _Grouped:
        return _Grouped.by(self.rows, "visit")

    @cached_property
    def _of_people(self) -> _Grouped:
        return _Grouped.by(self.rows, "person")

    def _mask(self, step: StepName) -> Bools:
        if step.kind == PATTERN:
            raise InvalidInputError(
                f"{step}: whole addresses are not published, so that a pattern of them cannot be counted here;"
                f" choose a page, such as {step.event_type}{PAGE}/address"
            )
        holds = pc.equal(self.rows["event_type"], step.event_type)
        if step.kind:
            column = "page" if step.kind == PAGE else "element"
            placed = pc.equal(self.rows[column], step.place)
            if not pc.any(placed).as_py():
                raise InvalidInputError(
                    f"{step}: no {column} {step.place!r} is published; choose one of those that are offered"
                )
            holds = pc.and_(holds, placed)
        return np.asarray(holds, dtype=bool)

    def _most(self, rows: pa.Table, column: str) -> list[str]:
        counts = rows.group_by(column).aggregate([([], "count_all")])
        ordered = counts.sort_by([("count_all", "descending"), (column, "ascending")])[column].to_pylist()
        return [value for value in ordered if value][:MOST_SUGGESTED]


@dataclass(frozen=True)
class _Grouped:
    """The rows in the order of a group and its times.

    Attributes:
        rows: Places of the rows in the table.
        group: Number of the group, ascending.
        at: Time in microseconds, ascending within a group.
        first: Place at which the group of each row begins.
        together: Place of the last row of the same group and moment.
    """

    rows: I64
    group: I64
    at: I64
    first: I64
    together: I64

    @classmethod
    def by(cls, table: pa.Table, column: str) -> _Grouped:
        """Group by a column of numbers."""
        group = np.asarray(table[column], dtype=np.int64)
        at = np.asarray(table["at_microseconds"], dtype=np.int64)
        rows = np.lexsort((at, group))
        group, at = group[rows], at[rows]
        ends = np.ones(len(group), dtype=bool)
        ends[:-1] = (group[1:] != group[:-1]) | (at[1:] != at[:-1])
        last = np.flatnonzero(ends)
        return cls(
            rows, group, at, np.searchsorted(group, group), last[np.searchsorted(last, np.arange(len(group)))]
        )

"""Examples of running visits: what was known after some actions, and what came of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ml.arrays import F32, F64, I64, Bools
from ml.sequences.actions import begins_visit, counted_actions, number_people
from ml.sequences.intent.running_visit import FEATURES, RunningVisit
from ml.settings.sequences import Goal

TARGETS = ("convert", "leave", "return")
LENGTHS = (3, 5, 10)
BETWEEN = (1, 2, 7, 15, 25, 40)
OTHER_VISITS = 8  # of so many visits, one is described at the lengths between as well
RETURN_DAYS = 7.0
DAY_MICROSECONDS = 86_400_000_000


@dataclass(frozen=True)
class Examples:
    """One row per visit and number of actions, in the order of time.

    Attributes:
        signals: Names of the signals whose counts follow FEATURES.
        features: float32 (n, d).
        labels: Whether the visit converted later, had no further page view, and was followed by another within a
            week; float64 (n, 3), NaN where that is not known or was already so.
        lengths: Number of actions that the features know of, (n,).
        people: Number of the person, (n,).
        visits: Key of the visit, (n,).
        started_at: When the visit began, Unix microseconds, (n,).
        ended_at: Time of the last action of the visit, Unix microseconds, (n,).
        read_until: Time of the newest action of all visits, Unix microseconds; 0 without one.
    """

    signals: tuple[str, ...]
    features: F32
    labels: F64
    lengths: I64
    people: I64
    visits: I64
    started_at: I64
    ended_at: I64
    read_until: int

    def __len__(self) -> int:
        return len(self.lengths)

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the columns of the features."""
        return (*FEATURES, *self.signals)

    def take(self, rows: I64 | Bools) -> Examples:
        """Return the chosen rows."""
        return replace(
            self,
            **{
                name: getattr(self, name)[rows]
                for name in ("features", "labels", "lengths", "people", "visits", "started_at", "ended_at")
            },
        )

    def with_signals(self, signals: tuple[str, ...]) -> Examples:
        """Return the examples with the counts of some of the signals, in their order.

        Raises:
            ValueError: A signal was not counted.
        """
        columns = [*range(len(FEATURES)), *(len(FEATURES) + self.signals.index(signal) for signal in signals)]
        return replace(self, signals=signals, features=self.features[:, columns])


def build_examples(
    events: pa.Table,
    signals: tuple[str, ...],
    is_product: Callable[[str], bool],
    goal: Goal,
) -> Examples:
    """Fold visits action by action, and describe them after some of the actions.

    Args:
        events: `session_key`, `user_id`, `device_type`, `occurred_at`, `event_type`, `element`, `item_id`, `value`
            and `is_purchase`, in the order of people and of time. Purchases that do not count are left out.
        signals: Signals that are counted.
        is_product: Whether an item is sold.
        goal: The event type that converts a visit.
    """
    columns = _Columns.of(events, goal)
    places = columns.places()
    is_chosen = np.isin(places, LENGTHS) | (np.isin(places, BETWEEN) & (columns.visits % OTHER_VISITS == 0))
    rows = np.flatnonzero(is_chosen)
    described = np.zeros((len(rows), len(FEATURES) + len(signals)), dtype=np.float32)
    for number, running in enumerate(_fold(columns, is_chosen)):
        described[number] = running.describe(signals, is_product)
    return Examples(
        signals,
        described,
        columns.labels()[rows],
        places[rows],
        columns.people[rows],
        columns.visits[rows],
        columns.visit_starts()[rows],
        columns.visit_ends()[rows],
        int(columns.at.max(initial=0)),
    )


@dataclass(frozen=True)
class _Columns:
    """Events as lists and arrays, visit after visit; `firsts` (v,) are the rows at which visits begin."""

    table: dict[str, list[Any]]
    at: I64
    visits: I64
    people: I64
    firsts: I64
    is_goal: Bools
    is_view: Bools

    @classmethod
    def of(cls, events: pa.Table, goal: Goal) -> _Columns:
        events = counted_actions(events)
        is_first = begins_visit(events)
        names = ("event_type", "element", "item_id", "value", "device_type")
        kinds = events.column("event_type")
        return cls(
            {name: events.column(name).to_pylist() for name in names},
            np.asarray(events.column("occurred_at").cast(pa.timestamp("us"))).astype(np.int64),
            np.asarray(np.cumsum(is_first) - 1, dtype=np.int64),
            number_people(events)[0],
            np.flatnonzero(is_first),
            np.asarray(pc.equal(kinds, goal)),
            np.asarray(pc.equal(kinds, "page_view")),
        )

    def places(self) -> I64:
        return np.asarray(np.arange(len(self.visits)) - self.firsts[self.visits] + 1)

    def visit_starts(self) -> I64:
        return np.asarray(self.at[self.firsts][self.visits])

    def visit_ends(self) -> I64:
        return np.asarray(self.at[self._lasts()][self.visits])

    def _lasts(self) -> I64:
        """Return the rows at which visits end, (v,)."""
        return np.asarray(np.append(self.firsts[1:], len(self.visits)) - 1, dtype=np.int64)[: len(self.firsts)]

    def labels(self) -> F64:
        """Return the labels of every action, (n, 3)."""
        n, ends = len(self.visits), self._lasts()
        labels = np.full((n, len(TARGETS)), np.nan)
        goals = np.cumsum(self.is_goal)
        before_visit: I64 = (goals - self.is_goal)[self.firsts][self.visits]
        labels[:, 0] = np.where(goals > before_visit, np.nan, goals[ends][self.visits] > goals)
        views = np.cumsum(self.is_view)
        labels[:, 1] = views[ends][self.visits] == views
        labels[:, 2] = self._returns(ends)[self.visits]
        return labels

    def _returns(self, ends: I64) -> F64:
        """Return whether each visit is followed by another of the person within a week; NaN near the end, (v,)."""
        if not len(ends):
            return np.zeros(0)
        week = RETURN_DAYS * DAY_MICROSECONDS
        end_at = self.at[ends]
        pause = np.full(len(ends), np.inf)
        is_same = self.people[self.firsts[1:]] == self.people[ends[:-1]]
        pause[:-1] = np.where(is_same, self.at[self.firsts[1:]] - end_at[:-1], np.inf)
        return np.where(end_at + week > self.at.max(), np.nan, pause <= week)


def _fold(columns: _Columns, is_chosen: Bools) -> Iterator[RunningVisit]:
    """Yield the running visit after each chosen action; it is the same object until the visit ends."""
    running, person, visit = RunningVisit(), -1, -1
    rows = zip(
        columns.people.tolist(), columns.visits.tolist(), (columns.at / 1e6).tolist(), is_chosen.tolist(),
        columns.table["event_type"], columns.table["element"], columns.table["item_id"], columns.table["value"],
        columns.table["device_type"], strict=True,
    )  # fmt: skip
    for row_person, row_visit, at, is_example, kind, element, item, value, device in rows:
        if row_person != person:
            running, person, visit = RunningVisit(), row_person, row_visit
        elif row_visit != visit:
            running, visit = running.begin_next(), row_visit
        running.fold(kind, at, element, item, value, device)
        if is_example:
            yield running

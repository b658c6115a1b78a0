"""The signals of each visit before it converted, and what else was known of the visit."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from ml.arrays import F64, I64, Bools
from ml.sequences.actions import begins_visit, counted_actions, find_signals, name_signals, number_people
from ml.sequences.intent.running_visit import REMEMBERED
from ml.settings.sequences import Goal

NO_SIGNALS = frozenset({"page_view", "page_exit", "page_ping", *REMEMBERED})
"""What every visit has, and the steps to a conversion themselves."""
COMMON_SHARE = 0.6
"""What more visits than this do tells visits apart by their length, and is no signal."""
COUNT_CLASSES = (1, 2, 3, 4, 5, 6, 7, 8, 10, 13)
EARLIER_CLASSES = (1, 2, 5, 10)
HOURS_OF_A_CLASS = 6
NEVER = np.iinfo(np.int64).max


@dataclass(frozen=True)
class VisitSignals:
    """One row per visit with an item; v visits, s signals.

    Attributes:
        signals: Names of the signals.
        has: Whether the visit showed the signal before it converted, (v, s).
        first: Row of the first such action among all actions, NEVER without one, (v, s).
        last: Row of the last one, -1 without one, (v, s).
        doses: Mean of the values of these actions, NaN without any value, (v, s).
        converted: Whether the visit converted, (v,).
        people: Number of the person, (v,).
        segments: Name of the person's segment, None without one, (v,).
        covariates: What was known apart from the signals, (v, c).
    """

    signals: tuple[str, ...]
    has: Bools
    first: I64
    last: I64
    doses: F64
    converted: Bools
    people: I64
    segments: npt.NDArray[np.object_]
    covariates: F64

    def take(self, rows: Bools) -> VisitSignals:
        """Return the chosen visits."""
        per_visit = ("has", "first", "last", "doses", "converted", "people", "segments", "covariates")
        return replace(self, **{name: getattr(self, name)[rows] for name in per_visit})


def collect_signals(
    actions: pa.Table, products: frozenset[str], segments: dict[str, str], goal: Goal, minimum_people: int
) -> VisitSignals:
    """Collect the signals of visits that saw an item; what happens after the conversion does not count.

    Args:
        actions: As `build_examples` takes them.
        products: Items that are sold.
        segments: Name of the segment by `user_id`.
        goal: The event type that converts a visit.
        minimum_people: Fewer people do not make a signal.
    """
    actions = counted_actions(actions)
    is_first, rows = begins_visit(actions), np.arange(len(actions))
    visit, firsts = np.cumsum(is_first) - 1, np.flatnonzero(is_first)
    n = len(firsts)
    goal_row = np.full(n, NEVER)
    np.minimum.at(goal_row, visit, np.where(np.asarray(pc.equal(actions["event_type"], goal)), rows, NEVER))
    is_before = rows < goal_row[visit]
    names = tuple(
        name for name in find_signals(actions, minimum_people) if name.split(":", maxsplit=1)[0] not in NO_SIGNALS
    )
    has, first, last, doses = _place_signals(actions, names, visit, is_before, n)
    people_of_actions, ids = number_people(actions)
    people = people_of_actions[firsts]
    of_person = np.array([segments.get(user) for user in ids], dtype=object)
    views = is_before & np.asarray(pc.equal(actions["event_type"], "page_view"))
    is_item = views & np.asarray(pc.is_valid(actions["item_id"]))
    is_product = views & np.asarray(
        pc.is_in(actions["item_id"], value_set=pa.array(sorted(products), pa.string()))
    )
    items, sold = np.bincount(visit[is_item], minlength=n), np.bincount(visit[is_product], minlength=n)
    converted = goal_row < NEVER
    kinds = np.column_stack(
        [
            _names(actions.column("device_type").take(pa.array(firsts)).to_pylist()),
            _names(of_person[people].tolist()),
        ]
    )
    covariates = np.column_stack(
        [
            _classes(sold, COUNT_CLASSES),
            _classes(items, COUNT_CLASSES),
            _classes(np.minimum(sold, 1) * items, COUNT_CLASSES),
            _earlier(people, converted),
            kinds,
            kinds
            * np.minimum(sold, 1)[:, None],  # who sees a product can do more, each kind of visitor to its extent
            kinds * np.log1p(sold)[:, None],
            _hours(actions.column("occurred_at").take(pa.array(firsts))),
        ]
    )
    collected = VisitSignals(
        names, has, first, last, doses, converted, people, of_person[people], covariates.astype(np.float64)
    )
    return _without_common(collected.take(items > 0))


def _without_common(visits: VisitSignals) -> VisitSignals:
    """Leave out the signals of most visits."""
    kept = np.flatnonzero(visits.has.sum(axis=0) <= COMMON_SHARE * len(visits.has))
    columns = {name: getattr(visits, name)[:, kept] for name in ("has", "first", "last", "doses")}
    return replace(visits, signals=tuple(visits.signals[place] for place in kept), **columns)


def _place_signals(
    actions: pa.Table, names: tuple[str, ...], visit: I64, is_before: Bools, n: int
) -> tuple[Bools, I64, I64, F64]:
    """Return whether each visit has each signal, the rows of the first and of the last, and the mean value."""
    places = pc.index_in(name_signals(actions), value_set=pa.array(names, pa.string()))
    code = np.asarray(pc.fill_null(places, -1)).astype(np.int64)
    rows = np.flatnonzero(is_before & (code >= 0))
    place = (visit[rows], code[rows])
    shape = (n, len(names))
    first, last = np.full(shape, NEVER), np.full(shape, -1)
    np.minimum.at(first, place, rows)
    np.maximum.at(last, place, rows)
    values = np.asarray(actions.column("value").cast(pa.float64()).to_numpy(zero_copy_only=False))[rows]
    doses, valued = np.zeros(shape), np.zeros(shape)
    has_value = ~np.isnan(values)
    np.add.at(doses, (place[0][has_value], place[1][has_value]), values[has_value])
    np.add.at(valued, (place[0][has_value], place[1][has_value]), 1)
    means = np.divide(doses, valued, out=np.full(shape, np.nan), where=valued > 0)
    return last >= 0, first, last, means


def _classes(counts: I64, bounds: tuple[int, ...]) -> Bools:
    return np.asarray(np.searchsorted(bounds, counts, side="right")[:, None] == np.arange(1, len(bounds) + 1))


def _earlier(people: I64, converted: Bools) -> Bools:
    """Return classes of how many visits, and conversions, the person had before each visit, from 0 on."""
    starts = np.ones(len(people), dtype=bool)
    starts[1:] = people[1:] != people[:-1]
    begin = np.flatnonzero(starts)[np.cumsum(starts) - 1] if len(people) else np.zeros(0, dtype=np.int64)
    visits = np.arange(len(people)) - begin
    before: I64 = np.cumsum(converted) - converted
    return np.column_stack([_classes(visits, EARLIER_CLASSES), _classes(before - before[begin], (1, 2))])


def _names(values: list[str | None]) -> Bools:
    """Return a column per name but the first, which the constant stands for."""
    texts = np.array([value or "" for value in values], dtype=object)
    names = sorted(set(texts))[1:]
    return np.column_stack([texts == name for name in names]) if names else np.zeros((len(texts), 0), dtype=bool)


def _hours(started_at: pa.ChunkedArray) -> Bools:
    hours = np.asarray(pc.hour(started_at)) // HOURS_OF_A_CLASS
    weekend = np.asarray(pc.day_of_week(started_at)) >= 5
    return np.column_stack([hours[:, None] == np.arange(1, 24 // HOURS_OF_A_CLASS), weekend])

"""Journeys: the visits of a person up to a conversion, or up to where the person stays away."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ml.arrays import F64, I64, Bools
from ml.sequences.paths.paths import Paths, build_paths

OTHER_TOUCH = "(other)"
MICROSECONDS = 86_400_000_000  # in a day


@dataclass(frozen=True)
class Journeys:
    """Journeys through touches, and the conversions that no touch preceded.

    Attributes:
        paths: The touches of each journey that has any; a journey converts once, at its end.
        conversions: Conversions at the end of each of them, (j,).
        revenue: Their revenue, (j,).
        untouched_conversions: Conversions of journeys without any touch.
        untouched_revenue: Their revenue.
    """

    paths: Paths
    conversions: F64
    revenue: F64
    untouched_conversions: float
    untouched_revenue: float


def build_journeys(
    people: I64,
    started_at: I64,
    touches: Sequence[str | None],
    conversions: F64,
    revenue: F64,
    lookback_days: float,
) -> Journeys:
    """Cut the visits of each person into journeys.

    A visit belongs to the person's next conversion if that comes within `lookback_days`. The other visits form
    journeys without conversion, which end where the person converts or stays away for longer than that. So each
    visit is in exactly one journey, and somebody who converts several times has a journey for each time. A visit
    without a touch says nothing of how the person came, and counts with the other visits of its journey.

    Args:
        people: Number of the person of each visit, (v,), ascending.
        started_at: When each visit began, (v,), in microseconds, ascending for each person.
        touches: What brought each visit about, (v,), None where that is not known.
        conversions: Conversions in each visit, (v,).
        revenue: Revenue of each visit, (v,).
        lookback_days: Days before a conversion in which visits have a part in it.
    """
    journey = _number_journeys(people, started_at, conversions > 0, round(lookback_days * MICROSECONDS))
    count = int(journey.max(initial=-1)) + 1
    of_journeys = np.bincount(journey, conversions, minlength=count).astype(np.float64)
    revenues = np.bincount(journey, np.where(conversions > 0, revenue, 0.0), minlength=count).astype(np.float64)
    person = np.zeros(count, dtype=np.int64)
    person[journey] = people
    is_touch = np.array([touch is not None for touch in touches], dtype=bool)
    has_touch = np.bincount(journey[is_touch], minlength=count) > 0
    renumbered = np.cumsum(has_touch) - 1
    paths = build_paths(
        renumbered[journey[is_touch]],
        [touch for touch in touches if touch is not None],
        of_journeys[has_touch] > 0,
        person[has_touch],
    )
    untouched = ~has_touch & (of_journeys > 0)
    return Journeys(
        paths,
        of_journeys[has_touch],
        revenues[has_touch],
        float(of_journeys[untouched].sum()),
        float(revenues[untouched].sum()),
    )


def _number_journeys(people: I64, started_at: I64, converts: Bools, lookback: int) -> I64:
    """Return the number of the journey of each visit (v,)."""
    n = len(people)
    if not n:
        return np.zeros(0, dtype=np.int64)
    places = np.arange(n)
    following = np.minimum.accumulate(np.where(converts, places, n)[::-1])[::-1]
    target = np.minimum(following, n - 1)
    leads = (following < n) & (people[target] == people) & (started_at[target] - started_at <= lookback)
    begins = np.ones(n, dtype=bool)
    begins[1:] = (
        (people[1:] != people[:-1])
        | converts[:-1]
        | (leads[1:] != leads[:-1])
        | (started_at[1:] - started_at[:-1] > lookback)
    )
    return np.cumsum(begins) - 1

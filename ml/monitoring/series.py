"""What is watched, as counts by day and hour."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from enum import IntEnum

import numpy as np

from ml.arrays import F64

HOURS = 24


class Subject(IntEnum):
    """What a series tells about. Where several change at once, the first of them is the cause of the others."""

    FIELD = 0
    VOLUME = 1
    AUDIENCE = 2
    TASTE = 3
    INPUT = 4
    QUALITY = 5


@dataclass(frozen=True)
class Series:
    """One figure, day by day.

    Attributes:
        subject: What it tells about.
        measure: What is counted, such as `item_id` or `clicked answers`.
        dimension: By what it is sliced; `everything` for all.
        slice: Value of the dimension; empty for all.
        counts: (days, periods) how often it happened, in 24 hours or one day as a whole.
        trials: (days, periods) of how many; for a volume, zeros.
        people: (days, periods) devices or people behind the trials, whose events share their fate; None where it
            is not known.
        parts: Series of which this is the sum. Each is compared with what is usual for it, and their evidence is
            added up: in the sum, few clicks on one slot would drown in the many answers of another.
        likely_onsets: (days, periods) in which of them a cause began, such as a new model's first answer; None
            where nothing is known of causes.
        usual_as: The series from which is learned what is usual; None for this series itself.
        may_surge: Whether a campaign may bring strangers among the people: the hours after a day brought many more
            than usual say nothing.
    """

    subject: Subject
    measure: str
    dimension: str
    slice: str
    counts: F64
    trials: F64
    people: F64 | None = None
    parts: tuple[Series, ...] = ()
    likely_onsets: np.ndarray | None = None
    usual_as: Series | None = None
    may_surge: bool = False

    @property
    def is_volume(self) -> bool:
        """Whether counts stand for themselves, and not for a share of trials."""
        return self.subject is Subject.VOLUME

    @property
    def size(self) -> F64:
        """(days,) what a share is taken of; the counts themselves for a volume."""
        return np.asarray((self.counts if self.is_volume else self.trials).sum(axis=1))


@dataclass(frozen=True)
class WatchedSite:
    """All series of a site over the same days.

    Attributes:
        first_date: The first day.
        series: The series; each has one row a day, and daily ones none for a last day that is not over.
        versions: model_version → day (from 0, with a fraction) on which it first answered.
    """

    first_date: dt.date
    series: list[Series]
    versions: dict[str, float]

    @property
    def days(self) -> int:
        """Number of days."""
        return max((len(series.counts) for series in self.series), default=0)

    def moment(self, day: float) -> dt.datetime:
        """The moment of a day's number, counted from the first day with its fraction."""
        midnight = dt.datetime.combine(self.first_date, dt.time(), dt.UTC)
        return midnight + dt.timedelta(hours=round(day * HOURS))

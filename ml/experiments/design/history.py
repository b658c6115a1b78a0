"""The history of a metric, which a plan starts from."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from math import sqrt

import numpy as np

from ml.arrays import F64
from ml.experiments.definition.metrics import Metric


@dataclass(frozen=True)
class Baseline:
    """History of a metric.

    Attributes:
        metric: the metric.
        mean: value of the metric.
        variance: variance of a unit's contribution (by the delta method for ratios).
        explained: share of the variance that the covariate removes.
        units: units that were observed for the whole window.
        starts_on: first day of the replay.
        arrivals: units seen for the first time on each day of the replay, (n_days,).
        window_days: days for which a unit is observed.
    """

    metric: Metric
    mean: float
    variance: float
    explained: float
    units: int
    starts_on: date
    arrivals: F64
    window_days: int

    @property
    def standard_deviation(self) -> float:
        """Return the square root of the variance."""
        return sqrt(self.variance)

    def weekly_pattern(self) -> F64:
        """Return arrivals by weekday, Monday first, relative to the mean day of the last whole weeks, (7,)."""
        recent = self.arrivals[len(self.arrivals) % 7 :][-28:]
        first = (self.starts_on + timedelta(days=len(self.arrivals) - len(recent))).weekday()
        by_weekday = np.roll(recent.reshape(-1, 7).mean(axis=0), first)
        mean = by_weekday.mean()
        return by_weekday / mean if mean else np.ones(7)

    def arrivals_until(self, days: int) -> F64:
        """Return the cumulative units after each day; after the replay its last two weeks repeat."""
        arrivals = self.arrivals
        tail = arrivals[-14:] if len(arrivals) >= 14 else arrivals
        repeats = max(0, days - len(arrivals)) // len(tail) + 1
        return np.cumsum(np.concatenate([arrivals, *([tail] * repeats)])[:days])

"""What the past says about a metric: an experiment that never was, replayed on the history of unit days.

Every unit that came after the first day of the replay is "exposed" on its first visit there, and is then measured
by the very code that measures real experiments: variance, covariate and the way in which units arrive are those
that an experiment of the same length would have seen.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from math import sqrt

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import tea_tasting.aggr

from ml.arrays import F64, I64
from ml.errors import InvalidInputError, TesseraError
from ml.experiments.analysis.exposures import UNSEGMENTED, Units
from ml.experiments.analysis.moments import accumulate_moments
from ml.experiments.analysis.outcomes import (
    COVARIATE,
    DENOMINATOR,
    DENOMINATOR_COVARIATE,
    NUMERATOR,
    UnitDays,
    compute_unit_values,
)
from ml.experiments.definition.metrics import RATIO_KINDS, Metric, QuantileMetric

_DAY = 86_400_000_000
_EPOCH = date(1970, 1, 1)


class HistoryError(TesseraError, ValueError):
    """The history is too short or too thin to plan from."""


@dataclass(frozen=True)
class Baseline:
    """A metric's past.

    mean: value of the metric. variance: of one unit's contribution (by the delta method for ratios). explained:
    share of the variance that the covariate takes away. arrivals: units seen for the first time on each day of the
    replay, shape (n_days,), beginning on `starts_on`. window_days: how long a unit is watched.
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
        """Square root of the variance."""
        return sqrt(self.variance)

    def weekly_pattern(self) -> F64:
        """Arrivals by weekday, Monday first, as multiples of the mean day, over the last whole weeks;
        shape (7,).
        """
        recent = self.arrivals[len(self.arrivals) % 7 :][-28:]
        first = (self.starts_on + timedelta(days=len(self.arrivals) - len(recent))).weekday()
        by_weekday = np.roll(recent.reshape(-1, 7).mean(axis=0), first)
        mean = by_weekday.mean()
        return by_weekday / mean if mean else np.ones(7)

    def arrivals_until(self, days: int) -> F64:
        """Cumulative units after each of `days` days; past the replay, its last two weeks go on repeating."""
        known = self.arrivals
        tail = known[-14:] if len(known) >= 14 else known
        repeats = max(0, days - len(known)) // len(tail) + 1
        return np.cumsum(np.concatenate([known, *([tail] * repeats)])[:days])


def measure_baseline(metric: Metric, user_days: pa.Table, history_days: int) -> Baseline:
    """Replay the last `history_days` days of the mart `user_days` for one metric.

    `user_days` needs `user_id, date` and the metric's measures.

    Raises:
        HistoryError: fewer than two weeks beyond the metric's window, fewer than 100 units that were watched for
        the
            whole window, or a metric that never varies.
        ValueError: a column is missing, or the metric is a quantile, for which no design is offered.
    """
    if isinstance(metric, QuantileMetric):
        raise InvalidInputError("no design for a quantile; plan with a mean or proportion of the same measure")
    for name in ("user_id", "date", *metric.measures):
        if name not in user_days.column_names:
            raise InvalidInputError(
                f"user_days have no column {name!r}; there are: {', '.join(user_days.column_names)}"
            )
    dates = _dates(user_days)
    if not len(dates):
        raise HistoryError("user_days are empty: ingest events and materialize first")
    last, first = int(dates.max()), int(dates.min())
    window = metric.end_day or 14
    start = max(last + 1 - history_days, first + min(metric.covariate_days, 14))
    if last + 1 - start < window + 14:
        raise HistoryError(
            f"{last + 1 - first} days of history; a window of {window} days with its covariate needs "
            f"{window + 14 + metric.covariate_days}"
        )
    units, days = replay_history(user_days, start, metric.measures)
    as_of = datetime.combine(_EPOCH + timedelta(days=last + 1), datetime.min.time(), UTC)
    values = compute_unit_values(metric, days, units, as_of)
    # A metric without a window is planned for the units that were watched for two weeks.
    matured = values.matured & (units.observed_days(as_of) >= window)
    if np.count_nonzero(matured) < 100:
        raise HistoryError(f"{np.count_nonzero(matured)} units were watched for {window} days; 100 are needed")
    total = accumulate_moments(values.columns, np.where(matured, 0, -1), (1, 1, 1)).select(0)
    mean, variance, explained = _moments(total, ratio=metric.kind in RATIO_KINDS)
    if not variance > 0 or not mean:
        raise HistoryError("the metric never varied in the history: nothing to plan from")
    arrived = units.exposed_at // _DAY - start
    return Baseline(
        metric,
        mean,
        variance,
        explained,
        int(np.count_nonzero(matured)),
        _EPOCH + timedelta(days=start),
        np.bincount(arrived, minlength=last + 1 - start).astype(np.float64),
        window,
    )


def replay_history(user_days: pa.Table, start: int, measures: Sequence[str]) -> tuple[Units, UnitDays]:
    """Expose every unit that came on day `start` (since 1970) or later on its first day there; one arm,
    `control`.
    """
    dates = _dates(user_days)
    encoded = pc.cast(user_days["user_id"], pa.string()).combine_chunks().dictionary_encode()
    person = encoded.indices.to_numpy()
    arrival = np.full(len(encoded.dictionary), np.iinfo(np.int64).max)
    rows = dates >= start
    np.minimum.at(arrival, person[rows], dates[rows])
    came = arrival < np.iinfo(np.int64).max
    number = np.cumsum(came) - 1
    kept = np.flatnonzero(came[person])
    n_units = int(came.sum())
    units = Units(
        ("control",),
        (UNSEGMENTED,),
        encoded.dictionary.filter(pa.array(came)),
        np.zeros(n_units, dtype=np.int8),
        np.zeros(n_units, dtype=np.int16),
        arrival[came] * _DAY,
        np.zeros(n_units, dtype=np.int16),
    )
    unit = number[person[kept]].astype(np.int32)
    day = (dates[kept] - arrival[person[kept]]).astype(np.int32)
    return units, UnitDays(n_units, unit, day, user_days.select(list(measures)), kept)


def _dates(user_days: pa.Table) -> I64:
    days = pc.cast(pc.cast(user_days["date"], pa.date32()), pa.int32())
    return np.asarray(days.to_numpy(), dtype=np.int64)


def _moments(total: tea_tasting.aggr.Aggregates, *, ratio: bool) -> tuple[float, float, float]:
    """Mean, variance of a unit's contribution, and the share of it that the covariate explains."""
    below = DENOMINATOR if ratio else None
    if ratio and not total.mean(DENOMINATOR):
        return 0.0, 0.0, 0.0
    variance = float(total.ratio_var(NUMERATOR, below))
    explained = 0.0
    if COVARIATE in total.mean_:
        before = DENOMINATOR_COVARIATE if DENOMINATOR_COVARIATE in total.mean_ else None
        other = float(total.ratio_var(COVARIATE, before))
        if other > 0 and variance > 0:
            explained = float(total.ratio_cov(NUMERATOR, below, COVARIATE, before) ** 2 / (variance * other))
    return float(total.mean(NUMERATOR) / total.mean(below)), variance, explained

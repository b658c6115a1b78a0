"""Measure the history of a metric by replaying an experiment on past unit days.

Every unit that came after the first day of the replay is "exposed" on its first visit in the replay, and is then
measured by the same code as a real experiment. Variance, covariate and arrivals are therefore those that an
experiment of the same length would have had.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import tea_tasting.aggr

from ml.arrays import I64
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
from ml.experiments.design.history import Baseline

_DAY = 86_400_000_000
_EPOCH = date(1970, 1, 1)


class HistoryError(TesseraError, ValueError):
    """The history is too short or has too few units for a plan."""


def measure_baseline(metric: Metric, user_days: pa.Table, history_days: int) -> Baseline:
    """Replay the last `history_days` days of the mart `user_days` for a metric.

    Args:
        metric: the metric.
        user_days: `user_id, date` and the metric's measures; ids may be dictionary-encoded, once for many metrics.
        history_days: days to replay.

    Raises:
        HistoryError: there are fewer than two weeks beyond the metric's window, fewer than 100 units were observed
            for the whole window, or the metric never varies.
        InvalidInputError: a column is missing, or the metric is a quantile, for which no plan is available.
    """
    if isinstance(metric, QuantileMetric):
        raise InvalidInputError("quantile metrics cannot be planned; use a mean or proportion of the same measure")
    for name in ("user_id", "date", *metric.measures):
        if name not in user_days.column_names:
            raise InvalidInputError(
                f"user_days have no column {name!r}; they have: {', '.join(user_days.column_names)}"
            )
    dates = _to_days(user_days)
    if not len(dates):
        raise HistoryError("user_days is empty: ingest events and run `tessera materialize` first")
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
    # A metric without a window is planned from the units that were observed for two weeks.
    matured = values.matured & (units.observed_days(as_of) >= window)
    if np.count_nonzero(matured) < 100:
        raise HistoryError(f"{np.count_nonzero(matured)} units were observed for {window} days; 100 are needed")
    total = accumulate_moments(values.columns, np.where(matured, 0, -1), (1, 1, 1)).aggregate(0)
    mean, variance, explained = _summarize_moments(total, ratio=metric.kind in RATIO_KINDS)
    if not variance > 0 or not mean:
        raise HistoryError("the metric never varied in the history, so it cannot be planned")
    arrival_days = units.exposed_at // _DAY - start
    return Baseline(
        metric,
        mean,
        variance,
        explained,
        int(np.count_nonzero(matured)),
        _EPOCH + timedelta(days=start),
        np.bincount(arrival_days, minlength=last + 1 - start).astype(np.float64),
        window,
    )


def replay_history(user_days: pa.Table, start: int, measures: Sequence[str]) -> tuple[Units, UnitDays]:
    """Expose every unit on its first day from day `start` (since 1970) on, in a single arm."""
    dates = _to_days(user_days)
    ids = user_days["user_id"].combine_chunks()
    encoded = ids if pa.types.is_dictionary(ids.type) else pc.cast(ids, pa.string()).dictionary_encode()
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


def _to_days(user_days: pa.Table) -> I64:
    """Return the dates as days since 1970."""
    days = pc.cast(pc.cast(user_days["date"], pa.date32()), pa.int32())
    return np.asarray(days.to_numpy(), dtype=np.int64)


def _summarize_moments(total: tea_tasting.aggr.Aggregates, *, ratio: bool) -> tuple[float, float, float]:
    """Return mean, variance of a unit's contribution, and the share of it that the covariate explains."""
    denominator = DENOMINATOR if ratio else None
    if ratio and not total.mean(DENOMINATOR):
        return 0.0, 0.0, 0.0
    variance = float(total.ratio_var(NUMERATOR, denominator))
    explained = 0.0
    if COVARIATE in total.mean_:
        covariate_denominator = DENOMINATOR_COVARIATE if DENOMINATOR_COVARIATE in total.mean_ else None
        covariate_variance = float(total.ratio_var(COVARIATE, covariate_denominator))
        if covariate_variance > 0 and variance > 0:
            explained = float(
                total.ratio_cov(NUMERATOR, denominator, COVARIATE, covariate_denominator) ** 2
                / (variance * covariate_variance)
            )
    return float(total.mean(NUMERATOR) / total.mean(denominator)), variance, explained

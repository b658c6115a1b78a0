"""Compute the per-unit values of a metric from outcomes by unit and day since the exposure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from ml.arrays import F64, I32, I64, Bools
from ml.errors import InvalidInputError
from ml.experiments.analysis.exposures import Units
from ml.experiments.definition.metrics import (
    FunnelMetric,
    Metric,
    ProportionMetric,
    QuantileMetric,
    RatioMetric,
    RetentionMetric,
    RevenueMetric,
)

NUMERATOR = "numerator"
DENOMINATOR = "denominator"
COVARIATE = "covariate"
DENOMINATOR_COVARIATE = "denominator_covariate"


@dataclass(frozen=True)
class UnitDays:
    """Outcomes joined to units.

    The measures stay in their Arrow columns until they are needed: as arrays they would take a gigabyte for ten
    million units.

    Attributes:
        n_units: number of units.
        unit: index of the unit, int32, (n_rows,).
        day: day since the exposure, int32, (n_rows,).
        table: the measures.
        rows: rows of the table that belong to units, None if all do.
    """

    n_units: int
    unit: I32
    day: I32
    table: pa.Table
    rows: I64 | None = None

    def values(self, measure: str) -> npt.NDArray[np.generic]:
        """Return the values of a measure with nulls as 0, (n_rows,)."""
        numbers = _to_numbers(self.table[measure])
        return numbers if self.rows is None else numbers[self.rows]

    def has_values(self, metric: Metric) -> bool:
        """Whether each measure of a metric has a value in some row, or there are no rows at all."""
        columns = [self.table[measure] for measure in metric.measures]
        return all(column.null_count < len(column) for column in columns if len(column))


@dataclass(frozen=True)
class UnitValues:
    """Per-unit values of a metric.

    Attributes:
        columns: numerator, denominator and covariates, each float64 (n_units,).
        matured: which units were observed for the whole window, (n_units,).
        winsorized_at: cap of a revenue metric.
        is_measured: whether the site measures it; no unit counts otherwise.
    """

    columns: dict[str, F64]
    matured: Bools
    winsorized_at: float | None = None
    is_measured: bool = True


def join_outcomes(outcomes: pa.Table, units: Units, measures: tuple[str, ...]) -> UnitDays:
    """Join outcome rows to units; rows of people outside of the experiment are dropped.

    Args:
        outcomes: `user_id` (string), `day` (integer) and the measures.
        units: the units.
        measures: names of the measures.

    Raises:
        InvalidInputError: a column is missing.
    """
    for name in ("user_id", "day", *measures):
        if name not in outcomes.column_names:
            raise InvalidInputError(
                f"outcomes have no column {name!r}; they have: {', '.join(outcomes.column_names)}"
            )
    ids = outcomes["user_id"]
    if pa.types.is_dictionary(ids.type):
        ids = pc.cast(ids, pa.string())
    place = pc.index_in(ids, value_set=pc.cast(units.ids, ids.type))
    unit = pc.fill_null(place, -1).to_numpy().astype(np.int32, copy=False)
    rows = None if place.null_count == 0 else np.flatnonzero(unit >= 0)
    del place
    # The hash table over all unit ids is as large as the ids; it is freed before the metrics need memory.
    pa.default_memory_pool().release_unused()
    day = _to_numbers(outcomes["day"]).astype(np.int32, copy=False)
    if rows is not None:
        unit, day = unit[rows], day[rows]
    return UnitDays(len(units), unit, day, outcomes.select(list(measures)), rows)


def compute_unit_values(
    metric: Metric, days: UnitDays, units: Units, as_of: datetime, ends_at: datetime | None = None
) -> UnitValues:
    """Compute a metric's columns for every unit.

    A unit counts when its whole window lies before `as_of`, so that all counted units were observed equally long.
    A metric without a window counts every unit and everything up to `ends_at`, because the variants are not shown
    any longer. The covariate is the same measure in the days before the exposure.
    """
    observed = units.observed_days(as_of)
    end = metric.end_day
    is_measured = days.has_values(metric)
    matured = (observed >= (end if end is not None else 0)) & is_measured
    inside = days.day >= metric.start_day
    if end is not None:
        inside &= days.day < end
    elif ends_at is not None:
        inside &= days.day <= units.observed_days(ends_at)[days.unit]
    winsorized_at = None
    columns: dict[str, F64] = {}
    if isinstance(metric, RatioMetric):
        columns[NUMERATOR] = _sum_by_unit(days, metric.numerator, inside)
        columns[DENOMINATOR] = _sum_by_unit(days, metric.denominator, inside)
    elif isinstance(metric, FunnelMetric):
        entered = _sum_by_unit(days, metric.from_measure, inside) > 0
        columns[NUMERATOR] = (entered & (_sum_by_unit(days, metric.to_measure, inside) > 0)).astype(np.float64)
        columns[DENOMINATOR] = entered.astype(np.float64)
    elif isinstance(metric, ProportionMetric):
        columns[NUMERATOR] = (_sum_by_unit(days, metric.measure, inside) >= metric.at_least).astype(np.float64)
    elif isinstance(metric, RetentionMetric):
        columns[NUMERATOR] = (_sum_by_unit(days, metric.measure, inside) > 0).astype(np.float64)
    elif isinstance(metric, RevenueMetric):
        values = _sum_by_unit(days, metric.measure, inside)
        winsorized_at = winsorization_cap(values[matured], metric.winsorize_quantile)
        columns[NUMERATOR] = np.minimum(values, winsorized_at)
    else:
        columns[NUMERATOR] = _sum_by_unit(days, metric.measure, inside)
    if metric.covariate_days and not isinstance(metric, QuantileMetric):
        columns.update(_compute_covariates(metric, days))
    return UnitValues(columns, matured, winsorized_at, is_measured)


def winsorization_cap(values: F64, quantile: float) -> float:
    """Return the quantile of the values above zero, infinite if there are none."""
    positive = values[values > 0]
    if not len(positive):
        return float("inf")
    return float(np.quantile(positive, quantile))


def _compute_covariates(metric: Metric, days: UnitDays) -> dict[str, F64]:
    """Return the measure before the exposure; constant columns are left out because they explain nothing."""
    before = (days.day < 0) & (days.day >= -metric.covariate_days)
    if not before.any():
        return {}
    measures = metric.measures
    first = _sum_by_unit(days, measures[0], before)
    if isinstance(metric, RatioMetric):
        second = _sum_by_unit(days, measures[-1], before)
        if not _varies(second) or second.sum() == 0:
            return {}
        return {COVARIATE: first, DENOMINATOR_COVARIATE: second}
    if isinstance(metric, FunnelMetric):
        first = _sum_by_unit(days, metric.to_measure, before)
    if isinstance(metric, RevenueMetric):
        first = np.minimum(first, winsorization_cap(first, metric.winsorize_quantile))
    return {COVARIATE: first} if _varies(first) else {}


def _varies(values: F64) -> bool:
    """Return whether the values are not constant."""
    return len(values) > 0 and bool(values.min() < values.max())


def _sum_by_unit(days: UnitDays, measure: str, rows: Bools) -> F64:
    """Sum a measure over the marked rows of each unit."""
    weights = days.values(measure) * rows
    return np.asarray(np.bincount(days.unit, weights=weights, minlength=days.n_units), dtype=np.float64)


def _to_numbers(column: pa.ChunkedArray) -> npt.NDArray[np.generic]:
    """Convert a column to numbers with nulls as 0."""
    return np.asarray(pc.fill_null(column, 0).to_numpy() if column.null_count else column.to_numpy())

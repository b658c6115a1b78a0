"""Measure a metric: how units fall into groups, and the metric's moments and estimates over these groups."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from math import isnan

import numpy as np
import tea_tasting as tt

from ml.arrays import I32
from ml.experiments.analysis.estimates import CONTROL, EffectEstimate, estimate_effect
from ml.experiments.analysis.exposures import Units
from ml.experiments.analysis.moments import Moments, accumulate_moments
from ml.experiments.analysis.outcomes import COVARIATE, NUMERATOR, UnitValues
from ml.experiments.analysis.quantiles import estimate_quantile_effect
from ml.experiments.definition.definition import Experiment
from ml.experiments.definition.metrics import Metric, QuantileMetric
from ml.settings.experiments import ExperimentSettings


@dataclass(frozen=True)
class MetricMeasurement:
    """The measurement of a metric.

    Attributes:
        moments: sufficient statistics, None for a quantile.
        estimates: estimate of each treatment.
        winsorized_at: cap of a revenue metric.
        is_measured: whether the site measures it.
    """

    moments: Moments | None
    estimates: tuple[EffectEstimate, ...]
    winsorized_at: float | None
    is_measured: bool = True


@dataclass(frozen=True)
class StratumLayout:
    """How units fall into groups. Strata are segments, combined with ramp steps if these change the shares.

    Attributes:
        strata: stratum of each unit, (n_units,).
        days: cohort day of each unit, (n_units,).
        shape: numbers of variants, strata and days.
        segment_strata: strata of each segment.
    """

    strata: I32
    days: I32
    shape: tuple[int, int, int]
    segment_strata: list[tuple[int, ...]]

    @classmethod
    def from_units(cls, units: Units, experiment: Experiment, as_of: datetime) -> StratumLayout:
        """Lay out the units of an experiment as of a time."""
        steps = len(experiment.steps) if experiment.shares_change() else 1
        strata = units.segment.astype(np.int32)
        if steps > 1:
            strata = strata * steps + units.step
        last = max((min(as_of, experiment.ends_at) - experiment.starts_at).days, 0)
        days = np.minimum(units.cohort_day(experiment.starts_at), last)
        shape = (len(units.variants), len(units.segments) * steps, last + 1)
        members = [tuple(range(i * steps, (i + 1) * steps)) for i in range(len(units.segments))]
        return cls(strata, days, shape, members)


def measure_metric(
    metric: Metric, values: UnitValues, units: Units, layout: StratumLayout, settings: ExperimentSettings
) -> MetricMeasurement:
    """Estimate a metric for every treatment; strata with too few units are merged."""
    if isinstance(metric, QuantileMetric):
        numbers = values.columns[NUMERATOR]
        arms = [numbers[values.matured & (units.variant == arm)] for arm in range(len(units.variants))]
        estimates = tuple(estimate_quantile_effect(arms[CONTROL], arm, metric.quantile) for arm in arms[1:])
        return MetricMeasurement(None, estimates, None, values.is_measured)
    _, strata, n_days = layout.shape
    group = (units.variant.astype(np.int64) * strata + layout.strata) * n_days + layout.days
    group[~values.matured] = -1
    moments = accumulate_moments(values.columns, group, layout.shape)
    estimates = tuple(
        estimate_effect(moments, variant, minimum_stratum_units=settings.minimum_stratum_units)
        for variant in range(1, len(units.variants))
    )
    return MetricMeasurement(moments, estimates, values.winsorized_at, values.is_measured)


def compare_covariate(moments: Moments, n_variants: int) -> float:
    """Return the smallest p-value of a difference in the covariate over the treatments.

    Bonferroni's correction is applied.
    """
    test = tt.Mean(COVARIATE, equal_var=False, use_t=True)
    control = moments.aggregate(CONTROL)
    p_values = [
        float(test.analyze_aggregates(control, moments.aggregate(variant)).pvalue)
        for variant in range(1, n_variants)
        if min(control.count(), moments.aggregate(variant).count()) > 1
    ]
    usable = [p for p in p_values if not isnan(p)]
    return min(1.0, min(usable) * len(usable)) if usable else 1.0

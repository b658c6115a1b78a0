"""Say in words why a metric of a variant has no effect or no interval yet."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from math import isfinite, isnan

import numpy as np

from ml.experiments.analysis.estimates import CONTROL
from ml.experiments.analysis.exposures import Units
from ml.experiments.analysis.inference import SINGLE_LOOK_UNITS, EffectTest
from ml.experiments.analysis.quantiles import MINIMUM_UNITS
from ml.experiments.definition.definition import Experiment
from ml.experiments.definition.metrics import FunnelMetric, Metric, QuantileMetric

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def explain_missing_effect(
    metric: Metric, test: EffectTest, units: Units, variant: int, experiment: Experiment, burn_in_units: int
) -> str | None:
    """Return why a metric's effect has no relative interval, or None if it has one.

    Args:
        metric: the metric.
        test: its test for the variant.
        units: units of the experiment.
        variant: index of the variant in `(control, *treatments)`.
        experiment: definition of the experiment.
        burn_in_units: units of an arm below which an always-valid interval is infinite.
    """
    estimate = test.estimate
    counts = {CONTROL: estimate.control_units, variant: estimate.treatment_units}
    unseen = [arm for arm, count in counts.items() if count == 0]
    if unseen:
        return _explain_unseen(metric, units, unseen, len(unseen) == len(counts))
    sizes = f"{counts[CONTROL]:,} and {counts[variant]:,}"
    inference = test.infer(experiment.decision.alpha)
    reason = None
    if isnan(estimate.standard_error) or isnan(estimate.absolute):
        needed = MINIMUM_UNITS if isinstance(metric, QuantileMetric) else 2
        measure = _last_measure(metric).replace("_", " ")
        is_few = min(counts.values()) < needed
        reason = f"fewer than {needed} units in an arm ({sizes})" if is_few else f"no {measure} in an arm"
    elif not estimate.standard_error > 0:
        reason = "the values do not vary within an arm"
    elif not isfinite(inference.absolute.low):
        rule = experiment.decision.inference
        needed = SINGLE_LOOK_UNITS if rule == "fixed" else burn_in_units
        reason = f"fewer than {needed:,} units in an arm ({sizes})"
        if rule == "group_sequential":
            reason = "before the first planned look"
    elif isnan(inference.relative.low):
        reason = f"{experiment.control} is 0, so there is no relative change"
    elif not isfinite(inference.relative.low) and not isfinite(inference.relative.high):
        reason = f"{experiment.control} may be 0, so the relative change has no bounds"
    return reason


def _last_measure(metric: Metric) -> str:
    """Return the measure without which the metric has no value: the denominator, or where a funnel begins."""
    return metric.from_measure if isinstance(metric, FunnelMetric) else metric.measures[-1]


def _explain_unseen(metric: Metric, units: Units, arms: list[int], is_everybody: bool) -> str:
    """Return from when on a unit of these arms will have been seen for the metric's whole window."""
    who = "no unit" if is_everybody else f"no unit of {units.variants[arms[0]]}"
    exposed = units.exposed_at[np.isin(units.variant, arms)]
    if not len(exposed):
        return f"{who} exposed yet"
    days = metric.end_day or 0
    first = _EPOCH + timedelta(microseconds=int(exposed.min())) + timedelta(days=days)
    return f"{who} seen for {days} day{'s' if days != 1 else ''} yet, the first on {first:%Y-%m-%d}"

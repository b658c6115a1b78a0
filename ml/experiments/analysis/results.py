"""Results of a metric: all its inferences, corrected for multiple testing, and details of the primary metric."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from math import isnan

import numpy as np
from scipy.stats import false_discovery_control
from statsmodels.stats.multitest import multipletests

from ml.experiments.analysis.estimates import EffectEstimate, run_welch_test, variance_explained
from ml.experiments.analysis.exposures import Units
from ml.experiments.analysis.heterogeneity import (
    Heterogeneity,
    Novelty,
    estimate_by_segment,
    estimate_by_weekday,
    estimate_novelty,
)
from ml.experiments.analysis.inference import (
    BayesianResult,
    EffectInterval,
    InferenceResult,
    infer_always_valid,
    infer_bayesian,
    infer_single_look,
)
from ml.experiments.analysis.measurement import MetricMeasurement, StratumLayout
from ml.experiments.analysis.moments import Moments
from ml.experiments.analysis.outcomes import UnitDays
from ml.experiments.analysis.trajectory import (
    InterimLook,
    TrajectoryPoint,
    evaluate_looks,
    infer_group_sequential,
    trace_cohorts,
)
from ml.experiments.definition.definition import Experiment
from ml.experiments.definition.metrics import Metric
from ml.settings.experiments import ExperimentSettings


@dataclass(frozen=True)
class MetricResult:
    """A metric of a variant compared with control.

    Attributes:
        metric: name of the metric.
        variant: name of the treatment.
        role: `primary`, `secondary` or `guardrail`.
        higher_is_better: direction of the metric.
        estimate: estimate with CUPED and post-stratification.
        plain: unadjusted Welch test by tea-tasting.
        single_look: inference for a single look.
        always_valid: always-valid inference.
        bayesian: Bayesian inference.
        explained: share of the variance that the covariate removes.
        winsorized_at: cap of a revenue metric.
        corrected_p: p-value corrected by Holm over the treatments for the primary metric, and by
            Benjamini-Hochberg over all other metrics and treatments.
        changed: whether the corrected p-value is significant.
    """

    metric: str
    variant: str
    role: str
    higher_is_better: bool
    estimate: EffectEstimate
    plain: InferenceResult
    single_look: InferenceResult
    always_valid: InferenceResult
    bayesian: BayesianResult
    explained: float
    winsorized_at: float | None
    corrected_p: float
    changed: bool


@dataclass(frozen=True)
class PrimaryMetricDetail:
    """Details of the primary metric of a treatment.

    Attributes:
        variant: name of the treatment.
        inference: the inference that decides.
        trajectory: estimates over the cohort days.
        looks: planned looks so far.
        segments: effects by segment.
        weekdays: effects by weekday.
        novelty: change of the effect over time, None if it cannot be measured.
    """

    variant: str
    inference: InferenceResult
    trajectory: tuple[TrajectoryPoint, ...]
    looks: tuple[InterimLook, ...]
    segments: Heterogeneity
    weekdays: Heterogeneity
    novelty: Novelty | None


def summarize_metric(
    experiment: Experiment,
    metric: Metric,
    name: str,
    variant: int,
    measurement: MetricMeasurement,
    settings: ExperimentSettings,
) -> MetricResult:
    """Summarize a metric of a variant, given by its index in `(control, *treatments)`, before correction."""
    rule = experiment.decision
    estimate = measurement.estimates[variant - 1]
    moments = measurement.moments
    single = infer_single_look(estimate, rule.alpha)
    plain = single
    if moments is not None and min(estimate.control_units, estimate.treatment_units) > 1:
        plain = _run_plain_test(moments, variant, rule.alpha)
    better = metric.better == "higher"
    role = "primary" if name == experiment.primary_metric else "secondary"
    if role == "secondary" and any(guardrail.metric == name for guardrail in experiment.guardrails):
        role = "guardrail"
    return MetricResult(
        metric=name,
        variant=(experiment.control, *experiment.treatments)[variant],
        role=role,
        higher_is_better=better,
        estimate=estimate,
        plain=plain,
        single_look=single,
        always_valid=infer_always_valid(estimate, rule.alpha, rule.planned_units, settings.burn_in_units),
        bayesian=infer_bayesian(estimate, rule.alpha, settings.prior_relative_sd, higher_is_better=better),
        explained=variance_explained(moments, variant) if moments is not None else 0.0,
        winsorized_at=measurement.winsorized_at,
        corrected_p=1.0,
        changed=False,
    )


def _run_plain_test(moments: Moments, variant: int, alpha: float) -> InferenceResult:
    """Run the unadjusted Welch test."""
    result = run_welch_test(moments, variant, alpha, cuped=False)
    return InferenceResult(
        EffectInterval(result.effect_size, result.effect_size_ci_lower, result.effect_size_ci_upper),
        EffectInterval(result.rel_effect_size, result.rel_effect_size_ci_lower, result.rel_effect_size_ci_upper),
        result.pvalue,
    )


def correct_p_values(
    experiment: Experiment, results: list[MetricResult], settings: ExperimentSettings
) -> tuple[MetricResult, ...]:
    """Correct the p-values of the deciding inference, separately for the primary and the other metrics."""
    always = experiment.decision.inference == "always_valid"
    corrected = list(results)
    for primary in (True, False):
        places = [i for i, result in enumerate(results) if (result.role == "primary") == primary]
        if not places:
            continue
        raw = [results[i].always_valid.p_value if always else results[i].single_look.p_value for i in places]
        p_values = np.array([1.0 if isnan(p) else p for p in raw])
        if primary:
            # A single treatment needs no correction, and the call would cost a tenth of a second.
            adjusted = multipletests(p_values, method="holm")[1] if len(p_values) > 1 else p_values
            changed = adjusted <= experiment.decision.alpha
        else:
            adjusted = false_discovery_control(p_values, method="bh")
            changed = adjusted <= settings.false_discovery_rate
        for place, p_value, hit in zip(places, adjusted, changed, strict=True):
            corrected[place] = replace(results[place], corrected_p=float(p_value), changed=bool(hit))
    return tuple(corrected)


def detail_primary_metric(
    experiment: Experiment,
    metrics: Mapping[str, Metric],
    measurements: Mapping[str, MetricMeasurement],
    variant: int,
    days: UnitDays,
    units: Units,
    layout: StratumLayout,
    as_of: datetime,
    settings: ExperimentSettings,
    *,
    complete: bool,
) -> PrimaryMetricDetail:
    """Compute the details of the primary metric of a variant; treatments share the significance level."""
    rule = experiment.decision
    alpha = rule.alpha / len(experiment.treatments)
    metric, measurement = metrics[experiment.primary_metric], measurements[experiment.primary_metric]
    latest = measurement.estimates[variant - 1]
    points: list[TrajectoryPoint] = []
    empty = Heterogeneity((), float("nan"), float("nan"))
    segments = weekdays = empty
    if measurement.moments is not None:
        points = trace_cohorts(
            measurement.moments, variant, rule, alpha, settings.minimum_stratum_units, settings.burn_in_units
        )
        segments = estimate_by_segment(measurement.moments, layout.segment_strata, units.segments, variant)
        weekdays = estimate_by_weekday(measurement.moments, experiment, variant)
    looks = evaluate_looks(points, rule, alpha, complete=complete) if rule.inference == "group_sequential" else []
    always = infer_always_valid(latest, alpha, rule.planned_units, settings.burn_in_units)
    inference = {
        "always_valid": always,
        "group_sequential": infer_group_sequential(looks, latest),
        "fixed": infer_single_look(latest, alpha),
    }[rule.inference]
    observed = units.observed_days(as_of)
    window = metric.end_day or max(int(np.median(observed)) if len(observed) else 1, 1)
    return PrimaryMetricDetail(
        variant=(experiment.control, *experiment.treatments)[variant],
        inference=inference,
        trajectory=tuple(points),
        looks=tuple(looks),
        segments=segments,
        weekdays=weekdays,
        novelty=estimate_novelty(days, units, observed >= window, metric.measures[0], window, variant),
    )

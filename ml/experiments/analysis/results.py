"""What is said of a metric: all its readings, corrected for their number; the primary one from all sides."""

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
    running_p,
    trace_cohorts,
)
from ml.experiments.definition.definition import Experiment
from ml.experiments.definition.metrics import Metric
from ml.settings.experiments import ExperimentSettings


@dataclass(frozen=True)
class MetricResult:
    """A metric of a variant against control.

    plain: without adjustment, Welch's test by tea-tasting. The other readings are of `estimate`: with CUPED and
    post-stratified. corrected_p: Holm over the treatments for the primary metric, Benjamini-Hochberg over all
    other metrics and treatments. explained: share of the variance that the covariate takes away.
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
    """The primary metric of one treatment, looked at from all sides; `reading` is the one that decides."""

    variant: str
    reading: InferenceResult
    path: tuple[TrajectoryPoint, ...]
    looks: tuple[InterimLook, ...]
    always_valid_p: float
    segments: Heterogeneity
    weekdays: Heterogeneity
    novelty: Novelty | None


def summarize_metric(
    experiment: Experiment,
    metric: Metric,
    name: str,
    variant: int,
    measured: MetricMeasurement,
    settings: ExperimentSettings,
) -> MetricResult:
    """Read a metric of one variant, its place in `(control, *treatments)`, not yet corrected."""
    rule = experiment.decision
    found = measured.estimates[variant - 1]
    moments = measured.moments
    single = infer_single_look(found, rule.alpha)
    plain = single
    if moments is not None and min(found.control_units, found.treatment_units) > 1:
        plain = _welch(moments, variant, rule.alpha)
    better = metric.better == "higher"
    role = "primary" if name == experiment.primary_metric else "secondary"
    if role == "secondary" and any(guardrail.metric == name for guardrail in experiment.guardrails):
        role = "guardrail"
    return MetricResult(
        metric=name,
        variant=(experiment.control, *experiment.treatments)[variant],
        role=role,
        higher_is_better=better,
        estimate=found,
        plain=plain,
        single_look=single,
        always_valid=infer_always_valid(found, rule.alpha, rule.planned_units, settings.burn_in_units),
        bayesian=infer_bayesian(found, rule.alpha, settings.prior_relative_sd, higher_is_better=better),
        explained=variance_explained(moments, variant) if moments is not None else 0.0,
        winsorized_at=measured.winsorized_at,
        corrected_p=1.0,
        changed=False,
    )


def _welch(moments: Moments, variant: int, alpha: float) -> InferenceResult:
    result = run_welch_test(moments, variant, alpha, cuped=False)
    return InferenceResult(
        EffectInterval(result.effect_size, result.effect_size_ci_lower, result.effect_size_ci_upper),
        EffectInterval(result.rel_effect_size, result.rel_effect_size_ci_lower, result.rel_effect_size_ci_upper),
        result.pvalue,
    )


def correct_p_values(
    experiment: Experiment, results: list[MetricResult], settings: ExperimentSettings
) -> tuple[MetricResult, ...]:
    """Correct the p-values of the inference that decides: families of primary and of other metrics apart."""
    always = experiment.decision.inference == "always_valid"
    corrected = list(results)
    for primary in (True, False):
        places = [i for i, result in enumerate(results) if (result.role == "primary") == primary]
        if not places:
            continue
        raw = [results[i].always_valid.p_value if always else results[i].single_look.p_value for i in places]
        p_values = np.array([1.0 if isnan(p) else p for p in raw])
        if primary:
            # One treatment needs no correction, and a call collects garbage for a tenth of a second.
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
    measured: Mapping[str, MetricMeasurement],
    variant: int,
    days: UnitDays,
    units: Units,
    layout: StratumLayout,
    as_of: datetime,
    settings: ExperimentSettings,
    *,
    complete: bool,
) -> PrimaryMetricDetail:
    """Look at the primary metric of one variant from all sides; treatments share the level."""
    rule = experiment.decision
    alpha = rule.alpha / len(experiment.treatments)
    metric, own = metrics[experiment.primary_metric], measured[experiment.primary_metric]
    latest = own.estimates[variant - 1]
    points: list[TrajectoryPoint] = []
    nothing = Heterogeneity((), float("nan"), float("nan"))
    segments = weekdays = nothing
    if own.moments is not None:
        points = trace_cohorts(
            own.moments, variant, rule, alpha, settings.minimum_stratum_units, settings.burn_in_units
        )
        segments = estimate_by_segment(own.moments, layout.segment_strata, units.segments, variant)
        weekdays = estimate_by_weekday(own.moments, experiment, variant)
    looks = evaluate_looks(points, rule, alpha, complete=complete) if rule.inference == "group_sequential" else []
    always = infer_always_valid(latest, alpha, rule.planned_units, settings.burn_in_units)
    reading = {
        "always_valid": always,
        "group_sequential": infer_group_sequential(looks, latest),
        "fixed": infer_single_look(latest, alpha),
    }[rule.inference]
    observed = units.observed_days(as_of)
    window = metric.end_day or max(int(np.median(observed)) if len(observed) else 1, 1)
    return PrimaryMetricDetail(
        variant=(experiment.control, *experiment.treatments)[variant],
        reading=reading,
        path=tuple(points),
        looks=tuple(looks),
        always_valid_p=running_p(points, rule, alpha, settings.burn_in_units) if points else always.p_value,
        segments=segments,
        weekdays=weekdays,
        novelty=estimate_novelty(days, units, observed >= window, metric.measures[0], window, variant),
    )

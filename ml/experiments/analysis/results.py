"""Results of a metric: all its inferences and the one that decides, and details of the primary metric."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from math import nan

import numpy as np

from ml.experiments.analysis.corrections import CorrectedTest, control_false_discoveries, share_level
from ml.experiments.analysis.estimates import EffectEstimate, estimate_effect, run_welch_test, variance_explained
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
    EffectTest,
    InferenceResult,
    always_valid_test,
    build_result,
    infer_always_valid,
    infer_bayesian,
    infer_single_look,
    single_look_test,
)
from ml.experiments.analysis.measurement import MetricMeasurement, StratumLayout
from ml.experiments.analysis.missing_effects import explain_missing_effect
from ml.experiments.analysis.moments import Moments
from ml.experiments.analysis.outcomes import UnitDays
from ml.experiments.analysis.trajectory import (
    InterimLook,
    TrajectoryPoint,
    evaluate_looks,
    final_point,
    group_sequential_test,
    trace_cohorts,
)
from ml.experiments.definition.definition import Experiment
from ml.experiments.definition.metrics import Metric, ProportionMetric
from ml.settings.experiments import ExperimentSettings


@dataclass(frozen=True)
class MetricResult:
    """A metric of a variant compared with control.

    Attributes:
        metric: name of the metric.
        variant: name of the treatment.
        role: `primary`, `secondary` or `guardrail`.
        higher_is_better: direction of the metric.
        estimate: estimate that the deciding inference is about, with CUPED and post-stratification: of all units
            that were seen for the whole window, or of those at the planned look.
        plain: unadjusted Welch test by tea-tasting.
        single_look: inference for a single look, not corrected.
        always_valid: always-valid inference, not corrected.
        bayesian: Bayesian inference.
        explained: share of the variance that the covariate removes.
        winsorized_at: cap of a revenue metric.
        decisive: interval and p-value of the inference that the decision rule names, corrected together: over the
            treatments for the primary metric, over all other metrics and treatments for these, see `corrections`.
        changed: whether the corrected p-value is below alpha for the primary metric, and below the rate of false
            discoveries for the others.
        missing: why there is no relative interval yet, None if there is one.
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
    decisive: InferenceResult
    changed: bool
    missing: str | None

    @property
    def corrected_p(self) -> float:
        """Return the corrected p-value, NaN if the metric has none and was left out of the correction."""
        return self.decisive.p_value

    @property
    def may_be_chance(self) -> bool:
        """Return whether there is an interval and it contains 0."""
        return self.missing is None and not self.changed


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


@dataclass(frozen=True)
class MetricTest:
    """The test that the decision rule names, for a metric of a variant.

    Attributes:
        metric: name of the metric.
        variant: index of the treatment in `(control, *treatments)`.
        test: the test.
        trajectory: estimates over the cohort days; empty for a metric that is not followed.
        looks: planned looks so far; none unless the rule is group sequential.
    """

    metric: str
    variant: int
    test: EffectTest
    trajectory: tuple[TrajectoryPoint, ...]
    looks: tuple[InterimLook, ...]


def run_metric_test(
    experiment: Experiment,
    name: str,
    variant: int,
    measurement: MetricMeasurement,
    alpha: float,
    settings: ExperimentSettings,
    *,
    complete: bool,
) -> MetricTest:
    """Run the test that the decision rule names.

    Args:
        experiment: definition of the experiment.
        name: name of the metric.
        variant: index of the treatment in `(control, *treatments)`.
        measurement: measurement of the metric.
        alpha: significance level of the primary metric for a single treatment.
        settings: thresholds and tuning parameters.
        complete: whether all units have seen the metric's whole window.
    """
    rule, estimate = experiment.decision, measurement.estimates[variant - 1]
    is_primary, is_sequential = name == experiment.primary_metric, rule.inference == "group_sequential"
    points: list[TrajectoryPoint] = []
    if measurement.moments is not None and (is_primary or is_sequential):
        points = trace_cohorts(
            measurement.moments, variant, rule, alpha, settings.minimum_stratum_units, settings.burn_in_units
        )
    looks: list[InterimLook] = []
    if is_sequential:
        if measurement.moments is None and complete and estimate.standard_error > 0:
            # A quantile is not followed over the cohorts, so its only look is the last.
            points = [final_point(estimate, rule, alpha, settings.burn_in_units)]
        looks = evaluate_looks(points, rule, alpha, complete=complete)
        test = group_sequential_test(looks, estimate, rule, may_stop=is_primary)
    elif rule.inference == "always_valid":
        test = always_valid_test(estimate, rule.planned_units, settings.burn_in_units, rule.alpha)
    else:
        test = single_look_test(estimate)
    return MetricTest(name, variant, test, tuple(points), tuple(looks))


def correct_tests(experiment: Experiment, tests: Sequence[MetricTest]) -> dict[tuple[str, int], CorrectedTest]:
    """Correct the tests, separately for the primary and the other metrics; the result is by metric and variant."""
    corrected: dict[tuple[str, int], CorrectedTest] = {}
    for is_primary, correct in ((True, share_level), (False, control_false_discoveries)):
        family = [entry for entry in tests if (entry.metric == experiment.primary_metric) == is_primary]
        results = correct([entry.test for entry in family], experiment.decision.alpha)
        corrected.update(((e.metric, e.variant), result) for e, result in zip(family, results, strict=True))
    return corrected


def summarize_metric(
    experiment: Experiment,
    metric: Metric,
    corrected: CorrectedTest,
    name: str,
    variant: int,
    measurement: MetricMeasurement,
    units: Units,
    settings: ExperimentSettings,
) -> MetricResult:
    """Summarize a metric of a variant, given by its index in `(control, *treatments)`."""
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
    threshold = rule.alpha if role == "primary" else settings.false_discovery_rate
    return MetricResult(
        metric=name,
        variant=(experiment.control, *experiment.treatments)[variant],
        role=role,
        higher_is_better=better,
        estimate=corrected.test.estimate,
        plain=plain,
        single_look=single,
        always_valid=infer_always_valid(estimate, rule.alpha, rule.planned_units, settings.burn_in_units),
        bayesian=infer_bayesian(estimate, rule.alpha, settings.prior_relative_sd, higher_is_better=better),
        explained=variance_explained(moments, variant) if moments is not None else 0.0,
        winsorized_at=measurement.winsorized_at,
        decisive=corrected.inference,
        changed=corrected.inference.p_value < threshold,
        missing=explain_missing_effect(metric, corrected.test, units, variant, experiment, settings.burn_in_units)
        if measurement.is_measured
        else f"the site does not measure {' and '.join(metric.measures)}".replace("_", " "),
    )


def _run_plain_test(moments: Moments, variant: int, alpha: float) -> InferenceResult:
    """Run the unadjusted Welch test."""
    # With all strata merged, this is the estimate that the test is about.
    estimate = estimate_effect(moments, variant, cuped=False, minimum_stratum_units=sys.maxsize)
    if not estimate.standard_error > 0:
        return build_result(estimate, nan, nan)
    result = run_welch_test(moments, variant, alpha, cuped=False)
    width = (result.effect_size_ci_upper - result.effect_size) / estimate.standard_error
    return build_result(estimate, width, result.pvalue)


def detail_primary_metric(
    experiment: Experiment,
    metric: Metric,
    measurement: MetricMeasurement,
    test: MetricTest,
    corrected: CorrectedTest,
    days: UnitDays,
    units: Units,
    layout: StratumLayout,
    as_of: datetime,
) -> PrimaryMetricDetail:
    """Compute the details of the primary metric of a variant."""
    segments = weekdays = Heterogeneity((), nan, nan)
    if measurement.moments is not None:
        segments = estimate_by_segment(measurement.moments, layout.segment_strata, units.segments, test.variant)
        weekdays = estimate_by_weekday(measurement.moments, experiment, test.variant)
    # What counts once a person comes early by nature, so that its effect fades without any novelty.
    counts_once = isinstance(metric, ProportionMetric)
    observed = units.observed_days(as_of)
    window = metric.end_day or max(int(np.median(observed)) if len(observed) else 1, 1)
    return PrimaryMetricDetail(
        variant=(experiment.control, *experiment.treatments)[test.variant],
        inference=corrected.inference,
        trajectory=test.trajectory,
        looks=test.looks,
        segments=segments,
        weekdays=weekdays,
        novelty=None
        if counts_once
        else estimate_novelty(days, units, observed >= window, metric.measures[0], window, test.variant),
    )

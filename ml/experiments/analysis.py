"""One experiment, analysed: from exposures and outcomes to effects, checks and the decision."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from math import isnan

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import tea_tasting as tt
from scipy.stats import false_discovery_control
from statsmodels.stats.multitest import multipletests

from ml.experiments.decision import Decision, GuardrailVerdict, PrimaryEvidence, decide, judge_guardrail
from ml.experiments.definition import Experiment, Experiments
from ml.experiments.estimates import CONTROL, Estimate, estimate, single_look, variance_explained
from ml.experiments.exposures import ExposureCounts, Units, resolve_units
from ml.experiments.health import HealthCheck, SampleRatio, exposure_checks, sample_ratio
from ml.experiments.heterogeneity import Heterogeneity, Novelty, by_segment, by_weekday, novelty
from ml.experiments.metrics import Metric, Quantile
from ml.experiments.moments import Moments, accumulate
from ml.experiments.outcomes import COVARIATE, NUMERATOR, UnitDays, UnitValues, join_outcomes, unit_values
from ml.experiments.quantiles import quantile_estimate
from ml.experiments.readings import (
    BayesianReading,
    Interval,
    Reading,
    always_valid_reading,
    bayesian_reading,
    single_look_reading,
)
from ml.experiments.trajectory import Look, Point, group_sequential_reading, planned_looks, running_p, trace
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
    estimate: Estimate
    plain: Reading
    single_look: Reading
    always_valid: Reading
    bayesian: BayesianReading
    explained: float
    winsorized_at: float | None
    corrected_p: float
    changed: bool


@dataclass(frozen=True)
class PrimaryDetail:
    """The primary metric of one treatment, looked at from all sides; `reading` is the one that decides."""

    variant: str
    reading: Reading
    path: tuple[Point, ...]
    looks: tuple[Look, ...]
    always_valid_p: float
    segments: Heterogeneity
    weekdays: Heterogeneity
    novelty: Novelty | None


@dataclass(frozen=True)
class Analysis:
    """Everything that a report says of an experiment at one time."""

    experiment: Experiment
    metrics: Mapping[str, Metric]
    as_of: datetime
    days_run: int
    complete: bool
    counts: ExposureCounts
    ratio: SampleRatio
    checks: tuple[HealthCheck, ...]
    results: tuple[MetricResult, ...]
    primary: tuple[PrimaryDetail, ...]
    guardrails: tuple[GuardrailVerdict, ...]
    decision: Decision

    def result(self, metric: str, variant: str) -> MetricResult:
        """The result of one metric and variant; KeyError when there is none."""
        for entry in self.results:
            if (entry.metric, entry.variant) == (metric, variant):
                return entry
        raise KeyError(f"no result of {metric!r} for {variant!r}")


@dataclass(frozen=True)
class _Measured:
    """A metric after the units' values are gone: moments, or the values themselves for a quantile."""

    moments: Moments | None
    estimates: tuple[Estimate, ...]
    winsorized_at: float | None


def analyse(
    experiments: Experiments,
    experiment_id: str,
    exposures: pa.Table,
    outcomes: pa.Table,
    as_of: datetime,
    settings: ExperimentSettings,
) -> Analysis:
    """Analyse one experiment.

    Args:
        experiments: the file of definitions.
        experiment_id: which one.
        exposures: rows of the mart `exposures` of this experiment, see `resolve_units`.
        outcomes: rows of the mart `experiment_outcomes` of this experiment, see `join_outcomes`.
        as_of: outcomes up to here are in the tables.
        settings: thresholds and tunings.

    Raises:
        UnknownExperimentError: the id is not in the file.
        ValueError: a table lacks a column.
    """
    experiment = experiments.get(experiment_id)
    metrics = {name: experiments.metrics[name] for name in experiment.metric_names}
    units, counts = resolve_units(exposures, experiment)
    # A caller that kept no reference of its own gets the memory of ten million ids back here.
    del exposures
    measures = tuple(dict.fromkeys(measure for metric in metrics.values() for measure in metric.measures))
    days = join_outcomes(outcomes, units, measures)
    del outcomes
    layout = _Layout.of(units, experiment, as_of)
    measured: dict[str, _Measured] = {}
    before: dict[str, float] = {}
    for name, metric in metrics.items():
        values = unit_values(metric, days, units, as_of, experiment.ends_at)
        measured[name] = _measure(metric, values, units, layout, settings)
        moments = measured[name].moments
        if moments is not None and COVARIATE in moments.names:
            before[name] = _difference_before(moments, len(units.variants))
    ratio = sample_ratio(units, experiment, settings.srm_alarm_p)
    complete = as_of >= experiment.ends_at + timedelta(days=metrics[experiment.primary_metric].end_day or 0)
    results = _corrected(
        experiment,
        [
            _result(experiment, metrics[name], name, variant, measured[name], settings)
            for name in metrics
            for variant in range(1, len(units.variants))
        ],
        settings,
    )
    details = tuple(
        _detail(experiment, metrics, measured, variant, days, units, layout, as_of, settings, complete=complete)
        for variant in range(1, len(units.variants))
    )
    guardrails = _guardrails(experiment, results, details)
    days_run = max((min(as_of, experiment.ends_at) - experiment.starts_at).days, 0)
    better = metrics[experiment.primary_metric].better == "higher"
    decision = decide(
        experiment,
        [PrimaryEvidence(detail.variant, detail.reading, better) for detail in details],
        guardrails,
        sample_ratio_alarm=ratio.alarm,
        days_run=days_run,
        complete=complete,
    )
    checks = exposure_checks(units, counts, ratio, before, experiment, settings)
    return Analysis(
        experiment,
        metrics,
        as_of,
        days_run,
        complete,
        counts,
        ratio,
        tuple(checks),
        results,
        details,
        guardrails,
        decision,
    )


@dataclass(frozen=True)
class _Layout:
    """How units fall into groups: strata are segments, times ramp steps where these change the shares."""

    strata: npt.NDArray[np.int32]
    days: npt.NDArray[np.int32]
    shape: tuple[int, int, int]
    segment_strata: list[tuple[int, ...]]

    @classmethod
    def of(cls, units: Units, experiment: Experiment, as_of: datetime) -> _Layout:
        steps = len(experiment.steps) if experiment.shares_change() else 1
        strata = units.segment.astype(np.int32)
        if steps > 1:
            strata = strata * steps + units.step
        last = max((min(as_of, experiment.ends_at) - experiment.starts_at).days, 0)
        days = np.minimum(units.cohort_day(experiment.starts_at), last)
        shape = (len(units.variants), len(units.segments) * steps, last + 1)
        members = [tuple(range(i * steps, (i + 1) * steps)) for i in range(len(units.segments))]
        return cls(strata, days, shape, members)


def _measure(
    metric: Metric, values: UnitValues, units: Units, layout: _Layout, settings: ExperimentSettings
) -> _Measured:
    if isinstance(metric, Quantile):
        numbers = values.columns[NUMERATOR]
        arms = [numbers[values.matured & (units.variant == arm)] for arm in range(len(units.variants))]
        estimates = tuple(quantile_estimate(arms[CONTROL], arm, metric.quantile) for arm in arms[1:])
        return _Measured(None, estimates, None)
    _, strata, n_days = layout.shape
    group = (units.variant.astype(np.int64) * strata + layout.strata) * n_days + layout.days
    group[~values.matured] = -1
    moments = accumulate(values.columns, group, layout.shape)
    estimates = tuple(
        estimate(moments, variant, minimum_stratum_units=settings.minimum_stratum_units)
        for variant in range(1, len(units.variants))
    )
    return _Measured(moments, estimates, values.winsorized_at)


def _difference_before(moments: Moments, n_variants: int) -> float:
    """Smallest p-value, over the treatments, of a difference in the covariate, with Bonferroni's correction."""
    test = tt.Mean(COVARIATE, equal_var=False, use_t=True)
    control = moments.select(CONTROL)
    p_values = [
        float(test.analyze_aggregates(control, moments.select(variant)).pvalue)
        for variant in range(1, n_variants)
        if min(control.count(), moments.select(variant).count()) > 1
    ]
    usable = [p for p in p_values if not isnan(p)]
    return min(1.0, min(usable) * len(usable)) if usable else 1.0


def _result(
    experiment: Experiment,
    metric: Metric,
    name: str,
    variant: int,
    measured: _Measured,
    settings: ExperimentSettings,
) -> MetricResult:
    rule = experiment.decision
    found = measured.estimates[variant - 1]
    moments = measured.moments
    single = single_look_reading(found, rule.alpha)
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
        always_valid=always_valid_reading(found, rule.alpha, rule.planned_units, settings.burn_in_units),
        bayesian=bayesian_reading(found, rule.alpha, settings.prior_relative_sd, higher_is_better=better),
        explained=variance_explained(moments, variant) if moments is not None else 0.0,
        winsorized_at=measured.winsorized_at,
        corrected_p=1.0,
        changed=False,
    )


def _welch(moments: Moments, variant: int, alpha: float) -> Reading:
    result = single_look(moments, variant, alpha, cuped=False)
    return Reading(
        Interval(result.effect_size, result.effect_size_ci_lower, result.effect_size_ci_upper),
        Interval(result.rel_effect_size, result.rel_effect_size_ci_lower, result.rel_effect_size_ci_upper),
        result.pvalue,
    )


def _corrected(
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


def _detail(
    experiment: Experiment,
    metrics: Mapping[str, Metric],
    measured: Mapping[str, _Measured],
    variant: int,
    days: UnitDays,
    units: Units,
    layout: _Layout,
    as_of: datetime,
    settings: ExperimentSettings,
    *,
    complete: bool,
) -> PrimaryDetail:
    rule = experiment.decision
    alpha = rule.alpha / len(experiment.treatments)
    metric, own = metrics[experiment.primary_metric], measured[experiment.primary_metric]
    latest = own.estimates[variant - 1]
    points: list[Point] = []
    nothing = Heterogeneity((), float("nan"), float("nan"))
    segments = weekdays = nothing
    if own.moments is not None:
        points = trace(own.moments, variant, rule, alpha, settings.minimum_stratum_units, settings.burn_in_units)
        segments = by_segment(own.moments, layout.segment_strata, units.segments, variant)
        weekdays = by_weekday(own.moments, experiment, variant)
    looks = planned_looks(points, rule, alpha, complete=complete) if rule.inference == "group_sequential" else []
    always = always_valid_reading(latest, alpha, rule.planned_units, settings.burn_in_units)
    reading = {
        "always_valid": always,
        "group_sequential": group_sequential_reading(looks, latest),
        "fixed": single_look_reading(latest, alpha),
    }[rule.inference]
    observed = units.observed_days(as_of)
    window = metric.end_day or max(int(np.median(observed)) if len(observed) else 1, 1)
    return PrimaryDetail(
        variant=(experiment.control, *experiment.treatments)[variant],
        reading=reading,
        path=tuple(points),
        looks=tuple(looks),
        always_valid_p=running_p(points, rule, alpha, settings.burn_in_units) if points else always.p_value,
        segments=segments,
        weekdays=weekdays,
        novelty=novelty(days, units, observed >= window, metric.measures[0], window, variant),
    )


def _guardrails(
    experiment: Experiment, results: tuple[MetricResult, ...], details: tuple[PrimaryDetail, ...]
) -> tuple[GuardrailVerdict, ...]:
    """Judge by the always-valid interval, so that harm stops a test on any day, whatever inference decides it."""
    by_name = {(result.metric, result.variant): result for result in results}
    return tuple(
        judge_guardrail(
            guardrail,
            detail.variant,
            by_name[guardrail.metric, detail.variant].always_valid,
            higher_is_better=by_name[guardrail.metric, detail.variant].higher_is_better,
        )
        for guardrail in experiment.guardrails
        for detail in details
    )

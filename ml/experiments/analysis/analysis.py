"""Analyse an experiment, from exposures and outcomes to effects, checks and the decision."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

import pyarrow as pa

from ml.experiments.analysis.decision import (
    ExperimentDecision,
    GuardrailVerdict,
    PrimaryEvidence,
    apply_decision_rule,
    judge_guardrail,
)
from ml.experiments.analysis.exposures import ExposureCounts, resolve_units
from ml.experiments.analysis.health import HealthCheck, SampleRatioCheck, check_exposures, check_sample_ratio
from ml.experiments.analysis.measurement import MetricMeasurement, StratumLayout, compare_covariate, measure_metric
from ml.experiments.analysis.outcomes import COVARIATE, compute_unit_values, join_outcomes
from ml.experiments.analysis.results import (
    MetricResult,
    PrimaryMetricDetail,
    correct_tests,
    detail_primary_metric,
    run_metric_test,
    summarize_metric,
)
from ml.experiments.definition.definition import Experiment, ExperimentDefinitions
from ml.experiments.definition.metrics import Metric
from ml.settings.experiments import ExperimentSettings


@dataclass(frozen=True)
class ExperimentAnalysis:
    """Everything that a report shows about an experiment as of a time.

    Attributes:
        experiment: definition of the experiment.
        metrics: its metrics by name.
        as_of: time up to which outcomes are known.
        days_run: days since the start, at most until the end.
        complete: whether no more units will come and all have seen the whole window of every metric.
        counts: counts of exposure rows and units.
        ratio: sample ratio check.
        checks: all health checks.
        results: results by metric and variant.
        primary: details of the primary metric by variant.
        guardrails: verdicts on the guardrails.
        decision: the decision by the stated rule.
    """

    experiment: Experiment
    metrics: Mapping[str, Metric]
    as_of: datetime
    days_run: int
    complete: bool
    counts: ExposureCounts
    ratio: SampleRatioCheck
    checks: tuple[HealthCheck, ...]
    results: tuple[MetricResult, ...]
    primary: tuple[PrimaryMetricDetail, ...]
    guardrails: tuple[GuardrailVerdict, ...]
    decision: ExperimentDecision

    def result(self, metric: str, variant: str) -> MetricResult:
        """Return the result of a metric and variant; raises KeyError if there is none."""
        for entry in self.results:
            if (entry.metric, entry.variant) == (metric, variant):
                return entry
        raise KeyError(f"no result of {metric!r} for {variant!r}")


def analyse_experiment(
    definitions: ExperimentDefinitions,
    experiment_id: str,
    exposures: pa.Table,
    outcomes: pa.Table,
    as_of: datetime,
    settings: ExperimentSettings,
) -> ExperimentAnalysis:
    """Analyse an experiment.

    Args:
        definitions: the definitions.
        experiment_id: id of the experiment.
        exposures: rows of the mart `exposures` for this experiment, see `resolve_units`.
        outcomes: rows of the mart `experiment_outcomes` for this experiment, see `join_outcomes`.
        as_of: time up to which outcomes are in the tables.
        settings: thresholds and tuning parameters.

    Raises:
        UnknownExperimentError: no experiment has this id.
        InvalidInputError: a table lacks a column.
    """
    experiment = definitions.get(experiment_id)
    metrics = {name: definitions.metrics[name] for name in experiment.metric_names}
    units, counts = resolve_units(exposures, experiment)
    # A caller without its own reference frees the memory of ten million ids here.
    del exposures
    measures = tuple(dict.fromkeys(measure for metric in metrics.values() for measure in metric.measures))
    days = join_outcomes(outcomes, units, measures)
    del outcomes
    layout = StratumLayout.from_units(units, experiment, as_of)
    measurements: dict[str, MetricMeasurement] = {}
    imbalance: dict[str, float] = {}
    for name, metric in metrics.items():
        values = compute_unit_values(metric, days, units, as_of, experiment.ends_at)
        measurements[name] = measure_metric(metric, values, units, layout, settings)
        moments = measurements[name].moments
        if moments is not None and COVARIATE in moments.names:
            imbalance[name] = compare_covariate(moments, len(units.variants))
    ratio = check_sample_ratio(units, experiment, settings.srm_alarm_p)
    completed = {name: as_of >= metric_end(experiment, metric) for name, metric in metrics.items()}
    complete = all(completed.values())
    variants = range(1, len(units.variants))
    primary = measurements[experiment.primary_metric]
    # Treatments whose primary metric can be judged share the level, as `correct_tests` does it.
    judged = sum(estimate.standard_error > 0 for estimate in primary.estimates)
    alpha = experiment.decision.alpha / max(judged, 1)
    tests = {
        (name, variant): run_metric_test(
            experiment, name, variant, measurements[name], alpha, settings, complete=completed[name]
        )
        for name in metrics
        for variant in variants
    }
    corrected = correct_tests(experiment, list(tests.values()))
    results = tuple(
        summarize_metric(
            experiment, metrics[name], corrected[name, variant], name, variant, measurements[name], units, settings
        )
        for name, variant in tests
    )
    details = tuple(
        detail_primary_metric(
            experiment,
            metrics[experiment.primary_metric],
            primary,
            tests[experiment.primary_metric, variant],
            corrected[experiment.primary_metric, variant],
            days,
            units,
            layout,
            as_of,
        )
        for variant in variants
    )
    guardrails = _judge_guardrails(experiment, results, details)
    days_run = max((min(as_of, experiment.ends_at) - experiment.starts_at).days, 0)
    better = metrics[experiment.primary_metric].better == "higher"
    decision = apply_decision_rule(
        experiment,
        [PrimaryEvidence(detail.variant, detail.inference, better) for detail in details],
        guardrails,
        sample_ratio_alarm=ratio.alarm,
        days_run=days_run,
        complete=complete,
    )
    checks = check_exposures(units, counts, ratio, imbalance, experiment, settings)
    return ExperimentAnalysis(
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


def metric_end(experiment: Experiment, metric: Metric) -> datetime:
    """Return when the last unit of an experiment has seen the metric's whole window."""
    return experiment.ends_at + timedelta(days=metric.end_day or 0)


def _judge_guardrails(
    experiment: Experiment, results: tuple[MetricResult, ...], details: tuple[PrimaryMetricDetail, ...]
) -> tuple[GuardrailVerdict, ...]:
    """Judge guardrails by the always-valid interval, so that harm stops a test on any day."""
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

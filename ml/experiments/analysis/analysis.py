"""One experiment, analysed: from exposures and outcomes to effects, checks and the decision."""

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
    correct_p_values,
    detail_primary_metric,
    summarize_metric,
)
from ml.experiments.definition.definition import Experiment, ExperimentDefinitions
from ml.experiments.definition.metrics import Metric
from ml.settings.experiments import ExperimentSettings


@dataclass(frozen=True)
class ExperimentAnalysis:
    """Everything that a report says of an experiment at one time."""

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
        """The result of one metric and variant; KeyError when there is none."""
        for entry in self.results:
            if (entry.metric, entry.variant) == (metric, variant):
                return entry
        raise KeyError(f"no result of {metric!r} for {variant!r}")


def analyse_experiment(
    experiments: ExperimentDefinitions,
    experiment_id: str,
    exposures: pa.Table,
    outcomes: pa.Table,
    as_of: datetime,
    settings: ExperimentSettings,
) -> ExperimentAnalysis:
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
    layout = StratumLayout.of(units, experiment, as_of)
    measured: dict[str, MetricMeasurement] = {}
    before: dict[str, float] = {}
    for name, metric in metrics.items():
        values = compute_unit_values(metric, days, units, as_of, experiment.ends_at)
        measured[name] = measure_metric(metric, values, units, layout, settings)
        moments = measured[name].moments
        if moments is not None and COVARIATE in moments.names:
            before[name] = compare_covariate(moments, len(units.variants))
    ratio = check_sample_ratio(units, experiment, settings.srm_alarm_p)
    complete = as_of >= experiment.ends_at + timedelta(days=metrics[experiment.primary_metric].end_day or 0)
    results = correct_p_values(
        experiment,
        [
            summarize_metric(experiment, metrics[name], name, variant, measured[name], settings)
            for name in metrics
            for variant in range(1, len(units.variants))
        ],
        settings,
    )
    details = tuple(
        detail_primary_metric(
            experiment, metrics, measured, variant, days, units, layout, as_of, settings, complete=complete
        )
        for variant in range(1, len(units.variants))
    )
    guardrails = _guardrails(experiment, results, details)
    days_run = max((min(as_of, experiment.ends_at) - experiment.starts_at).days, 0)
    better = metrics[experiment.primary_metric].better == "higher"
    decision = apply_decision_rule(
        experiment,
        [PrimaryEvidence(detail.variant, detail.reading, better) for detail in details],
        guardrails,
        sample_ratio_alarm=ratio.alarm,
        days_run=days_run,
        complete=complete,
    )
    checks = check_exposures(units, counts, ratio, before, experiment, settings)
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


def _guardrails(
    experiment: Experiment, results: tuple[MetricResult, ...], details: tuple[PrimaryMetricDetail, ...]
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

"""Render an analysis as a self-contained HTML page without scripts or requests, with plots as inline SVG."""

from __future__ import annotations

from html import escape
from math import isfinite, isnan
from pathlib import Path

from ml.evaluation.gains import NO_DIFFERENCE
from ml.experiments.analysis.analysis import ExperimentAnalysis
from ml.experiments.analysis.decision import describe_decision_rule
from ml.experiments.analysis.heterogeneity import Heterogeneity
from ml.experiments.analysis.inference import EffectInterval, InferenceResult
from ml.experiments.analysis.results import MetricResult, PrimaryMetricDetail
from ml.experiments.report import plots
from ml.experiments.report.number_formats import (
    format_bounds,
    format_number,
    format_p_equation,
    format_p_value,
    format_percent,
    format_probability,
)
from ml.experiments.report.page_parts import format_sentence, format_title, render_svg, render_table
from ml.experiments.report.plots import ForestRow

_STYLE = Path(__file__).with_name("report.css")
_STATE_CLASS = {"held": "yes", "breached": "no", "worse": "no", "open": "maybe"}


def render_report(analysis: ExperimentAnalysis, drift_alarm_p: float) -> str:
    """Render the page.

    Args:
        analysis: the analysis.
        drift_alarm_p: p-value below which a change over time or weekdays is pointed out.
    """
    experiment = analysis.experiment
    body = "".join(
        [
            _render_header(analysis),
            _render_decision(analysis),
            *(_render_primary(analysis, detail) for detail in analysis.primary),
            _render_metrics(analysis),
            _render_guardrails(analysis),
            *(_render_heterogeneity(analysis, detail, drift_alarm_p) for detail in analysis.primary),
            _render_health(analysis),
            _render_reading_aid(analysis),
        ]
    )
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<link rel="icon" href="data:,"><title>{escape(experiment.id)}: {analysis.decision.verdict}</title>'
        f"<style>{_STYLE.read_text(encoding='utf-8')}</style></head><body><main>{body}</main></body></html>"
    )


def _render_header(analysis: ExperimentAnalysis) -> str:
    """Render the title, the verdict and the main figures."""
    experiment, decision = analysis.experiment, analysis.decision
    planned = (experiment.ends_at - experiment.starts_at).days
    facts = [
        (f"{analysis.counts.units:,}", f"{experiment.unit} units exposed"),
        (f"{_count_observed(analysis):,}", "of them observed for the full window"),
        (f"{analysis.days_run} of {planned}", "days"),
        (f"{experiment.minimum_detectable_effect:.1%}", "minimum effect"),
        (f"{analysis.as_of:%Y-%m-%d %H:%M} UTC", "as of"),
    ]
    figures = "".join(f"<div><b>{escape(value)}</b><span>{escape(name)}</span></div>" for value, name in facts)
    variant = f" {escape(decision.variant)}" if decision.verdict == "ship" and decision.variant else ""
    return (
        f'<h1>{escape(experiment.id)}</h1><p class="muted">{escape(experiment.hypothesis)}</p>'
        f'<p><span class="verdict '
        f'{_verdict_class(analysis)}">{decision.verdict.capitalize()}{variant}</span></p>'
        f'<div class="facts">{figures}</div>'
    )


def _verdict_class(analysis: ExperimentAnalysis) -> str:
    """The colour of the verdict: a test that found nothing stops without alarm, one that does harm with it."""
    is_harmful = analysis.ratio.alarm or any(guardrail.state == "breached" for guardrail in analysis.guardrails)
    verdict = analysis.decision.verdict
    return "harm" if verdict == "stop" and is_harmful else verdict.replace(" ", "-")


def _count_observed(analysis: ExperimentAnalysis) -> int:
    """Return the units of all variants that the primary metric is about."""
    estimates = [analysis.result(analysis.experiment.primary_metric, d.variant).estimate for d in analysis.primary]
    return estimates[0].control_units + sum(estimate.treatment_units for estimate in estimates)


def _render_decision(analysis: ExperimentAnalysis) -> str:
    """Render the reasons, failed checks and the rule."""
    reasons = "".join(f"<li>{escape(format_sentence(reason))}</li>" for reason in analysis.decision.reasons)
    failed = [check for check in analysis.checks if not check.passed]
    warnings = "".join(
        f'<li><span class="no">{escape(check.name.capitalize())}: failed.</span> '
        f"{escape(format_sentence(check.detail))}</li>"
        for check in failed
    )
    return (
        f"<section><h2>Why</h2><ul>{reasons}{warnings}</ul>"
        f'<p class="muted">The rule that was stated before the start: '
        f"{escape(describe_decision_rule(analysis.experiment))}</p></section>"
    )


def _render_primary(analysis: ExperimentAnalysis, detail: PrimaryMetricDetail) -> str:
    """Render the primary metric of a variant."""
    experiment = analysis.experiment
    result = analysis.result(experiment.primary_metric, detail.variant)
    better = 1 if result.higher_is_better else -1
    rows = [
        ForestRow("Single look, unadjusted", result.plain.relative),
        ForestRow("Single look, adjusted", result.single_look.relative),
        ForestRow("Always valid, adjusted", result.always_valid.relative),
        ForestRow("Bayesian", result.bayesian.relative),
    ]
    decisive = "Decides: " + experiment.decision.inference.replace("_", " ")
    rows.append(
        ForestRow(
            decisive,
            detail.inference.relative,
            _is_good(detail.inference, higher_is_better=result.higher_is_better),
        )
    )
    forest = render_svg(plots.plot_forest(rows, target=better * experiment.minimum_detectable_effect))
    figure = plots.plot_trajectory(analysis, detail)
    metric = analysis.metrics[experiment.primary_metric]
    words = (
        f"{format_number(result.estimate.control)} in {escape(experiment.control)} "
        f"({result.estimate.control_units:,} units), {format_number(result.estimate.treatment)} in "
        f"{escape(detail.variant)} ({result.estimate.treatment_units:,}): "
        f"{format_percent(result.estimate.relative)}"
        f"{f', {NO_DIFFERENCE}' if result.may_be_chance else ''}. The probability that "
        f"{escape(detail.variant)} is better is "
        f"{format_probability(result.bayesian.probability_better)}; the units' history explains "
        f"{result.explained:.0%} of the variance."
        if result.missing is None
        else f"{escape(format_sentence(result.missing))}"
    )
    looks = ""
    if detail.looks:
        lines = [
            (
                str(index),
                f"{look.information:.0%}",
                f"{look.z:.2f}",
                f"±{look.boundary:.2f}",
                "yes" if look.crossed else "no",
            )
            for index, look in enumerate(detail.looks, start=1)
        ]
        looks = "<h3>Planned looks</h3>" + render_table(
            ("Look", "Information", "z", "Critical value", "Crossed"), lines, numeric=4
        )
    over_time = f"<h3>Over the cohorts</h3>{render_svg(figure)}" if figure else ""
    return (
        f"<section><h2>{escape(format_title(experiment.primary_metric))}: {escape(detail.variant)}</h2>"
        f'<p class="muted">{escape(metric.description)}</p><p>{words}</p>{forest}'
        f'<p class="muted">{_describe_forest(result.bayesian.prior_sd)}</p>{over_time}{looks}</section>'
    )


def _describe_forest(prior_sd: float) -> str:
    """Say what the dashed line is, and why the Bayesian interval lies where it does."""
    return (
        "The dashed line is the minimum effect. The Bayesian interval starts from the expectation that effects are"
        f" small, a normal distribution around 0 with a standard deviation of {prior_sd:.0%}. It therefore lies"
        " closer to 0 than the measured effect, the more so the fewer the data. The probability of being better"
        " comes from it."
    )


def _render_metrics(analysis: ExperimentAnalysis) -> str:
    """Render all metrics of all variants."""
    sections = []
    for detail in analysis.primary:
        results = [result for result in analysis.results if result.variant == detail.variant]
        rows = [
            ForestRow(format_title(r.metric), r.decisive.relative, _is_good_result(r))
            for r in results
            if r.missing is None
        ]
        body = "".join(_render_metric_row(result) for result in results)
        head = "".join(
            f"<th{' class=number' if i else ''}>{escape(name)}</th>"
            for i, name in enumerate(
                (
                    "Metric",
                    analysis.experiment.control,
                    "Units",
                    detail.variant,
                    "Units",
                    "Change",
                    "Interval",
                    "p, corrected",
                    "Better",
                    "CUPED",
                )
            )
        )
        sections.append(
            f"<h3>{escape(detail.variant)} against "
            f"{escape(analysis.experiment.control)}</h3>{render_svg(plots.plot_forest(rows)) if rows else ''}"
            f'<div class="scroll"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'
        )
    return f"<section><h2>All metrics</h2>{''.join(sections)}</section>"


def _render_metric_row(result: MetricResult) -> str:
    """Render the row of a metric; a reason stands in the place of an interval that is missing."""
    interval = result.decisive.relative
    css = {True: "yes", False: "no", None: ""}[_is_good_result(result)]
    capped = (
        f" ≤ {format_number(result.winsorized_at)}"
        if result.winsorized_at and isfinite(result.winsorized_at)
        else ""
    )
    chance = f'<span class="role">{NO_DIFFERENCE}</span>' if result.may_be_chance else ""
    cells = [
        format_number(result.estimate.control),
        f"{result.estimate.control_units:,}",
        format_number(result.estimate.treatment),
        f"{result.estimate.treatment_units:,}",
        f'<span class="{css}">{format_percent(interval.value)}</span>',
        escape(result.missing) if result.missing else format_bounds(interval) + chance,
        format_p_value(result.corrected_p),
        format_probability(result.bayesian.probability_better),
        f"{result.explained:.0%}" if result.explained else "–",
    ]
    return (
        f"<tr><td>{escape(format_title(result.metric))}{escape(capped)}"
        f'<span class="role">{result.role}</span></td>'
        + "".join(f'<td class="number">{cell}</td>' for cell in cells)
        + "</tr>"
    )


def _render_guardrails(analysis: ExperimentAnalysis) -> str:
    """Render the guardrails."""
    if not analysis.guardrails:
        return ""
    lines = "".join(
        f"<tr><td>{escape(format_title(v.metric))}</td><td>{escape(v.variant)}</td>"
        f'<td class="number">{v.margin:.1%}</td>'
        f'<td class="number">{format_bounds(EffectInterval(0.0, v.low, v.high))}</td>'
        f'<td class="{_STATE_CLASS[v.state]}">{v.state}</td></tr>'
        for v in analysis.guardrails
    )
    return (
        '<section><h2>Guardrails</h2><p class="muted">Always-valid bounds of the change for the worse. A guardrail'
        " is held if the change certainly stays below the margin, and breached if it is certainly beyond.</p>"
        '<div class="scroll"><table><thead><tr><th>Metric</th><th>Variant</th><th class="number">Margin</th>'
        '<th class="number">Worse by</th><th>Verdict</th></tr></thead>'
        f"<tbody>{lines}</tbody></table></div></section>"
    )


def _render_heterogeneity(analysis: ExperimentAnalysis, detail: PrimaryMetricDetail, drift_alarm_p: float) -> str:
    """Render effects by segment, weekday and day since the exposure."""
    parts = []
    for heterogeneity, heading, groups, note in (
        (detail.segments, "By segment", "segments", "The segment is the one at the first exposure. "),
        (detail.weekdays, "By weekday of the first exposure", "weekdays", ""),
    ):
        figure = plots.plot_groups(heterogeneity)
        if figure is not None:
            difference = _describe_difference(heterogeneity, groups, drift_alarm_p)
            parts.append(f"<h3>{heading}</h3><p>{note}{difference}</p>{render_svg(figure)}")
    novelty = detail.novelty
    if novelty is not None and not isnan(novelty.p_value):
        measure = analysis.metrics[analysis.experiment.primary_metric].measures[0]
        change = (
            "changes over time, which suggests novelty or learning"
            if novelty.p_value < drift_alarm_p
            else "shows no change over time"
        )
        parts.append(
            f"<h3>Novelty</h3><p>The effect on {escape(format_title(measure).lower())} {change} "
            f"({format_number(novelty.early)} per day in the first half "
            f"of the window, {format_number(novelty.late)} in the second, "
            f"{format_p_equation(novelty.p_value)}).</p>"
            + render_svg(plots.plot_novelty(novelty, format_title(measure).lower()))
        )
    if not parts:
        return ""
    heading = f"Differences between groups and over time: {escape(detail.variant)}"
    return f"<section><h2>{heading}</h2>{''.join(parts)}</section>"


def _describe_difference(heterogeneity: Heterogeneity, groups: str, alarm_p: float) -> str:
    """State whether the effect differs between groups."""
    p_value = format_p_equation(heterogeneity.p_value)
    if heterogeneity.p_value < alarm_p:
        return f"The effect differs between {groups} ({p_value})."
    return (
        f"There is no sign that the effect differs between {groups} ({p_value}; only a p below {alarm_p:g} is "
        "taken for one)."
    )


def _render_health(analysis: ExperimentAnalysis) -> str:
    """Render the health checks."""
    lines = "".join(
        f'<tr><td>{escape(check.name.capitalize())}</td><td class="{"yes" if check.passed else "no"}">'
        f"{'yes' if check.passed else 'no'}</td><td>{escape(check.detail)}</td></tr>"
        for check in analysis.checks
    )
    return (
        '<section><h2>Are the data reliable?</h2><div class="scroll"><table><tbody>'
        + lines
        + "</tbody></table></div></section>"
    )


def _render_reading_aid(analysis: ExperimentAnalysis) -> str:
    """Render the explanation of the page."""
    level = f"{1 - analysis.experiment.decision.alpha:.0%}"
    return (
        f'<section><h2>How to read this report</h2><p class="muted">Intervals have level {level}. A single-look '
        "interval is valid if the report is read once; an always-valid interval is valid however often it is "
        "read. Adjusted effects exclude the part of a metric that the unit's own history explains (CUPED), and "
        "weight segments equally in all variants. In the tables of metrics, interval and p-value come from one "
        "test and are corrected together for the number of metrics and variants: the interval excludes 0 exactly "
        f"if the p-value is below {analysis.experiment.decision.alpha:g}. A metric without a p-value is left out "
        "of the correction. Only units that were observed for a metric's whole window count. Act on the segment "
        "effects "
        "that are shrunk to the mean: the extremes of the measured effects are mostly chance.</p></section>"
    )


def _is_good(inference: InferenceResult, *, higher_is_better: bool) -> bool | None:
    """Return whether a change is good, or None if it is not certain."""
    if inference.absolute.low > 0:
        return higher_is_better
    return not higher_is_better if inference.absolute.high < 0 else None


def _is_good_result(result: MetricResult) -> bool | None:
    """Return whether a metric certainly changed for the better; None without a significant change."""
    return _is_good(result.decisive, higher_is_better=result.higher_is_better) if result.changed else None

"""An analysis as one self-contained HTML page: no script, no request, plots as SVG inside."""

from __future__ import annotations

from html import escape
from math import isfinite, isnan
from pathlib import Path

from ml.experiments.analysis.analysis import ExperimentAnalysis
from ml.experiments.analysis.decision import describe_decision_rule
from ml.experiments.analysis.heterogeneity import Heterogeneity
from ml.experiments.analysis.inference import EffectInterval, InferenceResult
from ml.experiments.analysis.results import MetricResult, PrimaryMetricDetail
from ml.experiments.report import plots
from ml.experiments.report.page_parts import (
    format_bounds,
    format_number,
    format_p_equation,
    format_p_value,
    format_percent,
    format_probability,
    format_sentence,
    format_title,
    render_svg,
    render_table,
)
from ml.experiments.report.plots import ForestRow

_STYLE = Path(__file__).with_name("report.css")
_STATE_CLASS = {"held": "yes", "breached": "no", "worse": "no", "open": "maybe"}


def render_report(analysis: ExperimentAnalysis, drift_alarm_p: float) -> str:
    """Write the page. `drift_alarm_p` is the p-value at which a change with time or weekday is pointed out."""
    experiment = analysis.experiment
    body = "".join(
        [
            _header(analysis),
            _decision(analysis),
            *(_primary(analysis, detail) for detail in analysis.primary),
            _metrics(analysis),
            _guardrails(analysis),
            *(_who_and_when(analysis, detail, drift_alarm_p) for detail in analysis.primary),
            _health(analysis),
            _reading_aid(analysis),
        ]
    )
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(experiment.id)}: {analysis.decision.verdict}</title>"
        f"<style>{_STYLE.read_text(encoding='utf-8')}</style></head><body><main>{body}</main></body></html>"
    )


def _header(analysis: ExperimentAnalysis) -> str:
    experiment, decision = analysis.experiment, analysis.decision
    planned = (experiment.ends_at - experiment.starts_at).days
    primary = analysis.result(experiment.primary_metric, analysis.primary[0].variant)
    facts = [
        (f"{analysis.counts.units:,}", f"{experiment.unit} units exposed"),
        (f"{primary.estimate.units:,}", "of them with a full window"),
        (f"{analysis.days_run} of {planned}", "days"),
        (f"{experiment.minimum_detectable_effect:.1%}", "minimum effect"),
        (f"{analysis.as_of:%Y-%m-%d %H:%M} UTC", "as of"),
    ]
    shown = "".join(f"<div><b>{escape(value)}</b><span>{escape(name)}</span></div>" for value, name in facts)
    named = f" {escape(decision.variant)}" if decision.verdict == "ship" and decision.variant else ""
    return (
        f'<h1>{escape(experiment.id)}</h1><p class="muted">{escape(experiment.hypothesis)}</p>'
        f'<p><span class="verdict '
        f'{decision.verdict.replace(" ", "-")}">{decision.verdict.capitalize()}{named}</span></p>'
        f'<div class="facts">{shown}</div>'
    )


def _decision(analysis: ExperimentAnalysis) -> str:
    reasons = "".join(f"<li>{escape(format_sentence(reason))}</li>" for reason in analysis.decision.reasons)
    failed = [check for check in analysis.checks if not check.passed]
    warnings = "".join(
        f'<li><span class="no">{escape(check.name.capitalize())}: not so.</span> '
        f"{escape(format_sentence(check.detail))}</li>"
        for check in failed
    )
    return (
        f"<section><h2>Why</h2><ul>{reasons}{warnings}</ul>"
        f'<p class="muted">The rule, stated before the start: '
        f"{escape(describe_decision_rule(analysis.experiment))}</p></section>"
    )


def _primary(analysis: ExperimentAnalysis, detail: PrimaryMetricDetail) -> str:
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
            decisive, detail.reading.relative, _good(detail.reading, higher_is_better=result.higher_is_better)
        )
    )
    drawn = render_svg(plots.plot_forest(rows, target=better * experiment.minimum_detectable_effect))
    path = plots.plot_trajectory(analysis, detail)
    metric = analysis.metrics[experiment.primary_metric]
    words = (
        f"{format_number(result.estimate.control)} in {escape(experiment.control)}, "
        f"{format_number(result.estimate.treatment)} in "
        f"{escape(detail.variant)}: {format_percent(result.estimate.relative)}. The chance that "
        f"{escape(detail.variant)} is better is "
        f"{format_probability(result.bayesian.probability_better)}; history explains "
        f"{result.explained:.0%} of the variance."
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
    over_time = f"<h3>Over the cohorts</h3>{render_svg(path)}" if path else ""
    return (
        f"<section><h2>{escape(format_title(experiment.primary_metric))}: {escape(detail.variant)}</h2>"
        f'<p class="muted">{escape(metric.description)}</p><p>{words}</p>{drawn}{over_time}{looks}</section>'
    )


def _metrics(analysis: ExperimentAnalysis) -> str:
    sections = []
    for detail in analysis.primary:
        results = [result for result in analysis.results if result.variant == detail.variant]
        rows = [
            ForestRow(format_title(r.metric), _shown(analysis, r).relative, _good_result(analysis, r))
            for r in results
        ]
        body = "".join(_metric_row(analysis, result) for result in results)
        head = "".join(
            f"<th{' class=number' if i else ''}>{escape(name)}</th>"
            for i, name in enumerate(
                (
                    "Metric",
                    analysis.experiment.control,
                    detail.variant,
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
            f"{escape(analysis.experiment.control)}</h3>{render_svg(plots.plot_forest(rows))}"
            f'<div class="scroll"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'
        )
    return f"<section><h2>All metrics</h2>{''.join(sections)}</section>"


def _metric_row(analysis: ExperimentAnalysis, result: MetricResult) -> str:
    interval = _shown(analysis, result).relative
    css = {True: "yes", False: "no", None: ""}[_good_result(analysis, result)]
    capped = (
        f" ≤ {format_number(result.winsorized_at)}"
        if result.winsorized_at and isfinite(result.winsorized_at)
        else ""
    )
    cells = [
        format_number(result.estimate.control),
        format_number(result.estimate.treatment),
        f'<span class="{css}">{format_percent(interval.value)}</span>',
        format_bounds(interval),
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


def _guardrails(analysis: ExperimentAnalysis) -> str:
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
        '<section><h2>Guardrails</h2><p class="muted">Always-valid bounds of the change for the worse: held '
        "when it stays "
        "below the margin for certain, breached when it is beyond for certain.</p>"
        '<div class="scroll"><table><thead><tr><th>Metric</th><th>Variant</th><th class="number">Margin</th>'
        f'<th class="number">Worse '
        f"by</th><th>Verdict</th></tr></thead><tbody>{lines}</tbody></table></div></section>"
    )


def _who_and_when(analysis: ExperimentAnalysis, detail: PrimaryMetricDetail, drift_alarm_p: float) -> str:
    parts = []
    for found, heading, what in (
        (detail.segments, "By segment", "segments"),
        (detail.weekdays, "By weekday of the first exposure", "weekdays"),
    ):
        figure = plots.plot_groups(found)
        if figure is not None:
            parts.append(f"<h3>{heading}</h3><p>{_differs(found, what, drift_alarm_p)}</p>{render_svg(figure)}")
    fresh = detail.novelty
    if fresh is not None and not isnan(fresh.p_value):
        measure = analysis.metrics[analysis.experiment.primary_metric].measures[0]
        change = (
            "changes with time: look for novelty or learning"
            if fresh.p_value < drift_alarm_p
            else "shows no change with time"
        )
        parts.append(
            f"<h3>Novelty</h3><p>The effect on {escape(format_title(measure).lower())} {change} "
            f"({format_number(fresh.early)} a day in the first half "
            f"of the window, {format_number(fresh.late)} in the second, {format_p_equation(fresh.p_value)}).</p>"
            + render_svg(plots.plot_novelty(fresh, format_title(measure).lower()))
        )
    if not parts:
        return ""
    return f"<section><h2>For whom and when: {escape(detail.variant)}</h2>{''.join(parts)}</section>"


def _differs(found: Heterogeneity, what: str, alarm_p: float) -> str:
    verdict = (
        f"The effect differs between {what}"
        if found.p_value < alarm_p
        else f"No sign that the effect differs between {what}"
    )
    return f"{verdict} ({format_p_equation(found.p_value)})."


def _health(analysis: ExperimentAnalysis) -> str:
    lines = "".join(
        f'<tr><td>{escape(check.name.capitalize())}</td><td class="{"yes" if check.passed else "no"}">'
        f"{'yes' if check.passed else 'no'}</td><td>{escape(check.detail)}</td></tr>"
        for check in analysis.checks
    )
    return (
        '<section><h2>Can the data be trusted?</h2><div class="scroll"><table><tbody>'
        + lines
        + "</tbody></table></div></section>"
    )


def _reading_aid(analysis: ExperimentAnalysis) -> str:
    level = f"{1 - analysis.experiment.decision.alpha:.0%}"
    return (
        f'<section><h2>How to read this</h2><p class="muted">Intervals have level {level}. A single-look '
        f"interval holds if the "
        "report is read once; the always-valid one holds however often it is read. Adjusted means: the part of "
        "a metric that "
        "the unit's own history explains is taken out (CUPED), and segments are weighted alike in all variants. "
        "p-values are "
        "corrected for the number of metrics and variants. Only units that were watched for a metric's whole "
        "window count. "
        "Segment effects drawn to the mean are the ones to act on: the extremes among measured ones are mostly "
        "chance.</p></section>"
    )


def _shown(analysis: ExperimentAnalysis, result: MetricResult) -> InferenceResult:
    return result.always_valid if analysis.experiment.decision.inference == "always_valid" else result.single_look


def _good(reading: InferenceResult, *, higher_is_better: bool) -> bool | None:
    if reading.absolute.low > 0:
        return higher_is_better
    return not higher_is_better if reading.absolute.high < 0 else None


def _good_result(analysis: ExperimentAnalysis, result: MetricResult) -> bool | None:
    """Colour a metric only if it changed after correction and its own interval says so too."""
    return _good(_shown(analysis, result), higher_is_better=result.higher_is_better) if result.changed else None

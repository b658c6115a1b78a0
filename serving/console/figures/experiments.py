"""The page Experiments: what runs, and what each analysis found."""

from __future__ import annotations

import datetime as dt

from ml.experiments.report.results_file import ExperimentResults, read_results
from serving.console.current_bundle import CurrentBundle
from serving.console.figures.operation import experiments_sheet
from serving.console.localized_texts import Day, Numeral, Sentences, say
from serving.console.page_parts import Cell, ConsolePage, Sheet
from serving.start import ServiceConfig

COLUMNS = (
    "Metric", "Variant", "Role", "Control", "Variant value", "Effect %", "From %", "To %", "p, corrected", "Units",
    "Remark",
)  # fmt: skip


def build_experiments(config: ServiceConfig, bundle: CurrentBundle, now: dt.datetime) -> ConsolePage:
    """Build the page from the definitions in force and from the results beside the reports."""
    results = read_results(config.home.reports / "experiments")
    rows: list[list[Cell]] = [
        [
            each.experiment_id,
            each.verdict,
            "; ".join(each.reasons),
            each.units,
            say("wrong: no effect can be interpreted") if each.has_wrong_ratio else say("as planned"),
            _day(bundle, each.starts_at),
            _day(bundle, each.ends_at),
            _day(bundle, each.as_of),
        ]
        for each in results
    ]
    decisions = Sheet(
        "decisions",
        "Decisions",
        ["Experiment", "Decision", "Why", "Units", "Split", "Since", "Until", "Data until"],
        rows,
        "The decision follows the rule that stands in the definition, as of the data of the newest analysis.",
        empty="No experiment was analysed yet. `tessera materialize` analyses those whose variants were shown.",
    )
    return ConsolePage(
        sheets=[decisions, experiments_sheet(config, now, only_running=False), *map(_effects, results)]
    )


def _effects(results: ExperimentResults) -> Sheet:
    rows: list[list[Cell]] = [
        [
            effect["metric"].replace("_", " "),
            effect["variant"],
            effect["role"],
            _rounded(effect["control_value"]),
            _rounded(effect["variant_value"]),
            _percent(effect["relative_effect"]),
            _percent(effect["relative_low"]),
            _percent(effect["relative_high"]),
            _p_value(effect["corrected_p"]),
            effect["units"],
            effect["missing"],
        ]
        for effect in results.effects
    ]
    warning = (
        say("The split is not as planned, so that no effect can be interpreted.")
        if results.has_wrong_ratio
        else ""
    )
    primary_metric = results.primary_metric.replace("_", " ")
    rest = say(
        "Primary metric: {metric}. Effects are relative to the control, with the intervals of the definition; a "
        "remark says why there is none. Sample ratio: p {p}.",
        metric=primary_metric,
        p=Numeral(f"{results.sample_ratio_p:.3g}"),
    )
    note = Sentences(warning, results.hypothesis, rest)
    return Sheet(
        f"effects-{results.experiment_id}",
        say("Effects of {experiment}", experiment=results.experiment_id),
        COLUMNS,
        rows,
        note,
    )


def _day(bundle: CurrentBundle, text: str) -> str:
    return Day(bundle.local(dt.datetime.fromisoformat(text)).date())


def _percent(share: float | None) -> float | None:
    return None if share is None else round(100 * share, 2)


def _p_value(value: float | None) -> float | str | None:
    return "< .0001" if value is not None and value < 0.0001 else _rounded(value)


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 4)

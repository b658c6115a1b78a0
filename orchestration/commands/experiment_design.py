"""`tessera experiment design`: plan units, days and power from the history in the warehouse."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from ml.errors import InvalidInputError
from orchestration.commands.experiment_console import console, open_warehouse
from orchestration.commands.home import HomeOption, chosen_settings, home_of
from orchestration.runtime.text_table import text_table

if TYPE_CHECKING:
    from ml.experiments.definition.definition import Experiment, ExperimentDefinitions


def design(
    experiment_id: Annotated[
        str | None, typer.Argument(metavar="[EXPERIMENT]", help="Id in the definitions file.")
    ] = None,
    *,
    metric: Annotated[
        str | None, typer.Option(help="Primary metric to plan for, if no experiment is given.")
    ] = None,
    lift: Annotated[float | None, typer.Option(help="Relative effect worth detecting, such as 0.05.")] = None,
    inference: Annotated[str | None, typer.Option(help="always_valid, group_sequential or fixed.")] = None,
    traffic: Annotated[
        float, typer.Option(help="Share of the units that take part, if no experiment is given.")
    ] = 1.0,
    cuped: Annotated[bool, typer.Option(help="Reduce the variance by the units' own history.")] = True,
    home: HomeOption = None,
) -> None:
    """Plan units, days and power from the history in the warehouse.

    The history is replayed as an experiment, so variance, gain by CUPED and arrivals of units are those of this
    site. The plot of power against duration is written to the reports.
    """
    from ml.experiments.analysis.baseline import measure_baseline
    from ml.experiments.design.design import design_experiment
    from ml.experiments.design.planned_experiment import validate_experiment
    from ml.experiments.report.plots import plot_power
    from orchestration.warehouse.experiment_tables import load_definitions, read_mart, report_folder

    place = home_of(home)
    settings = chosen_settings(place)
    definitions = load_definitions(place, settings)
    entry = (
        definitions.get(experiment_id) if experiment_id else _build_experiment(definitions, metric, lift, traffic)
    )
    changes: dict[str, Any] = {"minimum_detectable_effect": lift} if lift else {}
    if inference:
        changes["decision"] = {**entry.decision.model_dump(), "inference": inference}
    entry = validate_experiment({**entry.model_dump(by_alias=True), **changes})
    baseline = measure_baseline(
        definitions.metrics[entry.primary_metric],
        read_mart(open_warehouse(place), "user_days"),
        settings.experiments.design_history_days,
    )
    plan = design_experiment(
        entry,
        baseline,
        power=settings.experiments.design_power,
        maximum_days=settings.experiments.design_maximum_days,
        cuped=cuped,
    )
    pattern = " ".join(f"{share:.2f}" for share in baseline.weekly_pattern())
    table = Table(show_header=False, box=None)
    duration = f"{plan.days} days" if plan.days else f"more than {settings.experiments.design_maximum_days} days"
    for name, value in (
        ("metric", entry.primary_metric),
        ("value in the last weeks", f"{baseline.mean:.4g} (standard deviation {baseline.standard_deviation:.4g})"),
        ("explained by history", f"{baseline.explained:.0%} of the variance"),
        ("lift", f"{plan.lift:+.1%}"),
        ("inference", f"{plan.inference}, alpha {plan.alpha:g}, power {plan.power:.0%}"),
        ("units", f"{plan.units:,} in all; planned_units: {plan.units_per_pair}"),
        ("arrivals", f"{baseline.arrivals[-14:].mean():,.0f} new units a day; Mon to Sun {pattern} of the mean"),
        ("duration", f"{duration} of intake, then {plan.window_days} to watch the last units"),
    ):
        table.add_row(name, value)
    console.print(table)
    weeks = text_table("weeks", "units", "power", "lift found")
    for day in range(7, len(plan.curve_units) + 1, 7):
        weeks.add_row(
            str(day // 7),
            f"{plan.curve_units[day - 1]:,.0f}",
            f"{plan.curve_power[day - 1]:.0%}",
            f"{plan.detectable_lift(day):.1%}",
        )
    folder = report_folder(place, experiment_id or f"plan-{entry.primary_metric}")
    folder.mkdir(parents=True, exist_ok=True)
    plot_power(plan).savefig(folder / "power.png", dpi=150)
    console.print(weeks, f"Plot: {folder / 'power.png'}", sep="\n")


def _build_experiment(
    definitions: ExperimentDefinitions, metric: str | None, lift: float | None, traffic: float
) -> Experiment:
    """Build an experiment with this metric and effect; raises InvalidInputError if an option is missing."""
    from ml.experiments.design.planned_experiment import build_planned_experiment

    if metric not in definitions.metrics or lift is None:
        raise InvalidInputError(
            f"give an EXPERIMENT, or --metric and --lift; legal metrics: {', '.join(definitions.metrics)}"
        )
    return build_planned_experiment(metric, lift, traffic)

"""`tessera experiment design`: units, days and power, from the history in the warehouse."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from ml.errors import InvalidInputError
from orchestration.commands.experiment_console import console, warehouse_of
from orchestration.commands.home import HomeOption, chosen_settings, home_of

if TYPE_CHECKING:
    from ml.experiments.definition.definition import Experiment, ExperimentDefinitions


def design(
    experiment_id: Annotated[str | None, typer.Argument(metavar="[EXPERIMENT]", help="An id in the file.")] = None,
    *,
    metric: Annotated[
        str | None, typer.Option(help="Without an experiment: the primary metric to plan for.")
    ] = None,
    lift: Annotated[float | None, typer.Option(help="Relative effect worth finding, such as 0.05.")] = None,
    inference: Annotated[str | None, typer.Option(help="always_valid, group_sequential or fixed.")] = None,
    traffic: Annotated[
        float, typer.Option(help="Without an experiment: share of the units that take part.")
    ] = 1.0,
    cuped: Annotated[bool, typer.Option(help="Count on what the units' own history explains.")] = True,
    home: HomeOption = None,
) -> None:
    """Plan units, days and power from the history in the warehouse.

    The history is replayed as an experiment that never was, so variance, gain by CUPED and the way units arrive
    are those of this site. Writes the plot of power against duration beside the reports.
    """
    from ml.experiments.analysis.baseline import measure_baseline
    from ml.experiments.analysis.design import design_experiment
    from ml.experiments.report.plots import plot_power
    from orchestration.warehouse.experiment_tables import load_definitions, read_mart, report_folder

    place = home_of(home)
    settings = chosen_settings(place)
    experiments = load_definitions(place, settings)
    entry = experiments.get(experiment_id) if experiment_id else _hypothetical(experiments, metric, lift, traffic)
    changes: dict[str, Any] = {"minimum_detectable_effect": lift} if lift else {}
    if inference:
        changes["decision"] = {**entry.decision.model_dump(), "inference": inference}
    entry = _checked({**entry.model_dump(by_alias=True), **changes})
    past = measure_baseline(
        experiments.metrics[entry.primary_metric],
        read_mart(warehouse_of(place), "user_days"),
        settings.experiments.design_history_days,
    )
    planned = design_experiment(
        entry,
        past,
        power=settings.experiments.design_power,
        maximum_days=settings.experiments.design_maximum_days,
        cuped=cuped,
    )
    pattern = " ".join(f"{share:.2f}" for share in past.weekly_pattern())
    shown = Table(show_header=False, box=None)
    duration = (
        f"{planned.days} days" if planned.days else f"more than {settings.experiments.design_maximum_days} days"
    )
    for name, value in (
        ("metric", entry.primary_metric),
        ("value in the last weeks", f"{past.mean:.4g} (standard deviation {past.standard_deviation:.4g})"),
        ("explained by history", f"{past.explained:.0%} of the variance"),
        ("lift", f"{planned.lift:+.1%}"),
        ("inference", f"{planned.inference}, alpha {planned.alpha:g}, power {planned.power:.0%}"),
        ("units", f"{planned.units:,} in all; planned_units: {planned.units_per_pair}"),
        ("arrivals", f"{past.arrivals[-14:].mean():,.0f} new units a day; Mon to Sun {pattern} of the mean"),
        ("duration", f"{duration} of intake, then {planned.window_days} to watch the last units"),
    ):
        shown.add_row(name, value)
    console.print(shown)
    weeks = Table("weeks", "units", "power", "lift found")
    for day in range(7, len(planned.curve_units) + 1, 7):
        weeks.add_row(
            str(day // 7),
            f"{planned.curve_units[day - 1]:,.0f}",
            f"{planned.curve_power[day - 1]:.0%}",
            f"{planned.detectable_lift(day):.1%}",
        )
    folder = report_folder(place, experiment_id or f"plan-{entry.primary_metric}")
    folder.mkdir(parents=True, exist_ok=True)
    plot_power(planned).savefig(folder / "power.png", dpi=150)
    console.print(weeks, f"Plot: {folder / 'power.png'}", sep="\n")


def _hypothetical(
    experiments: ExperimentDefinitions, metric: str | None, lift: float | None, traffic: float
) -> Experiment:
    if metric not in experiments.metrics or lift is None:
        raise InvalidInputError(
            f"give an EXPERIMENT, or --metric and --lift; metrics: {', '.join(experiments.metrics)}"
        )
    now = datetime.now(UTC)
    return _checked(
        {
            "id": "plan",
            "hypothesis": "An experiment that is only being planned.",
            "unit": "user",
            "variants": {"control": {"share": 0.5}, "treatment": {"share": 0.5}},
            "primary_metric": metric,
            "minimum_detectable_effect": lift,
            "starts_at": now,
            "ends_at": now + timedelta(days=28),
            "ramp": ({"from": now, "traffic": traffic},),
        }
    )


def _checked(content: dict[str, Any]) -> Experiment:
    """The experiment that the options describe; InvalidInputError where one of them is not legal."""
    from pydantic import ValidationError

    from ml.experiments.definition.definition import Experiment

    try:
        return Experiment.model_validate(content)
    except ValidationError as error:
        faults = (f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in error.errors())
        raise InvalidInputError("; ".join(faults)) from None

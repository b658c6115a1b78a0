"""`tessera experiment`: check, plan, assign, analyse; and make a segment strategy prove itself."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from orchestration.commands.home import HomeOption, chosen_settings, home_of

if TYPE_CHECKING:
    from ml.experiments.definition import Experiment, Experiments
    from ml.experiments.readings import Interval
    from ml.experiments.segment_strategy import StrategyResult
    from ml.home import Home
    from orchestration.warehouse import Warehouse

console = Console(highlight=False)
experiment = typer.Typer(
    help="Experiments: define in experiments.yaml, plan, assign, analyse, decide.", no_args_is_help=True
)
IdArgument = Annotated[str, typer.Argument(metavar="EXPERIMENT", help="Its id in the definitions file.")]


@experiment.command()
def check(
    *,
    path: Annotated[Path | None, typer.Option(help="Another definitions file than the one in use.")] = None,
    home: HomeOption = None,
) -> None:
    """Check the definitions file: every fault with its line, the bad value and the legal ones; else a list."""
    from ml.experiments.loading import load_experiments
    from orchestration.experiments import definitions_file

    with _clear_errors():
        file = path or definitions_file(home_of(home), chosen_settings())
        found = load_experiments(file)
    shown = Table("experiment", "unit", "variants", "primary metric", "from", "to")
    for entry in found.experiments.values():
        shares = ", ".join(f"{name} {variant.share:.0%}" for name, variant in entry.variants.items())
        shown.add_row(
            entry.id,
            entry.unit,
            shares,
            entry.primary_metric,
            f"{entry.starts_at:%Y-%m-%d}",
            f"{entry.ends_at:%Y-%m-%d}",
        )
    console.print(shown, f"{file}: {len(found.experiments)} experiments, {len(found.metrics)} metrics", sep="\n")


@experiment.command()
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
    from ml.experiments.design import plan
    from ml.experiments.history import baseline
    from ml.experiments.plots import power_curve
    from orchestration.experiments import load_definitions, read_mart, report_folder

    settings, place = chosen_settings(), home_of(home)
    with _clear_errors():
        experiments = load_definitions(place, settings)
        entry = (
            experiments.get(experiment_id) if experiment_id else _hypothetical(experiments, metric, lift, traffic)
        )
        changes: dict[str, Any] = {"minimum_detectable_effect": lift} if lift else {}
        if inference:
            changes["decision"] = {**entry.decision.model_dump(), "inference": inference}
        entry = type(entry).model_validate({**entry.model_dump(by_alias=True), **changes})
        past = baseline(
            experiments.metrics[entry.primary_metric],
            read_mart(_warehouse(place), "user_days"),
            settings.experiments.design_history_days,
        )
        planned = plan(
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
    power_curve(planned).savefig(folder / "power.png", dpi=150)
    console.print(weeks, f"Plot: {folder / 'power.png'}", sep="\n")


@experiment.command()
def analyse(experiment_id: IdArgument, *, home: HomeOption = None) -> None:
    """Analyse one experiment on the tables as they are, and write its report."""
    from ml.experiments.analysis import analyse as analyse_experiment
    from ml.experiments.report import render_report
    from orchestration.experiments import load_definitions, read_tables, report_folder

    settings, place = chosen_settings(), home_of(home)
    with _clear_errors():
        experiments = load_definitions(place, settings)
        experiments.get(experiment_id)
        tables = read_tables(_warehouse(place), experiment_id)
        if tables.exposures.num_rows == 0:
            raise ValueError(f"no exposure of {experiment_id} has reached the warehouse")
        found = analyse_experiment(
            experiments, experiment_id, tables.exposures, tables.outcomes, tables.as_of, settings.experiments
        )
    always = found.experiment.decision.inference == "always_valid"
    shown = Table("metric", "variant", "control", "variant's", "change", "interval", "p", title=experiment_id)
    for result in found.results:
        relative = (result.always_valid if always else result.single_look).relative
        shown.add_row(
            result.metric,
            result.variant,
            f"{result.estimate.control:.4g}",
            f"{result.estimate.treatment:.4g}",
            f"{relative.value:+.2%}",
            _interval(relative),
            f"{result.corrected_p:.3g}",
        )
    folder = report_folder(place, experiment_id)
    folder.mkdir(parents=True, exist_ok=True)
    report = folder / "report.html"
    report.write_text(render_report(found, settings.experiments.drift_alarm_p), encoding="utf-8")
    console.print(shown)
    for health in found.checks:
        console.print(f"{'[green]yes[/]' if health.passed else '[red]no [/]'} {health.name}: {health.detail}")
    named = f" {found.decision.variant}" if found.decision.variant else ""
    console.print(
        f"[bold]{found.decision.verdict}{named}[/]: {'; '.join(found.decision.reasons)}",
        f"Report: {report}",
        sep="\n",
    )


@experiment.command()
def assign(
    experiment_id: IdArgument,
    unit_id: Annotated[
        str, typer.Argument(help="A user, anonymous or session id, as the experiment's unit says.")
    ],
    *,
    context: Annotated[str, typer.Option(help='What targeting may ask, as JSON: {"country": "DE"}.')] = "{}",
    at: Annotated[str | None, typer.Option(help="Time, ISO 8601; now if absent.")] = None,
    home: HomeOption = None,
) -> None:
    """Say which variant a unit sees, and why; the same answer as over HTTP. Nothing is logged."""
    from ml.experiments.assignment import assign_one
    from orchestration.experiments import load_definitions

    with _clear_errors():
        moment = datetime.fromisoformat(at) if at else datetime.now(UTC)
        moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        experiments = load_definitions(home_of(home), chosen_settings())
        answer = assign_one(experiments, experiment_id, unit_id, json.loads(context), moment)
    console.print_json(
        json.dumps(
            {
                "experiment_id": answer.experiment_id,
                "unit_type": answer.unit_type,
                "unit_id": answer.unit_id,
                "variant": answer.variant,
                "reason": answer.reason,
                "payload": dict(answer.payload),
            }
        )
    )


@experiment.command()
def segment(
    segments: Annotated[list[str], typer.Argument(metavar="SEGMENT…", help="Names of the segments to target.")],
    *,
    experiment_id: Annotated[
        str | None, typer.Option("--experiment", help="Judge by this experiment; else one of its own is made.")
    ] = None,
    metric: Annotated[str, typer.Option(help="Primary metric of a new experiment.")] = "clicks_per_user",
    lift: Annotated[float, typer.Option(help="Minimum detectable effect of a new experiment.")] = 0.05,
    payload: Annotated[str, typer.Option(help="What the treatment shows, as JSON, for whoever shows it.")] = "{}",
    days: Annotated[int, typer.Option(min=7, help="Length of a new experiment.")] = 28,
    home: HomeOption = None,
) -> None:
    """Make an experiment out of "treat only these segments", and say whether that beats treating all alike.

    The first call writes the definition (everybody is randomised, so that the others can be judged too). Once
    units were exposed, the same call reports the strategy against treating everybody and against treating nobody.
    """
    from ml.experiments.segment_strategy import compare_strategy
    from orchestration.experiments import load_definitions, read_tables

    settings, place = chosen_settings(), home_of(home)
    with _clear_errors():
        experiments = load_definitions(place, settings)
        key = experiment_id or "segment-" + "-".join(_slug(name) for name in sorted(segments))
        if experiment_id is None and key not in experiments.experiments:
            file = _define_strategy(place, key, segments, metric, lift, json.loads(payload), days)
            console.print(
                f"{key} is defined in {file}. It starts now and ends in {days} days; call again when units were "
                f"exposed."
            )
            return
        tables = read_tables(_warehouse(place), key)
        if tables.exposures.num_rows == 0:
            raise ValueError(f"no exposure of {key} has reached the warehouse yet")
        result = compare_strategy(
            experiments, key, segments, tables.exposures, tables.outcomes, tables.as_of, settings.experiments
        )
    _print_strategy(result)


def _print_strategy(result: StrategyResult) -> None:
    shown = Table("comparison", f"change of {result.metric}", "always-valid interval")
    named = ", ".join(result.segments)
    for name, reading in (
        (f"effect on {named} ({result.share:.0%} of the units)", result.inside),
        ("effect on the others", result.outside),
        (f"targeting {named} against treating nobody", result.against_nobody),
        (f"targeting {named} against treating everybody", result.against_everybody),
    ):
        shown.add_row(name, f"{reading.relative.value:+.2%}", _interval(reading.relative))
    words = {
        "target": f"Targeting {named} beats both ways of treating all alike.",
        "treat everybody": "Treating everybody is better: the others gain too.",
        "treat nobody": "Treating nobody is better: the treatment harms the segments it was meant for.",
        "not decided": "Not decided: the intervals still hold 0.",
    }
    console.print(shown, f"[bold]{words[result.verdict]}[/]", sep="\n")


def _define_strategy(
    home: Home, key: str, segments: list[str], metric: str, lift: float, payload: dict[str, Any], days: int
) -> Path:
    from ml.experiments.drafting import add_experiment
    from orchestration.experiments import definitions_file

    file = definitions_file(home, chosen_settings())
    start = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    add_experiment(
        file,
        key,
        {
            "hypothesis": f"Treating only {', '.join(segments)} beats treating all alike.",
            "unit": "user",
            "variants": {"control": {"share": 0.5}, "treatment": {"share": 0.5, "payload": payload}},
            "primary_metric": metric,
            "minimum_detectable_effect": lift,
            "starts_at": start.isoformat(),
            "ends_at": (start + timedelta(days=days)).isoformat(),
        },
    )
    return file


def _hypothetical(experiments: Experiments, metric: str | None, lift: float | None, traffic: float) -> Experiment:
    from ml.experiments.definition import Experiment

    if metric not in experiments.metrics or lift is None:
        raise ValueError(f"give an EXPERIMENT, or --metric and --lift; metrics: {', '.join(experiments.metrics)}")
    now = datetime.now(UTC)
    return Experiment.model_validate(
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


def _warehouse(home: Home) -> Warehouse:
    from orchestration.warehouse import Warehouse

    return Warehouse(home.warehouse)


def _interval(interval: Interval) -> str:
    return f"{interval.low:+.2%} to {interval.high:+.2%}"


def _slug(name: str) -> str:
    return "".join(letter if letter.isalnum() else "-" for letter in name.lower()).strip("-")


@contextmanager
def _clear_errors() -> Iterator[None]:
    """Show a foreseen error as one clear text and end with status 2."""
    from ml.experiments.definition import UnknownExperimentError
    from orchestration.warehouse import WarehouseBusyError, WarehouseMissingError

    try:
        yield
    except (
        ValueError,
        UnknownExperimentError,
        WarehouseBusyError,
        WarehouseMissingError,
        FileNotFoundError,
    ) as error:
        console.print(f"[red]tessera experiment:[/] {error}", soft_wrap=True, markup=True)
        raise typer.Exit(2) from None

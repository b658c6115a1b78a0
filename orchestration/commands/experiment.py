"""`tessera experiment`: check, assign, analyse, and the commands of the files beside this one."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Column, Table

from ml.errors import InvalidInputError
from orchestration.commands.experiment_console import console, shown_interval, warehouse_of
from orchestration.commands.experiment_design import design
from orchestration.commands.experiment_rankers import interleaving, off_policy
from orchestration.commands.experiment_segment import segment
from orchestration.commands.home import HomeOption, chosen_settings, home_of
from orchestration.commands.option_values import parse_json_object, parse_moment

if TYPE_CHECKING:
    from ml.experiments.analysis.analysis import Analysis
    from ml.experiments.definition.definition import Experiments
    from orchestration.warehouse.warehouse import Warehouse

experiment = typer.Typer(
    help="Experiments: define in experiments.yaml, plan, assign, analyse, decide.", no_args_is_help=True
)
for command in (design, segment, interleaving, off_policy):
    experiment.command()(command)
IdArgument = Annotated[str, typer.Argument(metavar="EXPERIMENT", help="Its id in the definitions file.")]


@experiment.command()
def check(
    *,
    path: Annotated[Path | None, typer.Option(help="Another definitions file than the one in use.")] = None,
    home: HomeOption = None,
) -> None:
    """Check the definitions file: every fault with its line, the bad value and the legal ones; else a list."""
    from ml.experiments.definition.definitions_file import load_experiments
    from orchestration.warehouse.experiment_tables import definitions_file

    place = home_of(home)
    file = path or definitions_file(place, chosen_settings(place))
    found = load_experiments(file)
    named = Column("experiment", no_wrap=True)  # a name cut short could not be typed
    shown = Table(named, "unit", "variants", Column("primary metric", no_wrap=True), "from", "to")
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
def analyse(
    experiment_id: Annotated[
        str | None, typer.Argument(metavar="[EXPERIMENT]", help="Its id in the definitions file.")
    ] = None,
    *,
    home: HomeOption = None,
) -> None:
    """Analyse one experiment on the tables as they are, and write its report.

    Without an EXPERIMENT, list the experiments of the definitions file with their state and their units.
    """
    from ml.experiments.analysis.analysis import analyse_experiment
    from ml.experiments.report.report import render_report
    from orchestration.warehouse.experiment_tables import load_definitions, read_tables, report_folder

    place = home_of(home)
    settings = chosen_settings(place)
    experiments = load_definitions(place, settings)
    if experiment_id is None:
        _list_experiments(experiments, warehouse_of(place))
        return
    experiments.get(experiment_id)
    tables = read_tables(warehouse_of(place), experiment_id)
    if tables.exposures.num_rows == 0:
        raise InvalidInputError(f"no exposure of {experiment_id} has reached the warehouse")
    analysis = analyse_experiment(
        experiments, experiment_id, tables.exposures, tables.outcomes, tables.as_of, settings.experiments
    )
    report = report_folder(place, experiment_id) / "report.html"
    report.parent.mkdir(parents=True, exist_ok=True)
    report.write_text(render_report(analysis, settings.experiments.drift_alarm_p), encoding="utf-8")
    _print_analysis(analysis)
    console.print(f"Report: {report}", soft_wrap=True)


def _list_experiments(experiments: Experiments, warehouse: Warehouse) -> None:
    """Print every experiment with its state now and the units that the warehouse has seen in it."""
    from orchestration.warehouse.experiment_tables import exposed_users

    units, now = exposed_users(warehouse), datetime.now(UTC)
    table = Table(Column("experiment", no_wrap=True), "state", "from", "to", Column("units", justify="right"))
    for experiment in experiments.experiments.values():
        state = "running" if experiment.is_running(now) else "planned" if now < experiment.starts_at else "ended"
        dates = (f"{moment:%Y-%m-%d}" for moment in (experiment.starts_at, experiment.ends_at))
        table.add_row(experiment.id, state, *dates, f"{units.get(experiment.id, 0):,}")
    console.print(table, "`tessera experiment analyse EXPERIMENT` analyses one of them.", sep="\n")


def _print_analysis(analysis: Analysis) -> None:
    """Print the effects, the checks and the decision."""
    is_always_valid = analysis.experiment.decision.inference == "always_valid"
    table = Table(
        Column("metric", no_wrap=True), "variant", "control", "variant's", "change", "interval", "p",
        title=analysis.experiment.id,
    )  # fmt: skip
    for result in analysis.results:
        relative = (result.always_valid if is_always_valid else result.single_look).relative
        table.add_row(
            result.metric,
            result.variant,
            f"{result.estimate.control:.4g}",
            f"{result.estimate.treatment:.4g}",
            f"{relative.value:+.2%}",
            shown_interval(relative),
            f"{result.corrected_p:.3g}",
        )
    console.print(table)
    for health in analysis.checks:
        console.print(f"{'[green]yes[/]' if health.passed else '[red]no [/]'} {health.name}: {health.detail}")
    decision = analysis.decision
    variant = f" {decision.variant}" if decision.variant else ""
    console.print(f"[bold]{decision.verdict}{variant}[/]: {'; '.join(decision.reasons)}")


@experiment.command()
def assign(
    experiment_id: IdArgument,
    unit_id: Annotated[
        str, typer.Argument(help="A user, anonymous or session id, as the experiment's unit says.")
    ],
    *,
    context: Annotated[
        dict[str, Any] | None,
        typer.Option(
            parser=parse_json_object,
            metavar="JSON",
            help='What targeting may ask, as JSON: {"country": "DE"}.',
        ),
    ] = None,
    at: Annotated[
        datetime | None,
        typer.Option(parser=parse_moment, metavar="TIME", help="Time, ISO 8601; now if absent."),
    ] = None,
    home: HomeOption = None,
) -> None:
    """Say which variant a unit sees, and why; the same answer as over HTTP. Nothing is logged."""
    from ml.experiments.definition.assignment import assign_unit
    from orchestration.warehouse.experiment_tables import load_definitions

    place = home_of(home)
    experiments = load_definitions(place, chosen_settings(place))
    answer = assign_unit(experiments, experiment_id, unit_id, context or {}, at or datetime.now(UTC))
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

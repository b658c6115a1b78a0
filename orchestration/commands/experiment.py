"""`tessera experiment`: check, assign and analyse, with the commands of the modules `experiment_*`."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from math import isnan
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich import box
from rich.markup import escape
from rich.table import Column, Table

from ml.errors import InvalidInputError
from ml.evaluation.gains import NO_DIFFERENCE
from orchestration.commands.experiment_console import (
    console,
    format_change,
    format_interval,
    format_value,
    open_warehouse,
)
from orchestration.commands.experiment_design import design
from orchestration.commands.experiment_rankers import interleaving, off_policy
from orchestration.commands.experiment_segment import segment
from orchestration.commands.home import HomeOption, chosen_settings, home_of
from orchestration.commands.option_values import parse_json_object, parse_moment
from orchestration.runtime.text_table import text_table

if TYPE_CHECKING:
    from ml.experiments.analysis.analysis import ExperimentAnalysis
    from ml.experiments.definition.definition import Experiment, ExperimentDefinitions
    from orchestration.warehouse.warehouse import Warehouse

experiment = typer.Typer(
    help="Experiments: define them in experiments.yaml, plan, assign, analyse and decide.", no_args_is_help=True
)
for command in (design, segment, interleaving, off_policy):
    experiment.command()(command)
IdArgument = Annotated[str, typer.Argument(metavar="EXPERIMENT", help="Id in the definitions file.")]


@experiment.command()
def check(
    *,
    path: Annotated[Path | None, typer.Option(help="Definitions file to check instead of the one in use.")] = None,
    home: HomeOption = None,
) -> None:
    """Check the definitions file: list every fault with its line and the legal values, or else the experiments."""
    from ml.experiments.definition.definitions_file import load_experiments
    from orchestration.warehouse.experiment_tables import definitions_file

    place = home_of(home)
    file = path or definitions_file(place, chosen_settings(place))
    definitions = load_experiments(file)
    table = text_table("experiment", "unit", "variants", "primary metric", "from", "to")
    for entry in definitions.experiments.values():
        shares = ", ".join(f"{name} {variant.share:.0%}" for name, variant in entry.variants.items())
        table.add_row(
            entry.id,
            entry.unit,
            shares,
            entry.primary_metric,
            f"{entry.starts_at:%Y-%m-%d}",
            f"{entry.ends_at:%Y-%m-%d}",
        )
    console.print(
        table, f"{file}: {len(definitions.experiments)} experiments, {len(definitions.metrics)} metrics", sep="\n"
    )


@experiment.command()
def analyse(
    experiment_id: Annotated[
        str | None, typer.Argument(metavar="[EXPERIMENT]", help="Id in the definitions file.")
    ] = None,
    *,
    home: HomeOption = None,
) -> None:
    """Analyse an experiment with the present tables, and write its report.

    Without an EXPERIMENT, list the experiments of the definitions file with their state and their units.
    """
    from ml.experiments.analysis.analysis import analyse_experiment
    from ml.experiments.report.report import render_report
    from orchestration.warehouse.experiment_tables import load_definitions, read_tables, report_folder

    place = home_of(home)
    settings = chosen_settings(place)
    definitions = load_definitions(place, settings)
    if experiment_id is None:
        _list_experiments(definitions, open_warehouse(place))
        return
    definitions.get(experiment_id)
    tables = read_tables(open_warehouse(place), experiment_id)
    if tables.exposures.num_rows == 0:
        raise InvalidInputError(_explain_no_exposure(definitions.get(experiment_id), tables.as_of))
    analysis = analyse_experiment(
        definitions, experiment_id, tables.exposures, tables.outcomes, tables.as_of, settings.experiments
    )
    report = report_folder(place, experiment_id) / "report.html"
    report.parent.mkdir(parents=True, exist_ok=True)
    report.write_text(render_report(analysis, settings.experiments.drift_alarm_p), encoding="utf-8")
    _print_analysis(analysis)
    console.print(f"Report: {report}", soft_wrap=True)


def _explain_no_exposure(experiment: Experiment, as_of: datetime) -> str:
    """Say why nobody has been exposed."""
    if as_of < experiment.starts_at:
        return f"{experiment.id} starts on {experiment.starts_at:%Y-%m-%d}: nobody has seen a variant of it yet"
    return f"the tables contain no exposure of {experiment.id}; `tessera materialize` takes in new events"


def _list_experiments(definitions: ExperimentDefinitions, warehouse: Warehouse) -> None:
    """Print every experiment with its present state and the units that were exposed to it."""
    from orchestration.warehouse.experiment_tables import exposed_users

    units, now = exposed_users(warehouse), datetime.now(UTC)
    table = text_table("experiment", "state", "from", "to", Column("units", justify="right"))
    for experiment in definitions.experiments.values():
        state = "running" if experiment.is_running(now) else "planned" if now < experiment.starts_at else "ended"
        dates = (f"{moment:%Y-%m-%d}" for moment in (experiment.starts_at, experiment.ends_at))
        table.add_row(experiment.id, state, *dates, f"{units.get(experiment.id, 0):,}")
    console.print(table, "`tessera experiment analyse EXPERIMENT` analyses one of them.", sep="\n")


def _print_analysis(analysis: ExperimentAnalysis) -> None:
    """Print the effects, the checks and the decision."""
    for variant in dict.fromkeys(result.variant for result in analysis.results):
        console.print(_table_of_effects(analysis, variant))
    uncertain = [f"{result.metric} of {result.variant}" for result in analysis.results if result.may_be_chance]
    if uncertain:
        console.print(f"{NO_DIFFERENCE[0].upper()}{NO_DIFFERENCE[1:]}: {', '.join(uncertain)}", soft_wrap=True)
    untested = [f"{result.metric} of {result.variant}" for result in analysis.results if isnan(result.corrected_p)]
    if untested:
        console.print(f"Left out of the correction for several tests: {', '.join(untested)}", soft_wrap=True)
    for health in analysis.checks:
        console.print(
            f"{'[green]✓[/]' if health.passed else '[red]✗[/]'} {health.name}: {escape(health.detail)}",
            soft_wrap=True,
        )
    decision = analysis.decision
    variant = f" {decision.variant}" if decision.variant else ""
    console.print(f"[bold]{decision.verdict}{variant}[/]: {escape('; '.join(decision.reasons))}")


def _table_of_effects(analysis: ExperimentAnalysis, variant: str) -> Table:
    """The effects of one variant."""
    table = text_table(
        "metric", "control (units)", f"{variant} (units)", "change", "interval", "p",
        title=f"{analysis.experiment.id}: {variant} against {analysis.experiment.control}", box=box.SIMPLE_HEAD,
    )  # fmt: skip
    for result in analysis.results:
        if result.variant != variant:
            continue
        relative = result.decisive.relative
        table.add_row(
            result.metric.replace("_", " "),  # which wraps between words
            format_value(result.estimate.control, result.estimate.control_units),
            format_value(result.estimate.treatment, result.estimate.treatment_units),
            format_change(relative),
            result.missing or format_interval(relative),
            "–" if isnan(result.corrected_p) else f"{result.corrected_p:.3g}",
        )
    return table


@experiment.command()
def assign(
    experiment_id: IdArgument,
    unit_id: Annotated[
        str, typer.Argument(help="A user, anonymous or session id, depending on the experiment's unit.")
    ],
    *,
    context: Annotated[
        dict[str, Any] | None,
        typer.Option(
            parser=parse_json_object,
            metavar="JSON",
            help='Fields that targeting may read, as JSON: {"country": "DE"}.',
        ),
    ] = None,
    at: Annotated[
        datetime | None,
        typer.Option(parser=parse_moment, metavar="TIME", help="Time in ISO 8601; the present time by default."),
    ] = None,
    home: HomeOption = None,
) -> None:
    """Show which variant a unit sees, and why, as the service would answer. Nothing is logged."""
    from ml.experiments.definition.assignment import assign_unit
    from orchestration.warehouse.experiment_tables import load_definitions

    place = home_of(home)
    definitions = load_definitions(place, chosen_settings(place))
    assignment = assign_unit(definitions, experiment_id, unit_id, context or {}, at or datetime.now(UTC))
    console.print_json(
        json.dumps(
            {
                "experiment_id": assignment.experiment_id,
                "unit_type": assignment.unit_type,
                "unit_id": assignment.unit_id,
                "variant": assignment.variant,
                "reason": assignment.reason,
                "payload": dict(assignment.payload),
            }
        )
    )

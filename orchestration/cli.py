"""The `tessera` command: assembles the commands and turns foreseen errors into one clear line."""

from __future__ import annotations

import os
import sys

import typer
from rich.console import Console

from ml.settings import SettingsError
from orchestration.commands.audience import audience
from orchestration.commands.demo import demo
from orchestration.commands.docs import docs
from orchestration.commands.experiment import experiment
from orchestration.commands.ingest import ingest
from orchestration.commands.materialize import materialize
from orchestration.commands.models import evaluate, fit, recommend
from orchestration.commands.rules import rules
from orchestration.commands.segment import segment
from orchestration.commands.simulate import simulate
from orchestration.commands.tune import tune
from orchestration.commands.up import up

QUIET = {  # nobody is told of a run, and MLflow's pages need no job runner
    "DAGSTER_DISABLE_TELEMETRY": "yes",
    "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "BENTOML_DO_NOT_TRACK": "True",
    "GX_ANALYTICS_ENABLED": "false",
    "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
}

app = typer.Typer(
    name="tessera",
    help="Behavioural events in; segments, recommendations and experiments out.",
    epilog="Start with `tessera demo`, or bring events: `tessera ingest --help`.",
    no_args_is_help=True,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
)
for panel, commands in {
    "Start here": (demo, up),
    "The pipeline": (simulate, ingest, materialize, docs),
    "Using the results": (audience,),
    "Without the pipeline": (fit, tune, recommend, evaluate, segment),
}.items():
    for command in commands:
        app.command(rich_help_panel=panel)(command)
app.add_typer(experiment, name="experiment", rich_help_panel="Using the results")
app.add_typer(rules, name="rules", rich_help_panel="Using the results")


def main() -> None:
    """Run one command. Exit status: 0 done, 1 failed, 2 wrong use, 3 busy, 130 interrupted."""
    for name, value in QUIET.items():
        os.environ.setdefault(name, value)
    try:
        app()
    except SettingsError as error:
        Console(stderr=True).print(f"[red]Settings:[/] {error}", soft_wrap=True)
        sys.exit(2)

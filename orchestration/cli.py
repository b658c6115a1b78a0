"""The `tessera` command: assembles the commands and turns foreseen errors into one clear line."""

from __future__ import annotations

import os
import sys

import typer
from rich.console import Console
from rich.markup import escape

from ml.settings import SettingsError
from ml.site.definition_files import SiteMissingError, retirement_notice
from orchestration.commands.audience import audience
from orchestration.commands.demo import demo
from orchestration.commands.docs import docs
from orchestration.commands.experiment import experiment
from orchestration.commands.home import SiteOption, choose_site, with_site
from orchestration.commands.ingest import ingest
from orchestration.commands.materialize import materialize
from orchestration.commands.models import evaluate, fit, recommend
from orchestration.commands.rules import rules
from orchestration.commands.segment import segment
from orchestration.commands.simulate import simulate
from orchestration.commands.site.init import init
from orchestration.commands.site.settings import settings
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
    epilog="Start with `tessera demo`, or with a site of your own: `tessera init DIR`.",
    no_args_is_help=True,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
)
for panel, commands in {
    "Start here": (init, demo, up, settings),
    "The pipeline": (simulate, ingest, materialize, docs),
    "Using the results": (audience,),
    "Without the pipeline": (fit, tune, recommend, evaluate, segment),
}.items():
    for command in commands:
        app.command(rich_help_panel=panel)(command if command is init else with_site(command))
for name, group in {"experiment": experiment, "rules": rules}.items():
    for registered in group.registered_commands:
        registered.callback = with_site(registered.callback)
    app.add_typer(group, name=name, rich_help_panel="Using the results")


@app.callback()
def _for_a_site(*, site: SiteOption = None) -> None:
    choose_site(site)


def main() -> None:
    """Run one command. Exit status: 0 done, 1 failed, 2 wrong use, 3 busy, 130 interrupted."""
    for name, value in QUIET.items():
        os.environ.setdefault(name, value)
    console = Console(stderr=True)
    notice = retirement_notice(os.environ)
    if notice:
        console.print(f"[yellow]Note:[/] {escape(notice)}", soft_wrap=True)
    try:
        app()
    except (SettingsError, SiteMissingError) as error:
        console.print(f"[red]Settings:[/] {escape(str(error))}", soft_wrap=True)
        sys.exit(2)

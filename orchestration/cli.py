"""The `tessera` command: assembles the commands and reports every foreseen error in one line."""

from __future__ import annotations

import errno
import os
import warnings
from importlib.metadata import version
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from ml.errors import TesseraError
from ml.home import protect_new_files
from ml.site.definition_files import retirement_notice
from orchestration.commands.audience import audience
from orchestration.commands.demo import demo
from orchestration.commands.docs import docs
from orchestration.commands.experiment import experiment
from orchestration.commands.home import SiteOption, choose_site, with_site
from orchestration.commands.ingest import ingest
from orchestration.commands.materialize import materialize
from orchestration.commands.models import evaluate, fit, recommend
from orchestration.commands.proposals.signals import signals
from orchestration.commands.rules import rules
from orchestration.commands.segment import segment
from orchestration.commands.service.canary import canary
from orchestration.commands.service.console import console
from orchestration.commands.service.keys import keys
from orchestration.commands.service.up import up
from orchestration.commands.simulate import simulate
from orchestration.commands.site.init import init
from orchestration.commands.site.settings import settings
from orchestration.commands.tune import tune
from orchestration.commands.upkeep.backup import backup, restore
from orchestration.commands.upkeep.check import check
from orchestration.commands.upkeep.dead_letters import dead_letters
from orchestration.commands.upkeep.log import log
from orchestration.commands.upkeep.monitoring import alerts, health
from orchestration.commands.upkeep.rebuild_state import rebuild_state
from orchestration.commands.upkeep.verify import verify

QUIET = {  # no library reports a run to its makers, MLflow's pages need no job runner, and threads that wait sleep
    # Where pyspark is installed, great_expectations imports it in every process, and each import warns.
    "PYTHONWARNINGS": "ignore:PySpark does not yet fully support pandas:FutureWarning",
    "DAGSTER_DISABLE_TELEMETRY": "yes",
    "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "BENTOML_DO_NOT_TRACK": "True",
    "GX_ANALYTICS_ENABLED": "false",
    "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
    # OpenMP's threads spin otherwise: beside other programs, two of them took 11 s for what one does in 1 s.
    "OMP_WAIT_POLICY": "passive",
}

FAILED = 1
BUSY = 3
INTERRUPTED = 130


class TesseraGroup(TyperGroup):
    """The root command. It turns errors that a person can act on into one line on stderr and an exit status.

    Other exceptions are defects: they keep their traceback.
    """

    def invoke(self, ctx: Any) -> Any:
        """Run the command that the arguments name.

        Raises:
            typer.Exit: 1 after a foreseen error, 3 where another process is at work, 130 after Ctrl-C.
        """
        try:
            return super().invoke(ctx)
        except TesseraError as error:
            message, status = str(error), BUSY if _is_busy(error) else FAILED
        except OSError as error:
            if error.errno == errno.EPIPE:  # the reader of the output has gone, which typer knows how to end
                raise
            message, status = _describe(error), FAILED
        except KeyboardInterrupt:
            message = "stopped; finished work is kept, and running the same command again continues it"
            status = INTERRUPTED
        command = typer.style(f"{ctx.info_name} {ctx.invoked_subcommand}:", fg="red")
        typer.echo(f"{command} {message}", err=True)
        raise typer.Exit(status)


def _is_busy(error: TesseraError) -> bool:
    """Whether the command can succeed once another process has ended."""
    from ml.integrity.named_lock import LockedError  # noqa: PLC0415  late, so that `--help` is quick
    from orchestration.warehouse.warehouse import WarehouseBusyError  # noqa: PLC0415

    return isinstance(error, LockedError | WarehouseBusyError)


def _describe(error: OSError) -> str:
    """What the system refused, and for which file."""
    if error.errno == errno.ENOSPC:
        return "the disk is full. Free some space and run the command again"
    if error.filename:
        return f"{error.filename}: {error.strerror}"
    return f"{error}: no such file or directory" if isinstance(error, FileNotFoundError) else str(error)


app = typer.Typer(
    cls=TesseraGroup,
    name="tessera",
    help="Turns behavioural events into segments, recommendations and experiments.",
    epilog="Start with `tessera demo`, or with a site of your own: `tessera init DIR`.",
    no_args_is_help=True,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["--help", "-h"]},
)
for panel, commands in {
    "Start here": (init, demo, up, settings),
    "The pipeline": (simulate, ingest, materialize, docs),
    "Using the results": (console, audience),
    "Upkeep": (health, check, verify, backup, restore, rebuild_state),
    "Without the pipeline": (fit, tune, recommend, evaluate, segment),
}.items():
    for command in commands:
        app.command(rich_help_panel=panel)(command if command is init else with_site(command))
for panel, groups in {
    "The pipeline": {"dead-letters": dead_letters, "log": log},
    "Using the results": {"experiment": experiment, "rules": rules, "signals": signals},
    "Running the service": {"keys": keys, "canary": canary, "alerts": alerts},
}.items():
    for name, group in groups.items():
        for registered in group.registered_commands:
            registered.callback = with_site(registered.callback)
        app.add_typer(group, name=name, rich_help_panel=panel)


def _print_version(is_asked: bool) -> None:
    if is_asked:
        typer.echo(f"tessera {version('tessera')}")
        raise typer.Exit


@app.callback()
def _for_a_site(
    context: typer.Context,
    *,
    site: SiteOption = None,
    is_version_asked: Annotated[
        bool,
        typer.Option("--version", help="Show the version and exit.", callback=_print_version, is_eager=True),
    ] = False,
) -> None:
    # `init` makes the folder that --site or TESSERA_SITE may name already.
    if context.invoked_subcommand != init.__name__:
        choose_site(site)


def main() -> None:
    """Run one command. Exit status: 0 done, 1 failed, 2 wrong use, 3 busy, 130 interrupted."""
    protect_new_files()
    warnings.filterwarnings("ignore", "PySpark does not yet fully support pandas", FutureWarning)
    for name, value in QUIET.items():
        os.environ.setdefault(name, value)
    notice = retirement_notice(os.environ)
    if notice:
        typer.echo(f"{typer.style('Note:', fg='yellow')} {notice}", err=True)
    app()

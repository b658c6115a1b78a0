"""`tessera materialize`: every asset, in this process, with progress."""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.markup import escape

from ml.errors import TesseraError
from ml.home import Home
from ml.integrity.sqlite_files import MLFLOW_REMEDY, require_sound_sqlite
from orchestration.commands.home import HomeOption, chosen_settings, home_of

if TYPE_CHECKING:
    from orchestration.runtime.materialization import RunResult

CORRUPT = re.compile("corrupt|checksum", re.IGNORECASE)
JOBS = ("daily_increment", "full_refresh", "training", "retention", "campaigns", "erasure")


class EmptyLogError(TesseraError):
    """The event log has no event, so there is nothing to build from."""


def materialize(
    *,
    job: Annotated[
        str, typer.Option(help=f"Which assets, and how: {', '.join(JOBS)}.", metavar="JOB")
    ] = "daily_increment",
    home: HomeOption = None,
) -> None:
    """Build everything that follows from the events: tables, segments, models, the published bundle.

    The default, `daily_increment`, builds every asset and reads only what is new in the event log. `full_refresh`
    builds the tables from the whole log. `training` leaves the tables as they are and trains again. `retention`
    drops what is older than the settings allow, as every job that reads the log does. `campaigns` writes the
    audiences of the campaigns in the settings and logs their contacts; no other job does this. `erasure` removes
    people who asked to be erased.

    You can stop it at any point and run it again. Exit status 3 means that another run is at work.
    """
    if job not in JOBS:
        raise typer.BadParameter(f"{job!r} is not a job; the jobs are {', '.join(JOBS)}", param_hint="--job")
    run(home_of(home), job, Console(highlight=False, emoji=False))


def run(home: Home, job: str, console: Console) -> RunResult:
    """Materialize the assets of a job, with progress on `console`.

    Raises:
        EmptyLogError: the home has no events.
        WarehouseBusyError: another run has the warehouse.
        FullDiskError: the disk of the home has no room.
        DamagedFileError: the manifest of the log, the warehouse or the store of the models is damaged.
        typer.Exit: 1 after a failed step or blocking check; the console says which.
    """
    from ml.events.log import EventLog
    from orchestration.runtime.disk_space import telling_of_full_disk
    from orchestration.warehouse.warehouse import Warehouse

    settings = chosen_settings(home)
    if job != "erasure" and not EventLog(home).parts() and not settings.kafka.bootstrap_servers:
        raise EmptyLogError(
            f"There are no events in {home.path}. Bring some with `tessera ingest`, "
            "or make some with `tessera simulate` or `tessera demo`."
        )
    require_sound_sqlite(home.path / "mlflow.db", MLFLOW_REMEDY)
    with Warehouse(home.warehouse).writing(f"tessera materialize --job {job}"), telling_of_full_disk(home):
        return _run_locked(home, job, console)


def _run_locked(home: Home, job: str, console: Console) -> RunResult:
    from orchestration.runtime.garbage import loading_for_good
    from orchestration.runtime.run_log import output_to_file

    log = home.path / "logs" / f"materialize-{time.strftime('%Y-%m-%dT%H-%M-%S')}.log"
    started = time.monotonic()
    with console.status("Loading the pipeline …"), loading_for_good():
        from orchestration.definitions import defs
        from orchestration.runtime.disk_space import full_disk_message, is_disk_full
        from orchestration.runtime.durations import last_step_seconds
        from orchestration.runtime.instance import open_instance
        from orchestration.runtime.materialization import list_stages, run_job
        from orchestration.runtime.progress import StageProgress
        from orchestration.upkeep.verification import find_warehouse_damage

        definitions = defs()
    with output_to_file(log) as terminal, open_instance(home) as instance:
        chosen = definitions.resolve_job_def(job)
        seconds = last_step_seconds(instance, chosen.name)
        with StageProgress(terminal, list_stages(definitions, chosen), seconds) as progress:
            run_result = run_job(chosen, instance, progress.update)
    print_result(run_result, time.monotonic() - started, console)
    if not run_result.success:
        if any(CORRUPT.search(step.message) for step in run_result.failed_steps):
            for damage in find_warehouse_damage(home):  # dbt's message names no file
                console.print(str(damage), markup=False, soft_wrap=True)
        if is_disk_full(home):
            console.print(full_disk_message(home), markup=False, soft_wrap=True)
        console.print(f"The whole log: {log}", soft_wrap=True)
        raise typer.Exit(1)
    return run_result


def print_result(run_result: RunResult, seconds: float, console: Console) -> None:
    """Print what a run did not do, and why; what messages say in brackets is text, not markup."""
    for check in run_result.failed_checks:
        mark = "[red]✗ stopped by[/]" if check.blocking else "[yellow]! warned by[/]"
        console.print(f"{mark} {check.asset}: {check.check}  [dim]{escape(check.description)}[/]", soft_wrap=True)
    for step in run_result.failed_steps:
        console.print(f"[red]✗ {step.step}[/] failed: {step.error}: {escape(step.message)}", soft_wrap=True)
    for warning in run_result.warnings:
        console.print(f"[yellow]![/] {escape(warning)}", soft_wrap=True)
    if run_result.success:
        console.print(
            f"[green]✓[/] {len(run_result.materialized)} assets and {run_result.passed_checks} passed checks "
            f"in {seconds:.0f} s"
        )
    elif run_result.failed_checks and not run_result.failed_steps:
        console.print(
            "The data did not pass the checks: `tessera up` shows why on the asset's page.", markup=False
        )
    else:
        console.print("Fix the problem named above and run the same command again; finished work is kept.")

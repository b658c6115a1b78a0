"""`tessera up`: Dagster, MLflow and the service, together, until Ctrl-C."""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import typer
from rich.console import Console

from ml.home import Home
from ml.integrity.sqlite_files import MLFLOW_REMEDY, require_sound_sqlite
from ml.settings.ports import PortSettings
from orchestration.commands.home import HomeOption, chosen_settings, home_of

if TYPE_CHECKING:
    from orchestration.runtime.processes import Program, RunningProgram

GRACE_SECONDS = 15
POLL_SECONDS = 0.3


def up(*, home: HomeOption = None) -> None:
    """Start Dagster, MLflow and the service; Ctrl-C stops all three.

    They listen on this machine only, on the ports of the settings. What they print goes to `logs/` in the home.
    If one of them ends, the others stay and you are told.
    """
    from orchestration.runtime.processes import require_free_ports, stop_leftovers
    from orchestration.warehouse.lock import NamedLock

    chosen = home_of(home)
    require_sound_sqlite(chosen.path / "mlflow.db", MLFLOW_REMEDY)
    console = Console(highlight=False)
    lock = NamedLock(chosen.path / "up.lock")
    lock.acquire("tessera up")
    try:
        stop_leftovers(chosen.path / "up.json", GRACE_SECONDS)
        programs = programs_of(chosen, chosen_settings(chosen).ports)
        require_free_ports(programs)
        _serve(chosen, programs, console)
    finally:
        lock.release()


def programs_of(home: Home, ports: PortSettings) -> list[Program]:
    """The three programs with their commands."""
    from orchestration.runtime.processes import LOOPBACK, Program

    beside = Path(sys.executable).parent
    return [
        Program(
            name="Dagster",
            command=[
                *(str(beside / "dagster"), "dev", "--module-name", "orchestration.definitions"),
                *("--host", LOOPBACK, "--port", str(ports.dagster)),
            ],
            port=ports.dagster,
            setting="ports.dagster",
        ),
        Program(
            name="MLflow",
            command=[
                *(str(beside / "mlflow"), "server", "--backend-store-uri", home.mlflow_uri, "--workers", "1"),
                *("--default-artifact-root", home.artifacts.as_uri()),
                *("--host", LOOPBACK, "--port", str(ports.mlflow)),
            ],
            port=ports.mlflow,
            setting="ports.mlflow",
        ),
        Program(
            name="Service",
            command=[
                *(str(beside / "bentoml"), "serve", "serving.service:TesseraService"),
                *("--host", LOOPBACK, "--port", str(ports.service)),
            ],
            port=ports.service,
            setting="ports.service",
        ),
    ]


def _serve(home: Home, programs: Sequence[Program], console: Console) -> None:
    from orchestration.runtime.instance import prepare_dagster_home
    from orchestration.runtime.processes import RunningProgram, record_processes, stop_all

    prepare_dagster_home(home)
    running: list[RunningProgram] = []
    try:
        with _stoppable():
            for program in programs:
                running.append(RunningProgram(program, home.path, home.path / "logs"))
            record_processes(home.path / "up.json", running)
            _watch(running, console)
    except KeyboardInterrupt:
        console.print("Stopping …")
    finally:
        stop_all([child.process.pid for child in running], GRACE_SECONDS)
        (home.path / "up.json").unlink(missing_ok=True)
        console.print("All stopped.")


def _watch(running: Sequence[RunningProgram], console: Console) -> None:
    """Announce each program as it begins to listen or ends; returns when none is left."""
    console.print("Starting Dagster, MLflow and the service; this takes some seconds. Ctrl-C stops all.")
    starting, alive = list(running), list(running)
    while alive:
        for child in [child for child in starting if child.is_listening]:
            console.print(f"[green]✓[/] {child.program.name:<8} {child.program.address}")
            starting.remove(child)
        for child in [child for child in alive if child.exit_status is not None]:
            console.print(f"[red]✗ {child.program.name} ended with status {child.exit_status}.[/] Its last words:")
            console.print(child.last_lines(), markup=False, style="dim")
            console.print(f"The whole log: {child.log}", soft_wrap=True)
            alive.remove(child)
            starting = [other for other in starting if other is not child]
        time.sleep(POLL_SECONDS)
    raise typer.Exit(1)


@contextmanager
def _stoppable() -> Iterator[None]:
    """A termination or a closed terminal stops as Ctrl-C does."""

    def interrupt(number: int, frame: object) -> None:
        raise KeyboardInterrupt

    before = {number: signal.signal(number, interrupt) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)

"""`tessera up`: Dagster, MLflow and the service, together, until Ctrl-C."""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.markup import escape
from typer.models import OptionInfo

from ml.errors import InvalidInputError
from ml.home import Home
from ml.integrity.sqlite_files import MLFLOW_REMEDY, require_sound_sqlite
from ml.settings.operation import PortSettings
from orchestration.commands.home import HomeOption, chosen_settings, home_of
from orchestration.runtime.addresses import LOOPBACK

if TYPE_CHECKING:
    from orchestration.runtime.processes import Program, RunningProgram

GRACE_SECONDS = 15
POLL_SECONDS = 0.3
RESTART_SECONDS = 60  # what ends sooner after its start would only end again


class ProgramName(StrEnum):
    """The programs that `--without` leaves out."""

    PAGES = "pages"
    DAGSTER = "dagster"
    MLFLOW = "mlflow"
    SERVICE = "service"


def _port_of(program: str) -> OptionInfo:
    """The option that chooses the port of a program for one start."""
    help_text = f"Port of {program}, for this start only."
    option: OptionInfo = typer.Option(
        min=1, max=65_535, metavar="PORT", show_default="from the settings", help=help_text
    )
    return option


def up(
    *,
    pages_port: Annotated[int | None, _port_of("the start page")] = None,
    dagster_port: Annotated[int | None, _port_of("Dagster")] = None,
    mlflow_port: Annotated[int | None, _port_of("MLflow")] = None,
    service_port: Annotated[int | None, _port_of("the service")] = None,
    without: Annotated[list[ProgramName], typer.Option(help="A program to leave out; can be repeated.")] = [],  # noqa: B006  # typer copies it
    host: Annotated[
        str, typer.Option(help="Address to listen on. The pages have no sign-in: another one is for containers.")
    ] = LOOPBACK,
    home: HomeOption = None,
) -> None:
    """Start Dagster, MLflow, the service, and a page that links them and all reports; Ctrl-C stops them.

    They listen on this machine only, on the ports of the settings. What they print goes to `logs/` in the home.
    If one of them ends, the others go on and a message says so; one that had run for a minute is started again.
    """
    from ml.integrity.named_lock import NamedLock
    from orchestration.runtime.processes import require_free_ports, stop_leftovers

    chosen = home_of(home)
    require_sound_sqlite(chosen.path / "mlflow.db", MLFLOW_REMEDY)
    console = Console(highlight=False, emoji=False)
    lock = NamedLock(chosen.path / "up.lock")
    lock.acquire("tessera up")
    try:
        stop_leftovers(chosen.path / "up.json", GRACE_SECONDS)
        given = {"pages": pages_port, "dagster": dagster_port, "mlflow": mlflow_port, "service": service_port}
        chosen_ports = {name: port for name, port in given.items() if port is not None}
        settings = chosen_settings(chosen)
        ports = settings.ports.model_copy(update=chosen_ports)
        programs = [
            program
            for program in programs_of(chosen, ports, host, settings.serving.workers)
            if program.name.lower() not in without
        ]
        if not programs:
            raise InvalidInputError("--without leaves nothing to start")
        require_free_ports(programs)
        _serve(chosen, programs, console)
    finally:
        lock.release()


def programs_of(home: Home, ports: PortSettings, host: str = LOOPBACK, workers: int = 1) -> list[Program]:
    """The programs with their commands, which listen on an address of this machine.

    Args:
        home: The home that they show.
        ports: Where they listen.
        host: The address that they listen on.
        workers: Processes that answer for the service; several are watched over by BentoML.
    """
    from orchestration.runtime.processes import Program

    beside = Path(sys.executable).parent
    one_process = (sys.executable, "-m", "serving")
    several = (str(beside / "bentoml"), "serve", "serving.service:TesseraService")
    return [
        Program(
            name="Pages",
            command=[
                *(sys.executable, "-m", "orchestration.pages", str(home.path)),
                *("--host", host),
                *(argument for name, port in ports for argument in (f"--{name}", str(port))),
            ],
            port=ports.pages,
            setting="ports.pages",
        ),
        Program(
            name="Dagster",
            command=[
                *(str(beside / "dagster"), "dev", "--module-name", "orchestration.definitions"),
                *("--host", host, "--port", str(ports.dagster)),
            ],
            port=ports.dagster,
            setting="ports.dagster",
        ),
        Program(
            name="MLflow",
            command=[
                *(sys.executable, "-m", "ml.registry.server", str(home.path)),
                *("--host", host, "--port", str(ports.mlflow)),
            ],
            port=ports.mlflow,
            setting="ports.mlflow",
        ),
        Program(
            name="Service",
            command=[
                *(one_process if workers == 1 else several),
                *("--host", host, "--port", str(ports.service)),
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
    record = partial(record_processes, home.path / "up.json", running)
    try:
        with _stoppable():
            for program in programs:
                running.append(RunningProgram(program, home.path, home.path / "logs"))
            record()
            _watch(running, console, record)
    except KeyboardInterrupt:
        console.print("Stopping …")
    finally:
        stop_all([child.process.pid for child in running], GRACE_SECONDS)
        (home.path / "up.json").unlink(missing_ok=True)
        console.print("All stopped.")


def _watch(running: Sequence[RunningProgram], console: Console, record: Callable[[], None]) -> None:
    """Announce each program as it begins to answer or ends, and start those again that had run for a while.

    Args:
        running: The started programs.
        console: Where they are announced.
        record: Called after a program was started again, which gives it another process.

    Raises:
        typer.Exit: None is left.
    """
    names = ", ".join(child.program.name for child in running)
    console.print(f"Starting {names}; this can take half a minute. Ctrl-C stops all.")
    starting, alive = list(running), list(running)
    while alive:
        for child in [child for child in starting if child.is_answering]:
            console.print(f"[green]✓[/] {child.program.name:<8} {child.program.address}")
            starting.remove(child)
        for child in [child for child in alive if child.exit_status is not None]:
            console.print(
                f"[red]✗ {child.program.name} ended with status {child.exit_status}.[/] Its last output:"
            )
            console.print(child.last_lines(), markup=False, style="dim")
            console.print(f"The whole log: {escape(str(child.log))}", soft_wrap=True)
            starting = [other for other in starting if other is not child]
            if child.seconds_since_start < RESTART_SECONDS:
                alive.remove(child)
            else:
                console.print(f"Starting {child.program.name} again.")
                child.start()
                record()
                starting.append(child)
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

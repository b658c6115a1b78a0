"""Starting the three programs together: taken ports, a second start, a death, Ctrl-C."""

import io
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest
import yaml
from rich.console import Console
from typer.testing import CliRunner

from ml.home import Home
from ml.integrity.named_lock import NamedLock
from orchestration.cli import BUSY, app
from orchestration.commands.service import up
from orchestration.runtime.processes import (
    PortTakenError,
    Program,
    RunningProgram,
    record_processes,
    require_free_ports,
    stop_all,
    stop_leftovers,
)

CHECKOUT = Path(__file__).parents[2]
PATIENCE_SECONDS = 240
# a shell's background jobs ignore Ctrl-C, and so would what tests in one of them start
MAIN = """
import shutil
import signal
signal.signal(signal.SIGINT, signal.default_int_handler)
from orchestration.cli import main
main()
"""
LOCATIONS = """{ workspaceOrError { ... on Workspace {
    locationEntries { name loadStatus locationOrLoadError { __typename } }
} } }"""
LISTEN = """
import socket, time
server = socket.socket()
server.bind(("127.0.0.1", {port}))
server.listen()
time.sleep(600)
"""
ANSWER = """
import http.server
http.server.HTTPServer(("127.0.0.1", {port}), http.server.BaseHTTPRequestHandler).serve_forever()
"""
WITH_CHILD = """
import subprocess, sys, time
subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], start_new_session=True)
time.sleep(600)
"""
HOLD = """
import sys, time
from pathlib import Path
from ml.integrity.named_lock import NamedLock
NamedLock(Path(sys.argv[1])).acquire("tessera up")
print("held", flush=True)
time.sleep(600)
"""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def program(code: str, port: int | None = None, name: str = "MLflow") -> Program:
    port = port or free_port()
    return Program(name, [sys.executable, "-c", code.format(port=port)], port, "ports.mlflow")


@contextmanager
def listening() -> Iterator[int]:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        yield int(server.getsockname()[1])


def takes_connections(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def wait_until(true: object, seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not true():  # type: ignore[operator]
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_a_taken_port_names_the_port_the_setting_and_who_has_it() -> None:
    with listening() as port, pytest.raises(PortTakenError) as raised:
        require_free_ports([program(LISTEN), program(LISTEN, port)])
    message = str(raised.value)
    assert f"Port {port}, where MLflow should listen, is taken" in message
    assert f"(process {os.getpid()})" in message
    assert "ports.mlflow" in message


def test_a_second_up_names_the_first(tmp_path: Path) -> None:
    first = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path / "up.lock")],
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[2],
    )
    try:
        assert first.stdout is not None
        first.stdout.readline()
        second = CliRunner().invoke(app, ["up", "--home", str(tmp_path)])
        assert second.exit_code == BUSY
        assert f"tessera up (process {first.pid}" in " ".join(second.output.split())
    finally:
        first.kill()
        first.wait()
    assert NamedLock(tmp_path / "up.lock").holder() is None


def test_one_that_ends_is_reported_with_its_last_words(tmp_path: Path) -> None:
    dying = RunningProgram(program("print('no such table: runs'); raise SystemExit(7)"), tmp_path, tmp_path)
    dying.process.wait()
    console = Console(file=io.StringIO(), width=200)
    with pytest.raises(up.typer.Exit):
        up._watch([dying], console, lambda: None)
    shown = console.file.getvalue()
    assert "MLflow ended with status 7" in shown
    assert "no such table: runs" in shown


def test_one_that_ran_for_a_while_is_started_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    dying = RunningProgram(program("print('no such table: runs'); raise SystemExit(7)"), tmp_path, tmp_path)
    first = dying.process.pid
    dying.process.wait()
    monkeypatch.setattr(up, "RESTART_SECONDS", 0)
    recorded: list[int] = []

    def record() -> None:
        recorded.append(dying.process.pid)
        monkeypatch.setattr(up, "RESTART_SECONDS", 60)
        dying.process.wait()

    console = Console(file=io.StringIO(), width=200)
    with pytest.raises(up.typer.Exit):
        up._watch([dying], console, record)
    assert len(recorded) == 1
    assert recorded[0] != first
    assert console.file.getvalue().count("MLflow ended with status 7") == 2
    assert console.file.getvalue().count("Starting MLflow again.") == 1
    assert dying.log.read_text().count("no such table") == 2


def test_stopping_leaves_no_process_not_even_one_in_a_session_of_its_own(tmp_path: Path) -> None:
    one = RunningProgram(program(WITH_CHILD), tmp_path, tmp_path)
    parent = psutil.Process(one.process.pid)
    wait_until(parent.children)
    family = [parent, *parent.children()]
    stop_all([one.process.pid], grace_seconds=5)
    assert [process.pid for process in family if process.is_running()] == []


def test_a_program_is_announced_once_it_answers_whatever_the_answer(tmp_path: Path) -> None:
    one = RunningProgram(program(ANSWER), tmp_path, tmp_path)
    try:
        wait_until(lambda: one.is_answering)
    finally:
        stop_all([one.process.pid], grace_seconds=5)
    assert not one.is_answering


def test_what_a_killed_up_left_behind_is_ended_by_the_next(tmp_path: Path) -> None:
    one = RunningProgram(program(LISTEN), tmp_path, tmp_path)
    wait_until(lambda: takes_connections(one.program.port))
    assert not one.is_answering
    record_processes(tmp_path / "up.json", [one])
    assert stop_leftovers(tmp_path / "up.json", grace_seconds=5) == 1
    assert not psutil.pid_exists(one.process.pid)
    assert stop_leftovers(tmp_path / "up.json", grace_seconds=5) == 0


def test_every_program_listens_on_the_port_of_its_setting() -> None:
    ports = up.PortSettings(pages=4000, dagster=4001, mlflow=4002, service=4003)
    programs = {one.name: one for one in up.programs_of(Home(Path("/tmp/home")), ports)}
    assert [one.port for one in programs.values()] == [4000, 4001, 4002, 4003]
    assert {name: one.setting for name, one in programs.items()} == {
        "Pages": "ports.pages",
        "Dagster": "ports.dagster",
        "MLflow": "ports.mlflow",
        "Service": "ports.service",
    }
    for one in programs.values():
        assert str(one.port) in one.command
        assert Path(one.command[0]).exists()


def test_one_worker_answers_in_one_process_and_several_are_watched_over_by_bentoml() -> None:
    def service(workers: int) -> str:
        programs = up.programs_of(Home(Path("/tmp/home")), up.PortSettings(), workers=workers)
        return " ".join(next(program.command for program in programs if program.name == "Service"))

    assert "-m serving " in service(1)
    assert "bentoml serve serving.service:TesseraService " in service(2)


def test_programs_listen_on_another_address_where_one_is_given() -> None:
    programs = up.programs_of(Home(Path("/tmp/home")), up.PortSettings(), "0.0.0.0")
    assert [program.command[program.command.index("--host") + 1] for program in programs] == ["0.0.0.0"] * 4


def test_nothing_is_left_to_start_without_all_of_them(tmp_path: Path) -> None:
    options = [part for name in ("pages", "dagster", "mlflow", "service") for part in ("--without", name)]
    command = [sys.executable, "-c", MAIN, "up", "--home", str(tmp_path), *options]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ended.returncode == 1
    assert "--without leaves nothing to start" in ended.stderr


def test_the_three_come_up_on_their_ports_and_ctrl_c_ends_them(
    changing_home: Home, small_site: Path, tmp_path: Path
) -> None:
    ports = {name: free_port() for name in ("pages", "dagster", "mlflow", "service")}
    site = Path(shutil.copytree(small_site, tmp_path / "site"))
    knobs = yaml.safe_load((site / "settings.yaml").read_text()) | {"ports": ports}
    (site / "settings.yaml").write_text(yaml.safe_dump(knobs))
    ports["mlflow"] = free_port()
    command = [sys.executable, "-c", MAIN, "up", "--home", str(changing_home.path)]
    command += ["--mlflow-port", str(ports["mlflow"])]  # the option is stronger than the setting
    environment = os.environ | {"TESSERA_SITE": str(site), "COLUMNS": "200"}
    running = subprocess.Popen(command, cwd=CHECKOUT, env=environment, stdout=subprocess.PIPE, text=True)
    try:
        address = {name: f"http://127.0.0.1:{port}" for name, port in ports.items()}
        wait_until(lambda: answer(f"{address['mlflow']}/health") == b"OK", PATIENCE_SECONDS)
        wait_until(lambda: answer(f"{address['service']}/readyz") is not None, PATIENCE_SECONDS)
        wait_until(
            lambda: b"LOADED" in (answer(f"{address['dagster']}/graphql", query=LOCATIONS) or b""),
            PATIENCE_SECONDS,
        )
        assert b"RepositoryLocation" in (answer(f"{address['dagster']}/graphql", query=LOCATIONS) or b"")
        recommended = json.loads(answer(f"{address['service']}/v1/recommendations", user_id="?", k=3) or b"{}")
        assert len(recommended["items"]) == 3
        start = (answer(f"{address['pages']}/") or b"").decode()
        assert all(f'href="{one}/' in start for one in address.values())
        again = subprocess.run(command, cwd=CHECKOUT, env=environment, capture_output=True, text=True, check=False)
        assert again.returncode == BUSY
        assert f"tessera up (process {running.pid}" in again.stderr
        family = psutil.Process(running.pid).children(recursive=True)
        assert len(family) >= len(ports)
        for module in ("ml.registry.server", "serving"):  # each in one process, which imports everything once
            [process] = [process for process in family if module in process.cmdline()]
            assert process.children() == []
        running.send_signal(signal.SIGINT)
        told = running.communicate(timeout=PATIENCE_SECONDS)[0]
    finally:
        stop_all([running.pid], grace_seconds=5)
    for name in address.values():
        assert name in told
    assert "All stopped." in told
    assert "WARNING" not in (changing_home.path / "logs" / "dagster.log").read_text(encoding="utf-8")
    assert [process for process in family if process.is_running()] == []


def answer(address: str, **body: object) -> bytes | None:
    """Of a POST where there is a body, else of a GET; None while nobody answers well."""
    data = json.dumps(body).encode() if body else None
    request = urllib.request.Request(address, data, headers={"content-type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=20) as response:
            found: bytes = response.read()
            return found
    except (urllib.error.URLError, ConnectionError, TimeoutError):
        return None

"""Long-running programs started together, watched together, stopped together."""

from __future__ import annotations

import http.client
import json
import signal
import socket
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

from ml.errors import TesseraError
from orchestration.runtime.addresses import LOOPBACK, address_of

_LAST_LINES = 12
_ANSWER_SECONDS = 0.5  # how long a program may take to answer before it is asked again


@dataclass(frozen=True)
class Program:
    """One program to run: what it is called, its command, where it listens and which setting says so."""

    name: str
    command: Sequence[str]
    port: int
    setting: str

    @property
    def address(self) -> str:
        """Where people find it."""
        return address_of(self.port)


class PortTakenError(TesseraError):
    """Another program listens where one of ours should."""

    def __init__(self, program: Program) -> None:
        holder = _listener(program.port)
        taken = f"is taken by {holder}" if holder else "is taken"
        super().__init__(
            f"Port {program.port}, where {program.name} should listen, {taken}. "
            f"Stop that program, or choose another port: `tessera up --{program.name.lower()}-port PORT` for this "
            f"time, `tessera settings --set {program.setting}=PORT` for good."
        )
        self.program = program


class RunningProgram:
    """A started program: its process group, and what it prints, in a file."""

    def __init__(self, program: Program, folder: Path, logs: Path) -> None:
        logs.mkdir(parents=True, exist_ok=True)
        self.program = program
        self.log = logs / f"{program.name.lower()}.log"
        self._folder = folder
        self.log.write_bytes(b"")
        self.start()

    def start(self) -> None:
        """Start it, or start it again after it has ended; what it prints is appended to the log."""
        with self.log.open("ab") as stream:
            self.process = subprocess.Popen(
                list(self.program.command),
                cwd=self._folder,
                stdin=subprocess.DEVNULL,
                stdout=stream,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self._started = time.monotonic()

    @property
    def seconds_since_start(self) -> float:
        """Time since it was last started."""
        return time.monotonic() - self._started

    @property
    def is_answering(self) -> bool:
        """Whether it answers requests yet, whatever the answer; a port may take connections long before."""
        connection = http.client.HTTPConnection(LOOPBACK, self.program.port, timeout=_ANSWER_SECONDS)
        try:
            connection.request("GET", "/")
            connection.getresponse()
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()
        return True

    @property
    def exit_status(self) -> int | None:
        """How it ended; None while it runs."""
        return self.process.poll()

    def last_lines(self) -> str:
        """The end of what it printed."""
        lines = self.log.read_text(encoding="utf-8", errors="replace").splitlines()
        return "\n".join(lines[-_LAST_LINES:])


def require_free_ports(programs: Sequence[Program]) -> None:
    """Raises `PortTakenError` for the first program whose port is not free."""
    for program in programs:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((LOOPBACK, program.port))
            except OSError as error:
                raise PortTakenError(program) from error


def stop_all(pids: Sequence[int], grace_seconds: float) -> None:
    """End the processes and all that they started: asked first, killed after `grace_seconds`.

    Children are looked up before anything is asked to end: one that made a session of its own has no parent to be
    found by afterwards.
    """
    family: dict[int, psutil.Process] = {}
    for pid in pids:
        try:
            root = psutil.Process(pid)
            family |= {process.pid: process for process in (root, *root.children(recursive=True))}
        except psutil.NoSuchProcess:
            continue
    for pid in pids:
        _signal(family.get(pid), signal.SIGTERM)
    _, alive = psutil.wait_procs(list(family.values()), timeout=grace_seconds)
    for process in alive:
        _signal(process, signal.SIGKILL)
    psutil.wait_procs(alive, timeout=grace_seconds)


def record_processes(record: Path, running: Sequence[RunningProgram]) -> None:
    """Record the running programs, so that `stop_leftovers` can stop those of a killed parent."""
    entries = [
        {"pid": child.process.pid, "started": psutil.Process(child.process.pid).create_time()} for child in running
    ]
    record.write_text(json.dumps(entries), encoding="utf-8")


def stop_leftovers(record: Path, grace_seconds: float) -> int:
    """End programs of a parent that was killed before it could; returns how many there were."""
    if not record.exists():
        return 0
    left = []
    for entry in json.loads(record.read_text(encoding="utf-8")):
        try:
            if psutil.Process(entry["pid"]).create_time() == entry["started"]:
                left.append(entry["pid"])
        except psutil.NoSuchProcess:
            continue
    stop_all(left, grace_seconds)
    record.unlink()
    return len(left)


def _signal(process: psutil.Process | None, number: signal.Signals) -> None:
    if process is not None:
        try:
            process.send_signal(number)
        except psutil.NoSuchProcess:
            return


def _listener(port: int) -> str | None:
    """Name and process id of who listens on a port, where the system tells us."""
    for _ in range(2):
        try:
            for connection in psutil.net_connections("tcp"):
                if connection.laddr and connection.laddr.port == port and connection.status == psutil.CONN_LISTEN:
                    process = psutil.Process(connection.pid) if connection.pid else None
                    return f"{process.name()} (process {process.pid})" if process else None
        except psutil.NoSuchProcess:
            time.sleep(0.1)
        except psutil.AccessDenied:
            return None
    return None

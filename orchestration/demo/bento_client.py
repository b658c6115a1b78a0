"""Run the built Bento briefly and request recommendations from it, as a site would."""

from __future__ import annotations

import http.client
import json
import socket
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ml.errors import TesseraError
from ml.home import Home
from orchestration.bento import bento_folder
from orchestration.runtime.addresses import LOOPBACK
from orchestration.runtime.processes import Program, RunningProgram, stop_all

READY_SECONDS = 300  # a start takes 10 s alone, and minutes on a machine that is busy otherwise
GRACE_SECONDS = 10


class NotServingError(TesseraError):
    """The Bento did not become ready; the message ends with its last output."""


def request_recommendations(home: Home, tag: str, bodies: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Answers of `POST /v1/recommendations` to the bodies, from the Bento `tag` in `home`.

    It runs in an empty folder with a home of its own, so that asking leaves no trace in this one.

    Raises:
        NotServingError: the Bento ended or was not ready in time.
    """
    with (
        tempfile.TemporaryDirectory(prefix="tessera-bento-") as folder,
        run_bento(home, tag, writes_to=Home(Path(folder))) as address,
    ):
        return [post_json(f"{address}/v1/recommendations", body) for body in bodies]


@contextmanager
def run_bento(home: Home, tag: str, writes_to: Home) -> Iterator[str]:
    """The address of the Bento `tag` of `home` while it runs; its events and its state go to `writes_to`.

    Raises:
        NotServingError: the Bento ended or was not ready in time.
    """
    folder = writes_to.path
    folder.mkdir(parents=True, exist_ok=True)
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        port = int(probe.getsockname()[1])
    # Bytecode would name the folder of the home, which may be moved.
    environment = (f"TESSERA_HOME={folder}", "PYTHONDONTWRITEBYTECODE=1")
    # One process with the code of the Bento: `bentoml serve` imports all of it twice, to watch one by the other.
    serve = (sys.executable, "-m", "serving", "--host", LOOPBACK, "--port", str(port))
    program = Program(
        name="Bento",
        command=["/usr/bin/env", *environment, *serve],
        port=port,
        setting="chosen by the system",
    )
    running = RunningProgram(program, bento_folder(home, tag) / "src", folder / "logs")
    try:
        _wait_until_ready(running)
        yield program.address
    finally:
        stop_all([running.process.pid], GRACE_SECONDS)


def _wait_until_ready(running: RunningProgram) -> None:
    deadline = time.monotonic() + READY_SECONDS
    while not _is_ready(running.program.address):
        if running.exit_status is not None:
            raise NotServingError(f"the Bento ended before it was ready:\n{running.last_lines()}")
        if time.monotonic() > deadline:
            raise NotServingError(
                f"the Bento was not ready within {READY_SECONDS} s. Run the command again when the machine is "
                f"less busy; finished work is kept. Its last output:\n{running.last_lines()}"
            )
        time.sleep(0.2)


def _is_ready(address: str) -> bool:
    try:
        with urllib.request.urlopen(f"{address}/readyz", timeout=2) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, http.client.HTTPException, ConnectionError, TimeoutError):
        return False


def post_json(address: str, body: dict[str, Any]) -> dict[str, Any]:
    """Post a JSON body and return the JSON answer."""
    request = urllib.request.Request(
        address, json.dumps(body).encode(), headers={"content-type": "application/json"}, method="POST"
    )
    with urllib.request.urlopen(request, timeout=30) as answer:
        parsed: dict[str, Any] = json.load(answer)
    return parsed

"""[collector] events accepted and on disk by one process, latency at half of that, kill -9, and memory.

The load comes from a second process over real sockets.
"""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
from figure import Figure

from ml.event_log import EventLog
from ml.home import Home
from ml.live_log import recover

CHECKOUT = Path(__file__).parents[2]
SECONDS, KILLS, MEMORY_EVENTS = 20.0, 50, 5_000_000
BATCH = 50


def measure(size: float) -> Iterator[Figure]:
    """`size` scales the seconds of each load, the number of kills and the events of the memory run."""
    seconds = max(2.0, SECONDS * size)
    with tempfile.TemporaryDirectory() as folder, _Server(Path(folder)) as server:
        server.load(seconds=2.0)  # warm
        most = server.load(seconds=seconds)
        yield Figure(
            "collector.events_per_second", most["events_per_second"], "1/s",
            rows=most["requests"] * BATCH, seconds=seconds,
        )  # fmt: skip
        half = server.load(seconds=seconds, per_second=most["events_per_second"] / BATCH / 2)
        yield Figure(
            "collector.p99_at_half_load", half["p99_ms"], "ms", rows=half["requests"] * BATCH, seconds=seconds
        )
        single = server.load(seconds=seconds, batch=1, connections=32)
        yield Figure(
            "collector.single_posts_per_second", single["events_per_second"], "1/s",
            rows=single["requests"], seconds=seconds,
        )  # fmt: skip
    yield from _memory(int(MEMORY_EVENTS * size))
    yield _kills(max(2, round(KILLS * size)))


def _memory(events: int) -> Iterator[Figure]:
    """Resident memory after a tenth of the events, and at the end."""
    with tempfile.TemporaryDirectory() as folder, _Server(Path(folder)) as server:
        sent, early = 0, 0.0
        began = time.perf_counter()
        while sent < events:
            sent += server.load(seconds=min(20.0, max(1.0, events / 40_000)), connections=8)["requests"] * BATCH
            early = early or (server.resident_mib() if sent >= events / 10 else 0.0)
        end = server.resident_mib()
        yield Figure(
            "collector.memory_growth", end - early, "MiB", rival="resident after a tenth", rival_value=early,
            ratio=end / early, rows=sent, seconds=time.perf_counter() - began, peak_mib=end,
        )  # fmt: skip


def _kills(times: int) -> Figure:
    """Acknowledged events missing from the log after so many kill -9 under load, plus events there twice."""
    acknowledged: set[str] = set()
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(times):
            server = _Server(Path(folder)).__enter__()
            stop = threading.Event()
            senders = [threading.Thread(target=_post, args=(server.port, acknowledged, stop)) for _ in range(4)]
            for sender in senders:
                sender.start()
            time.sleep(0.4)
            server.process.send_signal(signal.SIGKILL)
            server.process.wait()
            stop.set()
            for sender in senders:
                sender.join()
        log = EventLog(Home(Path(folder)))
        recover(log)
        found = [one for batch in log.read(columns=["event_id"]) for one in batch["event_id"].to_pylist()]
    wrong = len(acknowledged - set(found)) + len(found) - len(set(found))
    return Figure(f"collector.lost_or_doubled_in_{times}_kills", wrong, "events", rows=len(acknowledged))


class _Server:
    """One collector process on a free port, and the load process against it."""

    def __init__(self, home: Path) -> None:
        self.home = home

    def __enter__(self) -> _Server:
        with socket.socket() as found:
            found.bind(("127.0.0.1", 0))
            self.port = found.getsockname()[1]
        command = [sys.executable, "-m", "uvicorn", "--factory", "serving.collector.app:from_environment"]
        self.process = subprocess.Popen(
            [*command, "--port", str(self.port), "--log-level", "warning", "--no-access-log"],
            cwd=CHECKOUT, env=os.environ | {"TESSERA_HOME": str(self.home)},
        )  # fmt: skip
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return self
            except OSError:
                time.sleep(0.05)
        raise RuntimeError("the collector did not start within a minute")

    def __exit__(self, *_: object) -> None:
        self.process.terminate()
        self.process.wait()

    def load(self, seconds: float, batch: int = BATCH, connections: int = 16, per_second: float = 0.0) -> Any:
        command = [sys.executable, str(Path(__file__).with_name("collector_load.py")), str(self.port)]
        options = {"batch": batch, "connections": connections, "seconds": seconds, "per-second": per_second}
        for name, value in options.items():
            command += [f"--{name}", str(value)]
        found = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
        if set(found["statuses"]) != {"202"}:
            raise RuntimeError(f"not every request was taken: {found['statuses']}")
        return found

    def resident_mib(self) -> float:
        return psutil.Process(self.process.pid).memory_info().rss / 2**20


def _post(port: int, acknowledged: set[str], stop: threading.Event) -> None:
    try:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        while not stop.is_set():
            ids = [uuid.uuid4().hex for _ in range(10)]
            events = [{"event_id": one, "event_type": "click", "anonymous_id": "a"} for one in ids]
            connection.request("POST", "/v1/events", json.dumps({"events": events}))
            answer = connection.getresponse()
            answer.read()
            if answer.status == 202:
                acknowledged.update(ids)
    except (OSError, http.client.HTTPException):
        return

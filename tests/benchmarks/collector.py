"""[collector] events accepted and on disk by one process, what a commit costs, and latency at half of the most.

The load comes from a second process over real sockets.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from figure import Figure

from tests.serving.collector import load
from tests.serving.collector.processes import CollectorProcess

SECONDS = 20.0
BATCH = 50


def measure(size: float) -> Iterator[Figure]:
    """`size` scales the seconds of each load."""
    seconds = max(2.0, SECONDS * size)
    with tempfile.TemporaryDirectory() as folder, CollectorProcess(Path(folder)) as collector:
        put_load_on(collector, seconds=2.0)  # warm
        before = counts_of(collector)
        most = put_load_on(collector, seconds=seconds)
        after = counts_of(collector)
        yield Figure(
            "collector.events_per_second", most["events_per_second"], "1/s",
            rows=most["requests"] * BATCH, seconds=seconds,
        )  # fmt: skip
        commits = after["commits"] - before["commits"]
        waited = after["commit_seconds"] - before["commit_seconds"]
        yield Figure("collector.commit", 1_000 * waited / commits, "ms", rows=commits, seconds=waited)
        half = put_load_on(collector, seconds=seconds, per_second=most["events_per_second"] / BATCH / 2)
        yield Figure(
            "collector.p99_at_half_load", half["p99_ms"], "ms", rival="p50", rival_value=half["p50_ms"],
            rows=half["requests"] * BATCH, seconds=seconds,
        )  # fmt: skip
        single = put_load_on(collector, seconds=seconds, batch=1, connections=32)
        yield Figure(
            "collector.single_posts_per_second", single["events_per_second"], "1/s",
            rows=single["requests"], seconds=seconds,
        )  # fmt: skip


def put_load_on(
    collector: CollectorProcess,
    seconds: float,
    batch: int = BATCH,
    connections: int = 16,
    per_second: float = 0.0,
) -> dict[str, Any]:
    """What the load process measured.

    Raises:
        RuntimeError: a request was not answered with 202.
    """
    command = [sys.executable, str(load.__file__), str(collector.port)]
    options = {"batch": batch, "connections": connections, "seconds": seconds, "per-second": per_second}
    for name, value in options.items():
        command += [f"--{name}", str(value)]
    found: dict[str, Any] = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
    if set(found["statuses"]) != {"202"}:
        raise RuntimeError(f"not every request was taken: {found['statuses']}")
    return found


def counts_of(collector: CollectorProcess) -> dict[str, float]:
    """The collector's own counts."""
    with urllib.request.urlopen(f"http://127.0.0.1:{collector.port}/livez") as answer:
        found: dict[str, float] = json.load(answer)["counts"]
    return found

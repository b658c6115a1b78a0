"""What the service's benchmarks share: random factors, a server on a free port, and a load from outside.

A file of helpers, not a benchmark.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pyarrow as pa

from ml.arrays import F32

ROOT = Path(__file__).resolve().parents[2]
USERS, WIDTH, CONNECTIONS = 5_000, 64, 16
SERVICE = ("bentoml", "serve", "serving.service:TesseraService", "--host", "127.0.0.1", "--port")


def factors(n_items: int, clusters: int | None = None) -> tuple[F32, F32]:
    """Random vectors of users and items, float32 (n, WIDTH); around centres, where `clusters` says how many."""
    generator = np.random.default_rng(1)
    users = generator.normal(size=(USERS, WIDTH)).astype(np.float32)
    items = generator.normal(size=(n_items, WIDTH)).astype(np.float32)
    if clusters is not None:  # as learned factors are: isotropic noise in 64 dimensions has no neighbours
        centres = generator.normal(size=(clusters, WIDTH)).astype(np.float32)
        items = 0.5 * items + centres[generator.integers(clusters, size=n_items)]
        users = 0.5 * users + centres[generator.integers(clusters, size=USERS)]
    return users, items


def publish(
    published: Path,
    users: F32,
    items: F32,
    version: str = "v1",
    model_version: str = "1",
    graph: Path | None = None,
) -> Path:
    """A bundle of these factors: items `i0` …, users `u0` …; with a graph of the items, if given."""
    from ml.bundle import FoldIn, Publication, write_bundle
    from ml.decisions.items.factor_index import GRAPH_FOLDER

    ids = [f"i{row}" for row in range(len(items))]
    return write_bundle(
        published,
        Publication(
            model_version=model_version,
            as_of=dt.datetime.now(dt.UTC),
            items=pa.table({"item_id": ids, "category": [f"c{row % 50}" for row in range(len(items))]}),
            users=pa.table({"user_id": [f"u{row}" for row in range(len(users))]}),
            trending=pa.table({"scope": ["all"] * 200, "item_id": ids[:200], "score": [1.0] * 200}),
            interactions=pa.table({"user_id": ["u0"], "item_id": ["i0"]}),
            user_factors=users,
            item_factors=items,
            fold_in=FoldIn(np.zeros(WIDTH, dtype=np.float32), 10.0, 1.0),
            files={GRAPH_FOLDER: graph} if graph else {},
        ),
        version,
    )


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def running(command: list[str], url: str, ready: str, **environment: str) -> Iterator[subprocess.Popen[bytes]]:
    """`python -m command`, answering with 200 at `ready` when the block begins; ended with it.

    Raises:
        RuntimeError: it ended, or did not become ready within five minutes.
    """
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"  # MLflow starts `uvicorn`
    own = {**os.environ, "PATH": path, "OMP_NUM_THREADS": "1", **environment}
    process = subprocess.Popen([sys.executable, "-m", *command], cwd=ROOT, env=own)
    try:
        wait_until_ready(process, url + ready)
        yield process
    finally:
        process.terminate()
        try:
            process.wait(60)
        except subprocess.TimeoutExpired:
            process.kill()
            raise


def wait_until_ready(process: subprocess.Popen[bytes], url: str, seconds: float = 300.0) -> None:
    """Until 200 is answered.

    Raises:
        RuntimeError: the process ended, or the time is over.
    """
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if process.poll() is not None:
            raise RuntimeError(f"the server ended with {process.returncode}")
        try:
            if httpx.get(url, timeout=5).status_code == 200:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.05)
    raise RuntimeError(f"{url} did not answer within {seconds:.0f} s")


@contextmanager
def service(home: Path) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """The service on a home."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    with running([*SERVICE, str(port)], url, "/readyz", TESSERA_HOME=str(home)) as process:
        yield url, process


def recommendation(user: str) -> tuple[str, dict[str, Any]]:
    """A request to the service, and to the bare app."""
    return "/v1/recommendations", {"user_id": user, "k": 10, "slot": "home"}


def invocation(user: str) -> tuple[str, dict[str, Any]]:
    """A request to MLflow's own server."""
    return "/invocations", {"dataframe_split": {"columns": ["user_id"], "data": [[user]]}, "params": {"k": 10}}


REQUESTS = {"service": recommendation, "mlflow": invocation}


def load(url: str, seconds: float, rate: float | None, kind: str = "service") -> dict[str, float]:
    """Ask over 16 connections for so long; `rate` requests a second, or as many as are answered."""
    return asyncio.run(_load(url, seconds, rate, kind))


async def _load(url: str, seconds: float, rate: float | None, kind: str) -> dict[str, float]:
    times: list[float] = []
    failed = 0
    generator = np.random.default_rng(2)
    limits = httpx.Limits(max_connections=CONNECTIONS)
    async with httpx.AsyncClient(base_url=url, limits=limits, timeout=30) as client:
        start = time.perf_counter()

        async def ask(place: int) -> None:
            nonlocal failed
            number = 0
            while (now := time.perf_counter()) - start < seconds:
                if rate is not None:
                    due = start + (number * CONNECTIONS + place) / rate
                    await asyncio.sleep(max(0.0, due - now))
                    now = max(now, due)
                path, body = REQUESTS[kind](f"u{generator.integers(USERS)}")
                try:
                    reply = await client.post(path, json=body)
                    failed += reply.status_code != 200
                except httpx.TransportError:
                    failed += 1
                times.append(time.perf_counter() - now)
                number += 1

        await asyncio.gather(*(ask(place) for place in range(CONNECTIONS)))
        took = time.perf_counter() - start
    return {
        "rate": len(times) / took,
        "p99_ms": float(np.percentile(times, 99)) * 1000,
        "asked": len(times),
        "failed": failed,
    }

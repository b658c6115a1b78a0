"""[service] Requests a second of the whole service against a bare app that does only the same top k.

100,000 items × 64, known users, k=10, 16 connections, load from a process of its own. The rival is Starlette on
uvicorn with one matrix product and one partition a request; both run one worker.
"""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import numpy as np
import pyarrow as pa
from figure import Figure, in_own_process

ROOT = Path(__file__).resolve().parents[2]
ITEMS, USERS, WIDTH, CONNECTIONS, SECONDS = 100_000, 5_000, 64, 16, 10.0
BARE = """
import os
import numpy as np
from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route

folder = os.environ["FACTORS"]
items, users = np.load(folder + "/items.npy"), np.load(folder + "/users.npy")

async def recommend(request):
    body = await request.json()
    scores = items @ users[int(body["user_id"][1:])]
    best = np.argpartition(-scores, 10)[:10]
    best = best[np.argsort(-scores[best])]
    return JSONResponse({"items": [{"item_id": f"i{row}", "score": float(scores[row])} for row in best]})

app = Starlette(routes=[Route("/v1/recommendations", recommend, methods=["POST"])])
"""


def measure(size: float) -> Iterator[Figure]:
    """Both services under the same load, one after the other."""
    n_items, seconds = max(1_000, int(ITEMS * size)), max(2.0, SECONDS * size)
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        prepare(home, n_items)
        with served(home, "bare") as url:
            bare = in_own_process(load, url, seconds, None).result
        with served(home, "service") as url:
            ours = in_own_process(load, url, seconds, None).result
            calm = in_own_process(load, url, seconds, ours["rate"] / 2).result
    yield Figure(
        "service", ours["rate"], "requests/s", "bare Starlette", bare["rate"], ours["rate"] / bare["rate"], n_items
    )
    yield Figure("service", calm["p99_ms"], "ms p99 at half the rate", rows=n_items)


def prepare(home: Path, n_items: int) -> None:
    """Random factors, as a published bundle and as plain arrays."""
    from ml.bundle import FoldIn, Publication, write_bundle

    generator = np.random.default_rng(1)
    items = generator.normal(size=(n_items, WIDTH)).astype(np.float32)
    users = generator.normal(size=(USERS, WIDTH)).astype(np.float32)
    np.save(home / "items.npy", items)
    np.save(home / "users.npy", users)
    (home / "bare.py").write_text(BARE, encoding="utf-8")
    ids = [f"i{row}" for row in range(n_items)]
    import datetime as dt

    published = Publication(
        model_version="1",
        as_of=dt.datetime.now(dt.UTC),
        items=pa.table({"item_id": ids, "category": [f"c{row % 50}" for row in range(n_items)]}),
        users=pa.table({"user_id": [f"u{row}" for row in range(USERS)]}),
        trending=pa.table({"scope": ["all"] * 200, "item_id": ids[:200], "score": [1.0] * 200}),
        interactions=pa.table({"user_id": ["u0"], "item_id": ["i0"]}),
        user_factors=users,
        item_factors=items,
        fold_in=FoldIn(np.zeros(WIDTH, dtype=np.float32), 10.0, 1.0),
    )
    write_bundle(home / "home" / "published", published, "v1")


@contextmanager
def served(home: Path, kind: str) -> Iterator[str]:
    """Start one of the two services on a free port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = {
        "bare": ["uvicorn", "bare:app", "--app-dir", str(home), "--port", str(port), "--log-level", "warning"],
        "service": [
            "bentoml",
            "serve",
            "serving.service:TesseraService",
            "--host",
            "127.0.0.1",
            "--port",
            str(port),
        ],
    }[kind]
    environment = {**os.environ, "FACTORS": str(home), "TESSERA_HOME": str(home / "home"), "OMP_NUM_THREADS": "1"}
    process = subprocess.Popen([sys.executable, "-m", *command], cwd=ROOT, env=environment)
    url = f"http://127.0.0.1:{port}"
    try:
        until = time.monotonic() + 120
        while time.monotonic() < until:
            try:
                if httpx.post(
                    f"{url}/v1/recommendations", json={"user_id": "u1"}, timeout=5
                ).status_code == 200 and (kind == "bare" or httpx.get(f"{url}/readyz").status_code == 200):
                    break
            except httpx.TransportError:
                time.sleep(0.2)
        yield url
    finally:
        process.terminate()
        process.wait(30)


def load(url: str, seconds: float, rate: float | None) -> dict[str, float]:
    """Ask over 16 connections for so long; `rate` requests a second, or as many as are answered."""
    return asyncio.run(_load(url, seconds, rate))


async def _load(url: str, seconds: float, rate: float | None) -> dict[str, float]:
    times: list[float] = []
    generator = np.random.default_rng(2)
    async with httpx.AsyncClient(base_url=url, limits=httpx.Limits(max_connections=CONNECTIONS)) as client:
        start = time.perf_counter()

        async def ask(place: int) -> None:
            number = 0
            while (now := time.perf_counter()) - start < seconds:
                if rate is not None:
                    due = start + (number * CONNECTIONS + place) / rate
                    await asyncio.sleep(max(0.0, due - now))
                    now = max(now, due)
                body = {"user_id": f"u{generator.integers(USERS)}", "k": 10, "slot": "home"}
                reply = await client.post("/v1/recommendations", json=body)
                reply.raise_for_status()
                times.append(time.perf_counter() - now)
                number += 1

        await asyncio.gather(*(ask(place) for place in range(CONNECTIONS)))
        took = time.perf_counter() - start
    return {"rate": len(times) / took, "p99_ms": float(np.percentile(times, 99)) * 1000}

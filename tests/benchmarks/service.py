"""[service] Requests a second of the whole service against a bare app that does only the same top k.

100,000 items × 64, known users, k=10, 16 connections, load from a process of its own. The rival is Starlette on
uvicorn with one matrix product and one partition a request; both run one worker.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from figure import Figure, in_own_process
from served import factors, free_port, load, publish, running, service

ITEMS, SECONDS = 100_000, 10.0
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

async def alive(request):
    return JSONResponse({"alive": True})

app = Starlette(routes=[Route("/v1/recommendations", recommend, methods=["POST"]), Route("/livez", alive)])
"""


def measure(size: float) -> Iterator[Figure]:
    """Both services under the same load, one after the other."""
    n_items, seconds = max(1_000, int(ITEMS * size)), max(2.0, SECONDS * size)
    users, items = factors(n_items)
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        publish(home / "home" / "published", users, items)
        np.save(home / "items.npy", items)
        np.save(home / "users.npy", users)
        (home / "bare.py").write_text(BARE, encoding="utf-8")
        port = free_port()
        url = f"http://127.0.0.1:{port}"
        command = ["uvicorn", "bare:app", "--app-dir", str(home), "--port", str(port), "--log-level", "warning"]
        with running(command, url, "/livez", FACTORS=str(home)):
            bare = _answered(in_own_process(load, url, seconds, None).result)
        with service(home / "home") as (url, _):
            _answered(in_own_process(load, url, 1.0, None).result)  # caches as after a second of traffic
            ours = _answered(in_own_process(load, url, seconds, None).result)
            calm = _answered(in_own_process(load, url, seconds, ours["rate"] / 2).result)
    yield Figure(
        "service", ours["rate"], "requests/s", "bare Starlette", bare["rate"], ours["rate"] / bare["rate"], n_items
    )
    yield Figure("service", calm["p99_ms"], "ms p99 at half the rate", rows=n_items)


def _answered(figures: dict[str, float]) -> dict[str, float]:
    if figures["failed"]:
        raise RuntimeError(f"{figures['failed']:.0f} of {figures['asked']:.0f} requests failed")
    return figures

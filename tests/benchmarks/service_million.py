"""[service_million] 1,000,000 items: time to become ready, memory, p99 under load, recall of the search.

Vectors lie around 2,000 centres, as learned factors do. The load is 50 requests a second of known users.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import psutil
from figure import Figure, Measured, in_own_process
from served import factors, load, publish, service

from ml.arrays import F32

ITEMS, CENTRES, SECONDS, RATE = 1_000_000, 2_000, 20.0, 50.0
ASKED = 500


def measure(size: float) -> Iterator[Figure]:
    """Recall in this process, the rest at the service's own door."""
    n_items = max(10_000, int(ITEMS * size))
    users, items = factors(n_items, CENTRES)
    with tempfile.TemporaryDirectory() as folder:
        graph = Path(folder) / "graph"
        found = in_own_process(recall, users, items, graph)
        yield from _figures(users, items, graph, found)


def _figures(users: F32, items: F32, graph: Path, found: Measured) -> Iterator[Figure]:
    n_items = len(items)
    yield Figure("service_million", found.result["recall"], "recall@10", rows=n_items, peak_mib=found.peak_mib)
    yield Figure("service_million", found.result["build_seconds"], "s to build the graph", rows=n_items)
    yield Figure("service_million", found.result["milliseconds"], "ms a search", rows=n_items)
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder) / "home"
        publish(home / "published", users, items, graph=graph)
        started = time.perf_counter()
        with service(home) as (url, process):
            yield Figure(
                "service_million", time.perf_counter() - started, "s until ready, imports and all", rows=n_items
            )
            in_own_process(load, url, 2.0, RATE)
            calm = in_own_process(load, url, SECONDS, RATE).result
            people = [process.pid, *(child.pid for child in psutil.Process(process.pid).children(recursive=True))]
            resident = sum(psutil.Process(pid).memory_info().rss for pid in people) / 2**20
    if calm["failed"]:
        raise RuntimeError(f"{calm['failed']:.0f} requests failed")
    yield Figure("service_million", calm["p99_ms"], f"ms p99 at {RATE:.0f} requests/s", rows=n_items)
    yield Figure("service_million", resident, "MiB resident", rows=n_items)


def recall(users: F32, items: F32, graph: Path) -> dict[str, float]:
    """Share of the true ten best that the graph finds, over ASKED users; the graph is written to a file."""
    from ml.decisions.items.factor_index import FactorIndex

    started = time.perf_counter()
    approximate = FactorIndex(items, approximate_above=0)
    built = time.perf_counter() - started
    approximate.save(graph)
    hits, searching = 0, 0.0
    for vector in users[:ASKED]:
        exact = np.argpartition(-(items @ vector), 10)[:10]
        started = time.perf_counter()
        found = approximate.by_product(vector, 10)
        searching += time.perf_counter() - started
        hits += len(np.intersect1d(exact, found))
    return {
        "recall": hits / (10 * ASKED),
        "build_seconds": built,
        "milliseconds": searching / ASKED * 1000,
    }

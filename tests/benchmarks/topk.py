"""Top 10 for 138,000 users × 27,000 items, 64 factors: the project's, `implicit`'s, RecTools' LightFM wrapper's.

RecTools pins numpy 1 and so has an environment of its own. The variable RECTOOLS_PYTHON names its Python, made by

    python -m venv rectools-env && rectools-env/bin/pip install rectools

Without it RecTools is left out, and a line says so. Its ranker gets the same factors, from a file.
"""

from __future__ import annotations

import os
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from figure import Figure
from implicit.cpu.topk import topk as implicit_topk
from threadpoolctl import threadpool_limits

from ml.recommenders.topk import cores, top_k_products

VARIABLE = "RECTOOLS_PYTHON"
RECTOOLS = """
import sys, time
import numpy as np
from rectools.models.rank import Distance, ImplicitRanker
users, items = np.load(sys.argv[1] + "/users.npy"), np.load(sys.argv[1] + "/items.npy")
ranker = ImplicitRanker(Distance.DOT, users, items, num_threads=int(sys.argv[2]), use_gpu=False)
start = time.perf_counter()
ranker.rank(subject_ids=np.arange(len(users)), k=10)
print(time.perf_counter() - start)
"""


def measure(size: float) -> Iterator[Figure]:
    random = np.random.default_rng(0)
    users = random.normal(size=(max(10, int(138_000 * size)), 64)).astype(np.float32)
    items = random.normal(size=(27_000, 64)).astype(np.float32)
    start = time.perf_counter()
    _, ours = top_k_products(users, items, 10)
    seconds = time.perf_counter() - start
    start = time.perf_counter()
    with threadpool_limits(1, "blas"):
        _, theirs = implicit_topk(items, users, 10, num_threads=cores())
    implicit = time.perf_counter() - start
    np.testing.assert_allclose(ours, theirs, rtol=1e-3)
    yield Figure("topk", seconds, "s", "implicit", implicit, implicit / seconds, len(users), seconds)
    python = os.environ.get(VARIABLE)
    if not python:
        print(f"RecTools is left out: {VARIABLE} names no Python that has it")
        return
    rectools = in_rectools(Path(python), users, items)
    yield Figure(
        "topk", seconds, "s", "RecTools ImplicitRanker", rectools, rectools / seconds, len(users), seconds
    )


def in_rectools(python: Path, users: np.ndarray, items: np.ndarray) -> float:
    """Seconds that RecTools' ranker takes for the same factors."""
    with tempfile.TemporaryDirectory() as folder:
        np.save(f"{folder}/users.npy", users)
        np.save(f"{folder}/items.npy", items)
        ran = subprocess.run(
            [str(python), "-c", RECTOOLS, folder, str(cores())], check=True, capture_output=True, text=True
        )
    return float(ran.stdout.strip().splitlines()[-1])

"""[service_mlflow] Requests a second of the service against the same model behind `mlflow models serve`.

100,000 items × 64, known users, k=10, 16 connections, load from a process of its own, one worker each.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from figure import Figure, in_own_process
from scipy import sparse
from served import USERS, factors, free_port, load, publish, running, service

from ml.arrays import F32

ITEMS, SECONDS = 100_000, 10.0


def measure(size: float) -> Iterator[Figure]:
    """Both servers under the same load, one after the other."""
    n_items, seconds = max(1_000, int(ITEMS * size)), max(2.0, SECONDS * size)
    users, items = factors(n_items)
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        publish(home / "home" / "published", users, items)
        model = register(home, users, items)
        port = free_port()
        url = f"http://127.0.0.1:{port}"
        command = ["mlflow", "models", "serve", "-m", model, "--env-manager", "local", "--port", str(port)]
        with running([*command, "--workers", "1"], url, "/ping"):
            theirs = in_own_process(load, url, seconds, None, "mlflow").result
        with service(home / "home") as (url, _):
            ours = in_own_process(load, url, seconds, None).result
    if theirs["failed"] or ours["failed"]:
        raise RuntimeError(f"requests failed: {theirs['failed']:.0f} of MLflow, {ours['failed']:.0f} of ours")
    yield Figure(
        "service_mlflow", ours["rate"], "requests/s", "mlflow models serve", theirs["rate"],
        ours["rate"] / theirs["rate"], n_items,
    )  # fmt: skip


def register(home: Path, users: F32, items: F32) -> str:
    """The factors as a registered model; returns the folder of MLflow's model."""
    from mlflow.artifacts import download_artifacts

    from ml.dataset.ids import Ids
    from ml.home import Home
    from ml.recommenders.models.zoo import make_recommender
    from ml.registry.registry import Registry

    recommender = make_recommender("als")
    recommender.set_state(
        {
            "user_ids_": Ids.of([f"u{row}" for row in range(USERS)]),
            "item_ids_": Ids.of([f"i{row}" for row in range(len(items))]),
            "known_users_": np.ones(USERS, bool),
            "seen_": sparse.csr_matrix((USERS, len(items)), dtype=np.int8),
            "item_counts_": np.ones(len(items), np.float32),
            "user_factors_": users,
            "item_factors_": items,
            "unknown_user_": users.mean(axis=0),
            "fold_in_weight_": 10.0,
            "fold_in_regularization_": 1.0,
        }
    )
    recommender.save(home / "recommender")
    place = Home(home / "registry")
    registry = Registry(place.mlflow_uri)
    with registry.start_run("benchmark") as run:
        version = registry.register(run, home / "recommender")
    return str(download_artifacts(artifact_uri=version.location, tracking_uri=registry.tracking_uri))

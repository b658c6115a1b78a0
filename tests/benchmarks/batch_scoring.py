"""Top 10 for every Globo user: one call against LightFM's own `predict`, user by user, on the same factors."""

from __future__ import annotations

import time
from collections.abc import Iterator

import numpy as np
from figure import Figure
from interaction_matrix import globo_pairs
from lightfm import LightFM

from ml.dataset.interactions import Interactions
from ml.recommenders.topk import top_k_products

N_FACTORS = 64
RIVAL_USERS = 300


def measure(size: float) -> Iterator[Figure]:
    pairs = Interactions.from_table(globo_pairs(size))
    n_users, n_items = pairs.matrix.shape
    model = LightFM(no_components=N_FACTORS, random_state=0)
    model.fit_partial(pairs.matrix.tocoo(), epochs=1)
    users = np.hstack([model.user_embeddings, model.user_biases[:, None], np.ones((n_users, 1), np.float32)])
    items = np.hstack([model.item_embeddings, np.ones((n_items, 1), np.float32), model.item_biases[:, None]])
    start = time.perf_counter()
    best, scores = top_k_products(users, items, 10, pairs.matrix)
    seconds = time.perf_counter() - start

    sample = np.random.default_rng(0).choice(n_users, min(RIVAL_USERS, n_users), replace=False)
    every = np.arange(n_items, dtype=np.int32)
    start = time.perf_counter()
    agreed = 0
    for user in sample:
        predicted = model.predict(int(user), every)
        predicted[pairs.matrix.indices[pairs.matrix.indptr[user] : pairs.matrix.indptr[user + 1]]] = -np.inf
        top = np.argpartition(-predicted, 10)[:10]
        agreed += np.allclose(np.sort(predicted[top]), np.sort(scores[user]), atol=1e-3)
    rival = (time.perf_counter() - start) / len(sample) * n_users
    if agreed < 0.99 * len(sample) or best.shape != (n_users, 10):
        raise AssertionError(f"only {agreed} of {len(sample)} lists are the same")
    yield Figure(
        "batch_scoring",
        seconds,
        "s",
        f"LightFM.predict (from {len(sample)} users)",
        rival,
        rival / seconds,
        n_users,
        seconds,
    )

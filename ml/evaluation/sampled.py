"""Metrics on a sample of the items: quick, but no substitute for the whole ranking (Krichene, Rendle 2020).

Each relevant item is ranked among items drawn at random. The figures are far higher than those of a whole ranking
and may order models differently, so their names say `sampled` and among how many.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy import sparse

from ml.arrays import F32, I32

USER_BLOCK = 256  # users whose scores are in memory at a time


def sampled_metrics(
    score: Callable[[I32], F32],
    users: I32,
    relevant: sparse.csr_matrix,
    had: sparse.csr_matrix,
    *,
    sampled: int = 100,
    k: int = 10,
    seed: int = 0,
) -> dict[str, float]:
    """Hit rate, NDCG and AUC of relevant items among `sampled` others each.

    Args:
        score: Takes user rows (b,), returns (b, n_items).
        users: Rows of the users who are measured, (n,).
        relevant: CSR (n, n_items) of the relevant items.
        had: CSR (n, n_items) of the training items; neither they nor the relevant items are drawn.
        sampled: Number of other items that are drawn for each user.
        k: Places of a list that count for hit rate and NDCG.
        seed: Seed of the draw.

    Returns:
        `sampled_<number>_hit_at_<k>`, `…_ndcg_at_<k>`, `…_auc`; NaN where nothing is relevant.
    """
    random = np.random.default_rng(seed)
    places = []
    for start in range(0, len(users), USER_BLOCK):
        scores = score(users[start : start + USER_BLOCK])
        for row, row_scores in enumerate(scores, start=start):
            relevant_items = relevant.indices[relevant.indptr[row] : relevant.indptr[row + 1]]
            closed = np.concatenate([relevant_items, had.indices[had.indptr[row] : had.indptr[row + 1]]])
            open_ = np.setdiff1d(np.arange(len(row_scores)), closed)
            if not len(open_):
                continue
            drawn = random.integers(0, len(open_), (len(relevant_items), sampled))
            others = row_scores[open_[drawn]]
            better = (others > row_scores[relevant_items, None]).sum(axis=1)
            places.append(better + (others == row_scores[relevant_items, None]).sum(axis=1) / 2)
    place = np.concatenate(places) if places else np.full(1, np.nan)
    values = {
        f"hit_at_{k}": np.where(np.isnan(place), np.nan, place < k),
        f"ndcg_at_{k}": np.where(place < k, 1 / np.log2(place + 2), np.where(np.isnan(place), np.nan, 0.0)),
        "auc": 1 - place / sampled,
    }
    return {f"sampled_{sampled}_{name}": float(value.mean()) for name, value in values.items()}

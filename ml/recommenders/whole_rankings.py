"""The AUC of whole rankings on a test: what models are chosen by where new items alone are ranked."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from ml.arrays import F64
from ml.dataset.interactions import Interactions
from ml.evaluation.auc import user_auc
from ml.recommenders.base import Recommender

MOST_USERS = 2_000  # who are judged, drawn at random: each needs a ranking of all items
USER_BLOCK = 64  # users whose scores are in memory at a time


def auc_of_users(
    recommender: Recommender, liked: Interactions, candidates: pa.Array | None = None, seed: int = 0
) -> F64:
    """AUC of each user over the items that the model has, or the candidates among them, less those of training.

    Args:
        recommender: a fitted recommender.
        liked: what is to be found.
        candidates: ids of the only items that are ranked.
        seed: seed of the draw of users.

    Returns:
        float64 (n,) for at most `MOST_USERS` users; NaN where nothing of `liked` is ranked, or everything is.
    """
    n_items = len(recommender.item_ids_)
    columns = np.arange(n_items)
    if candidates is not None:
        rows = recommender.item_ids_.rows(candidates)
        columns = np.sort(rows[rows >= 0])
    relevant = liked.aligned(liked.users, recommender.item_ids_.union(liked.items)).matrix[:, :n_items]
    chosen = np.arange(len(liked.users))
    if len(chosen) > MOST_USERS:
        chosen = np.sort(np.random.default_rng(seed).choice(chosen, MOST_USERS, replace=False))
    user_rows = recommender.user_ids_.rows(liked.users.values)
    is_known, unknown = recommender.knows(liked.users), recommender.score_unknown()
    parts = []
    for start in range(0, len(chosen), USER_BLOCK):
        block = chosen[start : start + USER_BLOCK]
        scores = np.repeat(unknown[None, :], len(block), axis=0)
        if is_known[block].any():
            scores[is_known[block]] = recommender.score(user_rows[block[is_known[block]]])
        allowed = np.ones((len(block), n_items), bool)
        has_row = user_rows[block] >= 0
        allowed[has_row] = np.asarray(recommender.seen_[user_rows[block[has_row]]].todense()) == 0
        is_relevant = np.asarray(relevant[block].todense()) > 0
        parts.append(user_auc(scores[:, columns], is_relevant[:, columns], allowed[:, columns]))
    return np.concatenate(parts)

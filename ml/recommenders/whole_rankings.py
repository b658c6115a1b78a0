"""The AUC of whole rankings on a test: what models are chosen by where new items alone are ranked."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pyarrow as pa
from scipy import sparse

from ml.arrays import F32, F64, I64, Integers
from ml.dataset.interactions import Interactions
from ml.evaluation.auc import user_auc
from ml.recommenders.base import Recommender

MOST_USERS = 2_000  # who are judged, drawn at random: each needs a ranking of all items
USER_BLOCK = 64  # users whose scores are in memory at a time


def auc_of_rows(
    score: Callable[[I64], F32], relevant: sparse.csr_matrix, had: sparse.csr_matrix, columns: Integers | None
) -> F64:
    """AUC of each user over all ranked items, a block of users at a time.

    Args:
        score: takes numbers of rows (b,), returns the scores of all items, (b, n_items).
        relevant: what is to be found, CSR (n_users, n_items).
        had: what is not ranked, of the same shape.
        columns: the items that are ranked; None: all.

    Returns:
        float64 (n_users,).
    """
    ranked = slice(None) if columns is None else columns
    parts = []
    for start in range(0, relevant.shape[0], USER_BLOCK):
        rows = np.arange(start, min(start + USER_BLOCK, relevant.shape[0]))
        is_relevant = np.asarray(relevant[rows].todense())[:, ranked] > 0
        allowed = np.asarray(had[rows].todense())[:, ranked] == 0
        parts.append(user_auc(score(rows)[:, ranked], is_relevant, allowed))
    return np.concatenate(parts)


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
    n_items, columns = len(recommender.item_ids_), None
    if candidates is not None:
        rows = recommender.item_ids_.rows(candidates)
        columns = np.sort(rows[rows >= 0])
    relevant = liked.aligned(liked.users, recommender.item_ids_.union(liked.items)).matrix[:, :n_items]
    chosen = np.arange(len(liked.users))
    if len(chosen) > MOST_USERS:
        chosen = np.sort(np.random.default_rng(seed).choice(chosen, MOST_USERS, replace=False))
    user_rows = recommender.user_ids_.rows(liked.users.values)[chosen]
    is_known, unknown = recommender.knows(liked.users)[chosen], recommender.score_unknown()
    had = recommender.seen_[np.maximum(user_rows, 0)].multiply((user_rows >= 0)[:, None]).tocsr()

    def score(rows: I64) -> F32:
        scores = np.repeat(unknown[None, :], len(rows), axis=0)
        if is_known[rows].any():
            scores[is_known[rows]] = recommender.score(user_rows[rows[is_known[rows]]])
        return scores

    return auc_of_rows(score, relevant[chosen], had, columns)

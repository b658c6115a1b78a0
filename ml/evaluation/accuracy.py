"""Accuracy of ranked lists, user by user. `hits` is bool (n_users, k), best place first; `n_relevant` (n_users,).

All return float64 (n_users,); a user without relevant items has no value: NaN.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ml.arrays import F64, I64, Bools


def precision(hits: Bools, n_relevant: I64) -> F64:
    """Share of the k places that are hits."""
    return _where_defined(hits.mean(axis=1), n_relevant)


def recall(hits: Bools, n_relevant: I64) -> F64:
    """Share of the relevant items that are in the list."""
    return _where_defined(hits.sum(axis=1) / np.maximum(n_relevant, 1), n_relevant)


def hit_rate(hits: Bools, n_relevant: I64) -> F64:
    """1 where the list holds at least one relevant item."""
    return _where_defined(hits.any(axis=1), n_relevant)


def reciprocal_rank(hits: Bools, n_relevant: I64) -> F64:
    """1 over the place of the first hit, 0 without one; its mean is the MRR."""
    return _where_defined(np.where(hits.any(axis=1), 1 / (hits.argmax(axis=1) + 1), 0.0), n_relevant)


def average_precision(hits: Bools, n_relevant: I64) -> F64:
    """Mean precision at the places of the hits, over the hits that were possible; its mean is the MAP."""
    k = hits.shape[1]
    precision_at = np.cumsum(hits, axis=1) / np.arange(1, k + 1)
    possible = np.clip(n_relevant, 1, k)
    return _where_defined((precision_at * hits).sum(axis=1) / possible, n_relevant)


def ndcg(hits: Bools, n_relevant: I64) -> F64:
    """Discounted gain over that of an ideal list (Järvelin, Kekäläinen 2002), binary relevance."""
    k = hits.shape[1]
    discount = 1 / np.log2(np.arange(2, k + 2))
    ideal = np.cumsum(discount)[np.clip(n_relevant, 1, k) - 1]
    return _where_defined(hits @ discount / ideal, n_relevant)


def _where_defined(values: Any, n_relevant: I64) -> F64:
    return np.where(n_relevant > 0, np.asarray(values, dtype=np.float64), np.nan)

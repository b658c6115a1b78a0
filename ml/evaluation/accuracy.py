"""Accuracy of ranked lists, user by user. `hits` is bool (n_users, k), best place first; `n_relevant` (n_users,).

All return float64 (n_users,); a user without relevant items has no value: NaN.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import sparse

from ml.arrays import F64, I32, I64, Bools


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


def graded_ndcg(gains: F64, ideal: F64) -> F64:
    """Discounted gain over that of an ideal list (Järvelin, Kekäläinen 2002), graded relevance.

    Args:
        gains: (n_users, k), gain of the item at each place, 0 without a hit.
        ideal: (n_users, k), the largest gains of the user's relevant items, in descending order; zeros where there
            are fewer.

    Returns:
        (n_users,); the values of `ndcg` where all gains are equal.
    """
    discount = 1 / np.log2(np.arange(2, gains.shape[1] + 2))
    best = ideal @ discount
    return np.where(best > 0, gains @ discount / np.where(best > 0, best, 1), np.nan)


def gains_of(rows: I32, relevant: sparse.csr_matrix) -> F64:
    """Gain of each place of some lists: float64 (n_users, k), 0 where it is no hit.

    Args:
        rows: int32 (n_users, k), item rows, -1 where a list is shorter.
        relevant: CSR (n_users, n_items), the gain of each relevant item, columns sorted.
    """
    n_users, n_items = relevant.shape
    owner = np.repeat(np.arange(n_users, dtype=np.int64), np.diff(relevant.indptr))
    keys = np.concatenate([owner * n_items + relevant.indices, [np.iinfo(np.int64).max]])
    listed = np.arange(n_users, dtype=np.int64)[:, None] * n_items + rows
    place = np.searchsorted(keys, listed)
    is_hit = (keys[place] == listed) & (rows >= 0)
    return np.where(is_hit, np.append(relevant.data, 0)[place], 0.0).astype(np.float64)


def largest_of_rows(matrix: sparse.csr_matrix, k: int) -> F64:
    """The k largest values of each row, in descending order, zeros where there are fewer: float64 (n_rows, k)."""
    row = np.repeat(np.arange(matrix.shape[0]), np.diff(matrix.indptr))
    order = np.lexsort((-matrix.data, row))
    place = np.arange(matrix.nnz) - matrix.indptr[row]
    largest = np.zeros((matrix.shape[0], k))
    largest[row[place < k], place[place < k]] = matrix.data[order][place < k]
    return largest


def _where_defined(values: Any, n_relevant: I64) -> F64:
    return np.where(n_relevant > 0, np.asarray(values, dtype=np.float64), np.nan)

"""Metrics of recommendation lists beyond accuracy: coverage, novelty, diversity and serendipity.

`rows` is int32 (n_users, k) of item rows, -1 where a list is shorter.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from ml.arrays import F64, I32, Bools


def coverage(rows: I32, n_items: int) -> float:
    """Share of the catalogue that is recommended to somebody; NaN for an empty catalogue."""
    return len(np.unique(rows[rows >= 0])) / n_items if n_items else float("nan")


def novelty(rows: I32, item_counts: npt.NDArray[Any], n_users: int) -> float:
    """Mean of -log2 of the share of training users who have the recommended item (one added to both)."""
    shown = rows[rows >= 0]
    if not len(shown):
        return float("nan")
    return float(-np.log2((item_counts[shown].astype(np.float64) + 1) / (n_users + 1)).mean())


def gini(rows: I32, n_items: int) -> float:
    """Inequality of exposure over the catalogue: 0 when all are shown equally often, near 1 for one alone."""
    shown = rows[(rows >= 0) & (rows < n_items)]
    exposure = np.sort(np.bincount(shown, minlength=n_items))
    if not exposure.sum():
        return float("nan")
    order = np.arange(1, n_items + 1)
    return float(2 * (order * exposure).sum() / (n_items * exposure.sum()) - (n_items + 1) / n_items)


def long_tail_share(rows: I32, item_counts: npt.NDArray[Any], head_share: float = 0.8) -> float:
    """Share of the places outside the head: the most popular items with 80% of all interactions."""
    order = np.argsort(-item_counts.astype(np.float64), kind="stable")
    before = np.cumsum(item_counts[order], dtype=np.float64) - item_counts[order]
    head = np.zeros(len(item_counts), bool)
    head[order] = before < head_share * float(item_counts.sum())
    shown = rows[rows >= 0]
    return float((~head[shown]).mean()) if len(shown) else float("nan")


def intra_list_diversity(rows: I32, item_vectors: F64) -> F64:
    """Mean cosine distance between two items of a list (Ziegler 2005): (n_users,), NaN below two items.

    Args:
        rows: item rows, int32 (n_users, k), -1 where a list is shorter.
        item_vectors: (n_items, d); an item with a zero vector is at distance 1 from all.
    """
    lengths = np.linalg.norm(item_vectors, axis=1, keepdims=True)
    unit = item_vectors / np.where(lengths > 0, lengths, 1)
    there = rows >= 0
    vectors = unit[np.maximum(rows, 0)] * there[:, :, None]
    n = there.sum(axis=1)
    squares = (vectors**2).sum(axis=(1, 2))  # each item with itself
    similarity = (vectors.sum(axis=1) ** 2).sum(axis=1) - squares
    pairs = n * (n - 1)
    return np.where(pairs > 0, 1 - similarity / np.maximum(pairs, 1), np.nan)


def serendipity(hits: Bools, rows: I32, expected: Bools) -> F64:
    """Share of the places that are hits which the obvious list would not have had (Ge 2010): (n_users,).

    Args:
        hits: bool (n_users, k), the places that are hits.
        rows: item rows, int32 (n_users, k), -1 where a list is shorter.
        expected: bool (n_items,), the items of the obvious list, such as the k most popular ones.
    """
    return np.asarray((hits & ~expected[np.maximum(rows, 0)]).mean(axis=1), dtype=np.float64)

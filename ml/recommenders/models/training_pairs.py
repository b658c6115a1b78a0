"""Interactions as the signed examples that LightFM trains on."""

from __future__ import annotations

import numpy as np
from scipy import sparse

Examples = tuple[sparse.coo_matrix, sparse.coo_matrix | None]
"""Examples, 1 or -1, and their weights in the same order; None where all weigh 1."""


def positives(confidences: sparse.csr_matrix, random: np.random.Generator) -> Examples:
    """Liked pairs as 1, drawn for one pass: a confidence below 1 is the probability of being among them.

    A pair of higher confidence is always among them and weighs as much. Weights alone would not do: adagrad makes
    up for the short steps of a pair of low weight, and WARP takes longer ones for an item that is ranked low.

    Args:
        confidences: CSR (n_users, n_items), how much each liked pair says, 1 on average.
        random: draws the pairs.
    """
    liked = confidences.tocoo().astype(np.float32)
    if _all_equal(confidences):
        return _ones(liked), None
    is_drawn = random.random(liked.nnz) < liked.data
    places = (liked.row[is_drawn], liked.col[is_drawn])
    weights = sparse.coo_matrix((np.maximum(liked.data[is_drawn], 1), places), shape=liked.shape)
    return _ones(weights), weights


def with_negatives(confidences: sparse.csr_matrix, random: np.random.Generator) -> Examples:
    """Liked pairs as 1 and as many random pairs as -1: the logistic loss learns nothing from ones alone.

    Args:
        confidences: CSR (n_users, n_items), how much each liked pair says, 1 on average.
        random: draws the negatives, which weigh 1 each.
    """
    n_users, n_items = confidences.shape
    rows = np.repeat(np.arange(n_users), np.diff(confidences.indptr))
    columns = random.integers(0, n_items, confidences.nnz).astype(np.int32)
    liked = (confidences > 0).astype(np.float32)
    drawn = sparse.csr_matrix((np.ones(len(rows), np.float32), (rows, columns)), shape=confidences.shape)
    drawn = (drawn > 0).astype(np.float32)
    negatives = drawn - drawn.multiply(liked)
    examples = (liked - negatives).tocoo().astype(np.float32)
    if _all_equal(confidences):
        return examples, None
    return examples, (confidences + negatives).tocoo().astype(np.float32)


def _ones(pairs: sparse.coo_matrix) -> sparse.coo_matrix:
    return sparse.coo_matrix((np.ones(pairs.nnz, np.float32), (pairs.row, pairs.col)), shape=pairs.shape)


def _all_equal(confidences: sparse.csr_matrix) -> bool:
    return bool(confidences.data.min() == confidences.data.max())

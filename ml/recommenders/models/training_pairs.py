"""Interactions as the signed examples that LightFM trains on."""

from __future__ import annotations

import numpy as np
from scipy import sparse

from ml.recommenders.base import TrainingData


def with_negatives(
    data: TrainingData, random: np.random.Generator
) -> tuple[sparse.coo_matrix, sparse.coo_matrix | None]:
    """Liked pairs as 1 and as many random pairs as -1: the logistic loss learns nothing from ones alone."""
    pairs = data.interactions
    liked = pairs.liked.tocoo()
    columns = random.integers(0, len(pairs.items), liked.nnz).astype(np.int32)
    drawn = sparse.csr_matrix((np.ones(liked.nnz, np.float32), (liked.row, columns)), shape=liked.shape)
    negatives = (drawn > 0).astype(np.float32) - (drawn > 0).astype(np.float32).multiply(pairs.liked)
    return (pairs.liked - negatives).tocoo().astype(np.float32), None


def positives(data: TrainingData) -> tuple[sparse.coo_matrix, sparse.coo_matrix | None]:
    """Liked pairs as COO float32, and their weights in the same order, None where all are 1."""
    pairs = data.interactions
    liked = pairs.weights > 0
    shape = pairs.matrix.shape
    rows, columns, values = pairs.rows[liked], pairs.columns[liked], pairs.weights[liked]
    positives = sparse.coo_matrix((np.ones(len(rows), np.float32), (rows, columns)), shape=shape)
    if (values == values[0]).all():
        return positives, None
    mean = values.mean()
    return positives, sparse.coo_matrix(((values / mean).astype(np.float32), (rows, columns)), shape=shape)

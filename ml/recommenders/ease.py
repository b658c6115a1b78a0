"""EASE: a linear autoencoder in closed form (Steck 2019), with the denoising penalty of EDLAE (Steck 2020)."""

from __future__ import annotations

import numpy as np
from scipy import sparse

from ml.recommenders.base import TrainingData
from ml.recommenders.linear import ItemWeightRecommender


class Ease(ItemWeightRecommender):
    """Item weights with a zero diagonal that reproduce the interactions best.

    Memory is 8 bytes times the square of the number of items, time its cube: only the `most_items` most popular
    items take part.

    Args:
        regularization: L2 penalty.
        dropout: share of the history that is hidden in training; 0 is EASE.
        row_power: a user's row is divided by the number of their items to this power: long histories speak less.
        most_items: the most popular items that get weights.
    """

    def __init__(
        self,
        regularization: float = 500.0,
        dropout: float = 0.0,
        row_power: float = 0.0,
        most_items: int = 8_000,
    ) -> None:
        self.regularization = regularization
        self.dropout = dropout
        self.row_power = row_power
        self.most_items = most_items

    def history_weights(self, histories: sparse.csr_matrix) -> sparse.csr_matrix:
        """Rows divided by a power of their length, relative to a history of ten items."""
        if not self.row_power:
            return histories
        lengths = np.maximum(np.diff(histories.indptr), 1)
        return sparse.diags((lengths / 10.0) ** -self.row_power, dtype=np.float32) @ histories

    def _fit(self, data: TrainingData) -> None:
        counts = data.interactions.item_counts
        order = np.argsort(-counts, kind="stable")[: self.most_items]
        self.warm_ = np.sort(order[counts[order] > 0]).astype(np.int32)
        self.histories_ = self.history_weights(data.interactions.liked).tocsr()
        warm = self.histories_[:, self.warm_]
        gram = np.asarray((warm.T @ warm).todense(), dtype=np.float64)
        diagonal = np.diag_indices(len(gram))
        gram[diagonal] += self.regularization + self.dropout / (1 - self.dropout) * gram[diagonal]
        inverse = np.linalg.inv(gram)
        weights = inverse / -np.diag(inverse)
        weights[diagonal] = 0
        self.item_weights_ = weights.astype(np.float32)

"""EASE: a linear autoencoder in closed form (Steck 2019), with the denoising penalty of EDLAE (Steck 2020).

Two more kinds of rows can say which items go together: stretches of a history, since what was taken one after the
other belongs together more than a whole life does, and the features of the items.
"""

from __future__ import annotations

import numpy as np
from scipy import sparse

from ml.arrays import F64
from ml.dataset.interactions import Interactions
from ml.dataset.weight_scale import WeightScaling
from ml.recommenders.models.linear import ItemWeightRecommender
from ml.recommenders.training_data import TrainingData


class Ease(ItemWeightRecommender):
    """Item weights with a zero diagonal that reproduce the interactions best.

    Memory is 8 bytes times the square of the number of items, time its cube: only the `most_items` most popular
    items take part.

    Args:
        regularization: L2 penalty.
        dropout: share of the history that is hidden in training; 0 is EASE.
        row_power: a user's row is divided by the number of their items to this power: long histories speak less.
        most_items: the most popular items that get weights.
        window: so many items in a row, in the order of time, are a history too; each item is in two such
            stretches. None, or without timestamps: whole histories alone.
        feature_weight: each item feature is so many people who took exactly the items that have it; an item with
            several features is with each of them in part.
        weight_scaling: how weights become confidences, see `ml.dataset.weight_scale`.
    """

    def __init__(
        self,
        regularization: float = 500.0,
        dropout: float = 0.0,
        row_power: float = 0.0,
        most_items: int = 8_000,
        window: int | None = None,
        feature_weight: float = 0.0,
        weight_scaling: WeightScaling = "bm25",
    ) -> None:
        self.regularization = regularization
        self.dropout = dropout
        self.row_power = row_power
        self.most_items = most_items
        self.window = window
        self.feature_weight = feature_weight
        self.weight_scaling = weight_scaling

    @property
    def uses_item_features(self) -> bool:
        """Whether items with features in common are alike before anybody has had them."""
        return self.feature_weight > 0

    def history_weights(self, histories: sparse.csr_matrix) -> sparse.csr_matrix:
        """Roots of the confidences, divided by a power of the row's length relative to a history of ten items."""
        roots = super().history_weights(histories)
        if not self.row_power:
            return roots
        lengths = np.maximum(np.diff(histories.indptr), 1)
        return sparse.diags((lengths / 10.0) ** -self.row_power, dtype=np.float32) @ roots

    def _fit(self, data: TrainingData) -> None:
        counts = data.interactions.item_counts
        order = np.argsort(-counts, kind="stable")[: self.most_items]
        self.warm_ = np.sort(order[counts[order] > 0]).astype(np.int32)
        confidences = self._learn_confidences(data.interactions)
        self.histories_ = self.history_weights(confidences).tocsr()
        warm = self.histories_[:, self.warm_]
        gram = _products(warm)
        if self.window is not None and data.interactions.timestamps is not None:
            gram += _products(stretches(data.interactions, confidences, self.window)[:, self.warm_])
        if self.feature_weight and data.item_features is not None:
            owned = data.item_features.matrix[self.warm_]
            scale = np.maximum(np.diff(owned.indptr), 1) ** -0.5
            gram += self.feature_weight * _products((sparse.diags(scale) @ owned).T.tocsr())
        diagonal = np.diag_indices(len(gram))
        gram[diagonal] += self.regularization + self.dropout / (1 - self.dropout) * gram[diagonal]
        inverse = np.linalg.inv(gram)
        weights = inverse / -np.diag(inverse)
        weights[diagonal] = 0
        self.item_weights_ = weights.astype(np.float32)


def stretches(pairs: Interactions, confidences: sparse.csr_matrix, size: int) -> sparse.csr_matrix:
    """Each user's items in order, cut every `size` items, and once more half a size later.

    Args:
        pairs: the interactions.
        confidences: how much each liked pair says, in the order of `pairs.liked`.
        size: items of a stretch.

    Returns:
        CSR float32 (n_stretches, n_items), the roots of the confidences.
    """
    rows, columns, places = pairs.in_order()
    place = np.arange(len(rows)) - np.searchsorted(rows, rows)
    most = int(place.max()) // size + 2
    number = [rows.astype(np.int64) * most + (place + shift) // size for shift in (0, size // 2)]
    _, first = np.unique(number[0], return_inverse=True)
    _, second = np.unique(number[1], return_inverse=True)
    owner = np.concatenate([first, second + first.max() + 1])
    both, values = np.tile(columns, 2), np.tile(np.sqrt(confidences.data[places]), 2)
    return sparse.csr_matrix((values, (owner, both)), (owner.max() + 1, len(pairs.items)))


def _products(rows: sparse.csr_matrix) -> F64:
    """Products of all columns: float64 (n_items, n_items)."""
    return np.asarray((rows.T @ rows).todense(), dtype=np.float64)

"""Truncated SVD of the interactions: PureSVD with damped popularity (Cremonesi 2010)."""

from __future__ import annotations

import numpy as np
from scipy import sparse
from scipy.sparse.linalg import ArpackNoConvergence, svds
from sklearn.utils.extmath import randomized_svd

from ml.arrays import F64
from ml.dataset.weight_scale import WeightScaling
from ml.errors import InvalidInputError
from ml.recommenders.factors import FactorRecommender
from ml.recommenders.training_data import TrainingData

MOST_RESTARTS = 300  # of the iteration, which needs a few dozen where the directions can be told apart


def leading_directions(matrix: sparse.csr_matrix, rank: int, seed: int) -> F64:
    """The right singular vectors of the largest singular values: (n_columns, rank), orthonormal.

    Where most users have one item, thousands of singular values are equal, and the exact iteration finds no end.
    Any directions of that size are then as good as others, and random projections find some (Halko et al. 2011).

    Args:
        matrix: float64 (n_rows, n_columns).
        rank: less than both sizes.
        seed: of the first vector, and of the projections.
    """
    start = np.random.default_rng(seed).random(min(matrix.shape))
    try:
        _, _, right = svds(matrix, rank, v0=start, maxiter=MOST_RESTARTS)
    except ArpackNoConvergence:
        _, _, right = randomized_svd(matrix, rank, n_iter=10, random_state=seed)
    return np.asarray(right.T, dtype=np.float64)


class TruncatedSVD(FactorRecommender):
    """The best low-rank picture of the matrix of interactions, each the root of its confidence, scaled.

    Args:
        n_factors: rank; at most one less than users and items.
        user_power, item_power: rows and columns are divided by their counts to these powers first.
        weight_scaling: how weights become confidences, see `ml.dataset.weight_scale`.
        seed: of the iteration's first vector.
    """

    def __init__(
        self,
        n_factors: int = 24,
        user_power: float = 0.5,
        item_power: float = 0.25,
        weight_scaling: WeightScaling = "bm25",
        seed: int = 0,
    ) -> None:
        self.n_factors = n_factors
        self.user_power = user_power
        self.item_power = item_power
        self.weight_scaling = weight_scaling
        self.seed = seed

    def _fit(self, data: TrainingData) -> None:
        liked = self._learn_confidences(data.interactions)
        scale = np.maximum(data.interactions.item_counts, 1.0) ** -self.item_power
        self.item_scale_ = scale.astype(np.float32)
        rank = min(self.n_factors, min(liked.shape) - 1)
        if rank < 1:
            raise InvalidInputError(
                f"SVD needs two users and two items, found {liked.shape[0]} and {liked.shape[1]}"
            )
        scaled = self._scaled(liked)
        directions = leading_directions(scaled.astype(np.float64), rank, self.seed)
        self.item_factors_ = np.ascontiguousarray(directions, dtype=np.float32)
        self.user_factors_ = np.asarray(scaled @ self.item_factors_, dtype=np.float32)
        self.unknown_user_ = self.user_factors_[np.diff(liked.indptr) > 0].mean(axis=0)
        self.fold_in_weight_, self.fold_in_regularization_ = 0.0, 0.0

    def fold_in_histories(self, histories: sparse.csr_matrix) -> np.ndarray[tuple[int, int], np.dtype[np.float32]]:
        """Vectors of new users: their scaled history projected on the items, as for the training's own."""
        vectors = np.asarray(self._scaled(histories) @ self.item_factors_, dtype=np.float32)
        vectors[np.diff(histories.indptr) == 0] = self.unknown_user_
        return vectors

    def _scaled(self, matrix: sparse.csr_matrix) -> sparse.csr_matrix:
        rows = np.maximum(np.diff(matrix.indptr), 1.0) ** -self.user_power
        return (sparse.diags(rows) @ matrix.sqrt() @ sparse.diags(self.item_scale_)).tocsr().astype(np.float32)

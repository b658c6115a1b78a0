"""Implicit ALS: weighted least squares on all cells, observed ones weighing more (Hu, Koren, Volinsky 2008).

The penalty of a row grows with its number of interactions, as Rendle et al. (2022) found to matter; the libraries
use one constant. Rows of similar length are solved together, so that all work is in BLAS.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Self, TypeAlias

import numpy as np
import numpy.typing as npt
from scipy import sparse

from ml.arrays import F32
from ml.dataset.weight_scale import WeightScaling
from ml.recommenders.factors import FactorRecommender
from ml.recommenders.training_data import TrainingData

Factorize: TypeAlias = Callable[[sparse.csr_matrix], tuple[F32, F32]]
"""Takes a CSR matrix (n_users, n_items), returns float32 (n_users, d) and (n_items, d)."""

BATCH_FLOATS = 8_000_000  # 32 MB of gathered factors at a time


class ImplicitALS(FactorRecommender):
    """Factors of users and items from alternating ridge regressions.

    Args:
        n_factors: size of the vectors.
        confidence: weight of a typical observed pair over an unobserved one.
        regularization: penalty for each interaction of a row.
        iterations: of both sides.
        weight_scaling: how weights become confidences, see `ml.dataset.weight_scale`.
        seed: of the first item vectors.
    """

    def __init__(
        self,
        n_factors: int = 64,
        confidence: float = 4.0,
        regularization: float = 0.5,
        iterations: int = 8,
        weight_scaling: WeightScaling = "bm25",
        seed: int = 0,
    ) -> None:
        self.n_factors = n_factors
        self.confidence = confidence
        self.regularization = regularization
        self.iterations = iterations
        self.weight_scaling = weight_scaling
        self.seed = seed

    def _fit(self, data: TrainingData) -> None:
        self._take_factors(data, self._alternate)

    def fit_by(self, data: TrainingData, factorize: Factorize) -> Self:
        """`fit_aligned` with factors that another solver finds for the same problem.

        Args:
            data: Aligned interactions.
            factorize: Is given the confidences of the liked pairs, 1 on average, and minimizes the error of this
                model with its parameters, the users last.

        Raises:
            NotFiniteError: The factors hold a value that is not finite.
        """
        self.take_ids(data)
        self._take_factors(data, factorize)
        self._check_finite()
        return self

    def _alternate(self, liked: sparse.csr_matrix) -> tuple[F32, F32]:
        by_item = liked.T.tocsr()
        random = np.random.default_rng(self.seed)
        items = random.normal(0, 0.1 / np.sqrt(self.n_factors), (liked.shape[1], self.n_factors)).astype(
            np.float32
        )
        items[np.diff(by_item.indptr) == 0] = 0
        for _ in range(self.iterations):
            users = self._solve(liked, items)
            items = self._solve(by_item, users)
        return self._solve(liked, items), items

    def _take_factors(self, data: TrainingData, factorize: Factorize) -> None:
        liked = self._learn_confidences(data.interactions)
        self.user_factors_, self.item_factors_ = factorize(liked)
        self.unknown_user_ = self.user_factors_[np.diff(liked.indptr) > 0].mean(axis=0)
        # Of a user of mean activity: what a blend of factors folds in by, which cannot look at each row's length.
        self.fold_in_weight_ = self.confidence
        self.fold_in_regularization_ = self.regularization * liked.nnz / len(np.unique(data.interactions.rows))

    def fold_in_histories(self, histories: sparse.csr_matrix) -> F32:
        """Vectors of new users: exactly the step that the training takes for its own."""
        vectors = self._solve(histories.astype(np.float32), self.item_factors_)
        vectors[np.diff(histories.indptr) == 0] = self.unknown_user_
        return vectors

    def _solve(self, matrix: sparse.csr_matrix, others: F32) -> F32:
        """The best vectors (n_rows, d) for CSR rows of confidences, given the vectors of the columns."""
        d = others.shape[1]
        gram = others.T @ others
        lengths = np.diff(matrix.indptr)
        solved = np.zeros((matrix.shape[0], d), np.float32)
        order = np.argsort(lengths, kind="stable")
        order = order[lengths[order] > 0]
        start = 0
        while start < len(order):
            width = int(lengths[order[start]])
            size = max(1, BATCH_FLOATS // (d * max(d, 2 * width)))
            rows = order[start : start + size]
            rows = rows[lengths[rows] <= 2 * width]
            solved[rows] = self._solve_batch(matrix, rows, lengths[rows], others, gram)
            start += len(rows)
        return solved

    def _solve_batch(
        self,
        matrix: sparse.csr_matrix,
        rows: npt.NDArray[np.intp],
        lengths: npt.NDArray[np.intp],
        others: F32,
        gram: F32,
    ) -> F32:
        """Rows padded to the longest of them with vectors of zero."""
        width, d = int(lengths.max()), others.shape[1]
        places = matrix.indptr[rows][:, None] + np.arange(width)[None, :]
        filled = np.arange(width)[None, :] < lengths[:, None]
        columns = matrix.indices[np.where(filled, places, 0)]
        gathered = others[columns] * filled[:, :, None]
        weights = self.confidence * matrix.data[np.where(filled, places, 0)] * filled
        scaled = gathered * np.sqrt(weights)[:, :, None]
        left = np.matmul(scaled.transpose(0, 2, 1), scaled) + gram
        left[:, np.arange(d), np.arange(d)] += (self.regularization * lengths)[:, None]
        right = np.matmul((1 + weights)[:, None, :], gathered)[:, 0]
        return np.asarray(np.linalg.solve(left, right[:, :, None])[:, :, 0], dtype=np.float32)

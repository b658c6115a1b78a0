"""Recommenders whose score is a product of two vectors: factors, fold-in of new users, fast exact top k."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import sparse

from ml.recommenders.base import Recommender, UserRows, Users
from ml.recommenders.interactions import Floats
from ml.recommenders.topk import Rows, top_k_scores


class FactorRecommender(Recommender):
    """Score of user u and item i is `user_factors_[u] @ item_factors_[i]`; biases are columns of the factors.

    Learned:
        user_factors_: float32 (n_users, d).
        item_factors_: float32 (n_items, d).
        unknown_user_: float32 (d,), vector of somebody of whom nothing is known.
        fold_in_weight_: confidence of an observed item against an unobserved one.
        fold_in_regularization_: pull towards `unknown_user_`.
    """

    user_factors_: Floats
    item_factors_: Floats
    unknown_user_: Floats
    fold_in_weight_: float
    fold_in_regularization_: float

    def score(self, user_rows: UserRows) -> Floats:
        """Scores of all items: float32 (len(user_rows), n_items)."""
        return np.asarray(self.user_factors_[user_rows] @ self.item_factors_.T, dtype=np.float32)

    def score_unknown(self) -> Floats:
        """Scores of all items for the user of whom nothing is known."""
        return np.asarray(self.item_factors_ @ self.unknown_user_, dtype=np.float32)

    def score_histories(self, histories: sparse.csr_matrix) -> Floats:
        """Scores after folding each history in."""
        return np.asarray(self.fold_in_histories(histories) @ self.item_factors_.T, dtype=np.float32)

    def fold_in(self, items: Users, weights: Sequence[float] | None = None) -> Floats:
        """Vector of a new user: float32 (d,)."""
        return np.asarray(self.fold_in_histories(self.history(items, weights))[0])

    def fold_in_penalty(self, n_items: int) -> float:
        """L2 penalty of the fold-in of a history of so many items."""
        return self.fold_in_regularization_

    def fold_in_histories(self, histories: sparse.csr_matrix) -> Floats:
        """Vectors of new users from CSR (b, n_items): float32 (b, d).

        Weighted ridge regression on the fixed item factors, one step of implicit ALS (Hu, Koren, Volinsky 2008):
        an observed item wants the score 1, the others 0.
        """
        gram = self._gram()
        vectors = np.repeat(self.unknown_user_[None, :], histories.shape[0], axis=0)
        dimension = self.item_factors_.shape[1]
        prior = self.fold_in_regularization_ * np.eye(dimension, dtype=np.float32)
        for row in range(histories.shape[0]):
            part = slice(histories.indptr[row], histories.indptr[row + 1])
            chosen = self.item_factors_[histories.indices[part]]
            confidence = self.fold_in_weight_ * histories.data[part]
            left = gram + prior + (chosen * confidence[:, None]).T @ chosen
            right = prior @ self.unknown_user_ + chosen.T @ (confidence + 1)
            if len(chosen):
                vectors[row] = np.linalg.solve(left, right)
        return vectors

    def _gram(self) -> npt.NDArray[np.float32]:
        return np.asarray(self.item_factors_.T @ self.item_factors_, dtype=np.float32)

    def rank(
        self, user_rows: Rows, k: int, excluded: sparse.csr_matrix, columns: npt.NDArray[Any] | None = None
    ) -> tuple[Rows, Floats]:
        """As the base, with the product cut to the candidates before it is made."""
        known = self._known_rows(user_rows)
        factors = self.item_factors_ if columns is None else self.item_factors_[columns]
        transposed = np.ascontiguousarray(factors.T)
        vectors = np.where((known >= 0)[:, None], self.user_factors_[known], self.unknown_user_[None, :])
        if columns is not None:
            excluded = excluded[:, columns].tocsr()
        best, scores = top_k_scores(
            lambda rows: vectors[rows] @ transposed, len(known), factors.shape[0], k, excluded
        )
        if columns is not None and len(columns):
            best = np.where(best >= 0, columns[best], -1).astype(np.int32)
        return best, scores

"""Recommenders whose score is a product of two vectors: factors, fold-in of new users, fast exact top k."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import sparse

from ml.arrays import F32, I32, Integers
from ml.recommenders.base import Recommender, ServingForm, Users
from ml.recommenders.fold_in import FoldIn, ItemMoments, folded_in
from ml.recommenders.topk import top_k_products


class FactorRecommender(Recommender):
    """Score of user u and item i is `user_factors_[u] @ item_factors_[i]`; biases are columns of the factors.

    Learned:
        user_factors_: float32 (n_users, d).
        item_factors_: float32 (n_items, d).
        unknown_user_: float32 (d,), vector of a user who is not known.
        fold_in_weight_: confidence of an observed item against an unobserved one.
        fold_in_regularization_: pull towards `unknown_user_`.
        user_covariance_: float32 (d, d) of the users' vectors; given by models that learn to rank, which fold in
            by preference instead of ridge regression (see `ml.recommenders.fold_in`).
    """

    user_factors_: F32
    item_factors_: F32
    unknown_user_: F32
    fold_in_weight_: float
    fold_in_regularization_: float
    user_covariance_: F32 | None = None

    @property
    def serving_form(self) -> ServingForm:
        """Factors alone, unless the model folds people in by another rule than `fold_in_rule`."""
        is_by_rule = type(self).fold_in_histories is FactorRecommender.fold_in_histories
        return "factors" if is_by_rule else "factors and model"

    def score(self, user_rows: Integers) -> F32:
        """Scores of all items: float32 (len(user_rows), n_items)."""
        return np.asarray(self.user_factors_[user_rows] @ self.item_factors_.T, dtype=np.float32)

    def score_unknown(self) -> F32:
        """Score all items for a user who is not known."""
        return np.asarray(self.item_factors_ @ self.unknown_user_, dtype=np.float32)

    def score_histories(self, histories: sparse.csr_matrix) -> F32:
        """Scores after folding each history in."""
        return np.asarray(self.fold_in_histories(histories) @ self.item_factors_.T, dtype=np.float32)

    def fold_in(self, items: Users, weights: Sequence[float] | None = None) -> F32:
        """Vector of a new user: float32 (d,)."""
        return np.asarray(self.fold_in_histories(self.history(items, weights))[0])

    def fold_in_rule(self) -> FoldIn:
        """The rule by which the service folds users in as this model does."""
        return FoldIn(
            self.unknown_user_, self.fold_in_weight_, self.fold_in_regularization_, self.user_covariance_
        )

    def fold_in_histories(self, histories: sparse.csr_matrix) -> F32:
        """Vectors of new users, float32 (b, d), by the fold-in of `fold_in_rule`.

        Args:
            histories: CSR (b, n_items) of confidences, 1 for a typical interaction.
        """
        rule, items = self.fold_in_rule(), ItemMoments(self.item_factors_)
        vectors = np.repeat(self.unknown_user_[None, :], histories.shape[0], axis=0)
        for row in range(histories.shape[0]):
            part = slice(histories.indptr[row], histories.indptr[row + 1])
            vectors[row] = folded_in(
                rule, items, self.item_factors_[histories.indices[part]], histories.data[part]
            )
        return vectors

    def rank(
        self,
        user_rows: I32,
        k: int,
        excluded: sparse.csr_matrix,
        columns: npt.NDArray[Any] | None = None,
        threads: int | None = None,
    ) -> tuple[I32, F32]:
        """Rank as the base does, but multiply only the factors of the candidates."""
        rows = self._warm_rows(user_rows)
        factors = self.item_factors_ if columns is None else self.item_factors_[columns]
        vectors = np.where((rows >= 0)[:, None], self.user_factors_[rows], self.unknown_user_[None, :])
        if columns is not None:
            excluded = excluded[:, columns].tocsr()
        best, scores = top_k_products(vectors, factors, k, excluded, threads)
        if columns is not None and len(columns):
            best = np.where(best >= 0, columns[best], -1).astype(np.int32)
        return best, scores


def covariance_of(vectors: F32) -> F32:
    """Covariance of rows: float32 (d, d); zero for fewer than two."""
    centred = (vectors - vectors.mean(axis=0)).astype(np.float64)
    return np.asarray(centred.T @ centred / max(1, len(centred)), dtype=np.float32)

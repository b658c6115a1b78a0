"""Recommenders that score an item by a weighted sum over the user's items: one square matrix of item weights."""

from __future__ import annotations

import numpy as np
from scipy import sparse

from ml.arrays import F32, I32, Integers
from ml.recommenders.base import Recommender


class ItemWeightRecommender(Recommender):
    """Score = history @ item weights; a new user needs no refit.

    Learned:
        histories_: CSR float32 (n_users, n_items), what the model knows of each user.
        item_weights_: float32 (n_warm, n_warm) or CSR of that shape; entry (i, j): what having i says about j.
        warm_: int32 (n_warm,), rows of the items that the weights are about; others score below all of them.
    """

    histories_: sparse.csr_matrix
    item_weights_: F32 | sparse.csr_matrix
    warm_: I32

    def history_weights(self, histories: sparse.csr_matrix) -> sparse.csr_matrix:
        """The histories as the model sees them; default: the roots of the confidences.

        What two items have in common is a sum of products, to which a root brings each item's share.
        """
        return histories.sqrt()

    def score(self, user_rows: Integers) -> F32:
        """Scores of all items: float32 (len(user_rows), n_items)."""
        return self._scored(self.histories_[user_rows])

    def score_histories(self, histories: sparse.csr_matrix) -> F32:
        """Scores for users known only by their history."""
        return self._scored(self.history_weights(histories.astype(np.float32)))

    def _scored(self, histories: sparse.csr_matrix) -> F32:
        warm = histories[:, self.warm_] @ self.item_weights_
        warm = np.asarray(warm.todense() if sparse.issparse(warm) else warm, dtype=np.float32)
        n_items = len(self.item_ids_)
        if len(self.warm_) == n_items:
            return warm
        lowest = warm.min(axis=1, keepdims=True) if warm.shape[1] else np.zeros((len(warm), 1), np.float32)
        scores = np.repeat(np.minimum(lowest, 0.0), n_items, axis=1).astype(np.float32)
        scores[:, self.warm_] = warm
        return scores

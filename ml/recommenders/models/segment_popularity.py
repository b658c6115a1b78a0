"""Segment popularity: what people who share a feature with the user take more than others do."""

from __future__ import annotations

import numpy as np
from scipy import sparse

from ml.arrays import F32, Integers
from ml.dataset.weight_scale import WeightScaling
from ml.recommenders.models.popularity import Popularity
from ml.recommenders.training_data import TrainingData


class SegmentPopularity(Popularity):
    """Popularity within each user feature (segment, country, age …), averaged over the user's features.

    Without user features it is popularity.

    Args:
        smoothing: interactions of the whole population that are added to each feature's own.
        weight_scaling: how weights become confidences, see `ml.dataset.weight_scale`.

    Learned:
        user_features_: CSR float32 (n_users, n_features), rows summing to 1 or empty.
        feature_scores_: float32 (n_features, n_items), share of each item within the feature.
    """

    user_features_: sparse.csr_matrix
    feature_scores_: F32

    def __init__(self, smoothing: float = 100.0, weight_scaling: WeightScaling = "bm25") -> None:
        super().__init__(weight_scaling)
        self.smoothing = smoothing

    @property
    def ranks_for_everybody(self) -> bool:
        """A list for each feature of users."""
        return False

    @property
    def uses_user_features(self) -> bool:
        """A user's features say what they are shown."""
        return True

    def _fit(self, data: TrainingData) -> None:
        confidences = self._learn_confidences(data.interactions)
        sums = np.asarray(confidences.sum(axis=0), dtype=np.float32)[0]
        self.scores_ = sums / sums.sum()
        n_users = len(data.interactions.users)
        features = (
            sparse.csr_matrix((n_users, 0), dtype=np.float32)
            if data.user_features is None
            else data.user_features.matrix
        )
        lengths = np.maximum(np.diff(features.indptr), 1)
        self.user_features_ = (sparse.diags(1 / lengths, dtype=np.float32) @ features).tocsr()
        taken = np.asarray((features.T @ confidences).todense(), dtype=np.float32)
        total = taken.sum(axis=1, keepdims=True) + self.smoothing
        self.feature_scores_ = ((taken + self.smoothing * self.scores_) / total).astype(np.float32)

    def score(self, user_rows: Integers) -> F32:
        """Mean share over the user's features: float32 (len(user_rows), n_items)."""
        features = self.user_features_[user_rows]
        scores = np.asarray(features @ self.feature_scores_, dtype=np.float32)
        scores[np.diff(features.indptr) == 0] = self.scores_
        return scores

"""Popularity: what most people took, over all time or lately. The baseline that every candidate must beat."""

from __future__ import annotations

import numpy as np

from ml.arrays import F32, Integers
from ml.dataset.weight_scale import WeightScaling
from ml.recommenders.base import Recommender
from ml.recommenders.training_data import TrainingData

DAY_SECONDS = 86_400.0


class Popularity(Recommender):
    """The same items for everybody, by number of users, each of them with the confidence of the interaction.

    By default every user counts once. On page views and purchases, plays and hours that was better than every
    scaling of the weights, or within .001 of the best one: a few enthusiasts tell little of what others will take.

    Args:
        weight_scaling: how weights become confidences, see `ml.dataset.weight_scale`.

    Learned:
        scores_: float32 (n_items,).
    """

    scores_: F32

    def __init__(self, weight_scaling: WeightScaling = "binary") -> None:
        self.weight_scaling = weight_scaling

    @property
    def ranks_for_everybody(self) -> bool:
        """One list for all."""
        return True

    def _fit(self, data: TrainingData) -> None:
        confidences = self._learn_confidences(data.interactions)
        self.scores_ = np.asarray(confidences.sum(axis=0), dtype=np.float32)[0]

    def score(self, user_rows: Integers) -> F32:
        """The same scores for every user."""
        return np.repeat(self.scores_[None, :], len(user_rows), axis=0)

    def score_unknown(self) -> F32:
        """The same as for everybody."""
        return self.scores_


class Trending(Popularity):
    """Popularity that fades: an interaction counts half as much for each half-life before the newest one.

    Without timestamps every interaction is new, and it is popularity.

    Args:
        half_life_days: age at which an interaction counts half.
        window_days: older interactions don't count at all; None counts all.
        weight_scaling: how weights become confidences, see `ml.dataset.weight_scale`.
    """

    def __init__(
        self,
        half_life_days: float = 7.0,
        window_days: float | None = None,
        weight_scaling: WeightScaling = "binary",
    ) -> None:
        super().__init__(weight_scaling)
        self.half_life_days = half_life_days
        self.window_days = window_days

    def _fit(self, data: TrainingData) -> None:
        pairs = data.interactions
        if pairs.timestamps is None:
            super()._fit(data)
            return
        confidences = self._learn_confidences(pairs)
        age_days = (pairs.timestamps.max() - pairs.timestamps[pairs.weights > 0]) / DAY_SECONDS
        weights = np.exp2(-age_days / self.half_life_days) * confidences.data
        if self.window_days is not None:
            weights = weights * (age_days <= self.window_days)
        decayed = np.bincount(confidences.indices, weights=weights, minlength=len(pairs.items))
        # Items that nobody took lately keep the order of their all-time popularity, below all others.
        tail = pairs.item_counts / (1 + pairs.item_counts.sum()) * 1e-6
        self.scores_ = (decayed + tail).astype(np.float32)

"""Popularity: what most people took, over all time or lately. The baseline that every candidate must beat."""

from __future__ import annotations

import numpy as np

from ml.arrays import F32, Integers
from ml.recommenders.base import Recommender, TrainingData

DAY_SECONDS = 86_400.0


class Popularity(Recommender):
    """The same items for everybody, by number of users.

    Learned:
        scores_: float32 (n_items,).
    """

    scores_: F32

    @property
    def ranks_for_everybody(self) -> bool:
        """One list for all."""
        return True

    def _fit(self, data: TrainingData) -> None:
        self.scores_ = data.interactions.item_counts.copy()

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
    """

    def __init__(self, half_life_days: float = 7.0, window_days: float | None = None) -> None:
        self.half_life_days = half_life_days
        self.window_days = window_days

    def _fit(self, data: TrainingData) -> None:
        pairs = data.interactions
        if pairs.timestamps is None:
            super()._fit(data)
            return
        age_days = (pairs.timestamps.max() - pairs.timestamps) / DAY_SECONDS
        weights = np.exp2(-age_days / self.half_life_days) * (pairs.weights > 0)
        if self.window_days is not None:
            weights = weights * (age_days <= self.window_days)
        decayed = np.bincount(pairs.columns, weights=weights, minlength=len(pairs.items))
        # Items that nobody took lately keep the order of their all-time popularity, below all others.
        tail = pairs.item_counts / (1 + pairs.item_counts.sum()) * 1e-6
        self.scores_ = (decayed + tail).astype(np.float32)

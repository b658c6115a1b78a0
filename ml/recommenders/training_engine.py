"""Where models are fitted and lists are ranked: in this process, or by an engine that spreads the work."""

from __future__ import annotations

from typing import Protocol

import pyarrow as pa

from ml.recommenders.base import Recommender
from ml.recommenders.exclusions import recommend_without
from ml.recommenders.training_data import TrainingData


class TrainingEngine(Protocol):
    """What fits a recommender and ranks with it. Every engine gives the same rows."""

    def fit(self, recommender: Recommender, data: TrainingData) -> Recommender:
        """Fit on aligned data; returns the recommender."""
        ...

    def recommend(
        self,
        recommender: Recommender,
        users: pa.Array,
        k: int,
        candidates: pa.Array | None = None,
        exclusions: pa.Table | None = None,
    ) -> pa.Table:
        """Rank as `recommend_without` does: user_id, item_id, rank (1 is best), score, in the order of `users`."""
        ...


class LocalTraining:
    """The engine `local`: this process, with all its cores."""

    def fit(self, recommender: Recommender, data: TrainingData) -> Recommender:
        """Fit by the model itself."""
        return recommender.fit_aligned(data)

    def recommend(
        self,
        recommender: Recommender,
        users: pa.Array,
        k: int,
        candidates: pa.Array | None = None,
        exclusions: pa.Table | None = None,
    ) -> pa.Table:
        """Rank by `recommend_without`."""
        return recommend_without(recommender, users, k, candidates, exclusions).to_table()

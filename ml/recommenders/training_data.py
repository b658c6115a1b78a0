"""What recommenders are fitted on: interactions and features on common ids."""

from __future__ import annotations

from dataclasses import dataclass

from ml.dataset.feature_matrix import FeatureMatrix
from ml.dataset.interactions import Interactions


@dataclass(frozen=True)
class TrainingData:
    """Interactions and features on common ids, cold users and items included."""

    interactions: Interactions
    user_features: FeatureMatrix | None
    item_features: FeatureMatrix | None

    @classmethod
    def align(
        cls,
        interactions: Interactions,
        user_features: FeatureMatrix | None = None,
        item_features: FeatureMatrix | None = None,
    ) -> TrainingData:
        """Map the three to common ids: those of the interactions, then those that only have features."""
        users = interactions.users.union(user_features.ids) if user_features else interactions.users
        items = interactions.items.union(item_features.ids) if item_features else interactions.items
        return cls(
            interactions.aligned(users, items),
            user_features.aligned(users) if user_features else None,
            item_features.aligned(items) if item_features else None,
        )

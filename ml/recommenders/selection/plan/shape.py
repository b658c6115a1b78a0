"""What the interactions look like, in the few numbers that parameters and costs follow from."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ml.recommenders.models.sequences.ordered_histories import order_gain
from ml.recommenders.training_data import TrainingData


@dataclass(frozen=True)
class DataShape:
    """Sizes of training data.

    Attributes:
        n_users: users with a liked interaction.
        n_items: items with one.
        n_all_items: all items, those known by features alone included.
        n_pairs: liked interactions.
        user_products: sum of the squared lengths of histories: multiplications of all items with each other.
        item_products: sum of the squared counts of items: multiplications of all users with each other.
        item_mass: mean count of the item of an interaction. The diagonal of the items' products is this large
            where it matters, so that penalties which are added to it are given as multiples of it.
        item_features: entries of the items' features; 0 without.
        item_feature_names: features of which these are.
        user_features: entries of the users' features; 0 without.
        has_times: whether interactions happened at different times.
        has_weights: whether liked interactions differ in weight.
        order_gain: how much more often steps from an item to the next recur than chance has it, see `order_gain`.
    """

    n_users: int
    n_items: int
    n_all_items: int
    n_pairs: int
    user_products: int
    item_products: int
    item_mass: float
    item_features: int
    item_feature_names: int
    user_features: int
    has_times: bool
    has_weights: bool
    order_gain: float = 1.0

    @classmethod
    def of(cls, data: TrainingData) -> DataShape:
        """The shape of training data that has a liked interaction."""
        pairs = data.interactions
        lengths = np.diff(pairs.liked.indptr).astype(np.float64)
        counts = pairs.item_counts.astype(np.float64)
        n_pairs = int(counts.sum())
        liked = pairs.weights[pairs.weights > 0]
        times = pairs.timestamps
        return cls(
            n_users=int((lengths > 0).sum()),
            n_items=int((counts > 0).sum()),
            n_all_items=len(pairs.items),
            n_pairs=n_pairs,
            user_products=int((lengths**2).sum()),
            item_products=int((counts**2).sum()),
            item_mass=float((counts**2).sum() / n_pairs),
            item_features=0 if data.item_features is None else int(data.item_features.matrix.nnz),
            item_feature_names=0 if data.item_features is None else len(data.item_features.names),
            user_features=0 if data.user_features is None else int(data.user_features.matrix.nnz),
            has_times=times is not None and bool(times.min() < times.max()),
            has_weights=bool(liked.min() < liked.max()),
            order_gain=order_gain(pairs),
        )

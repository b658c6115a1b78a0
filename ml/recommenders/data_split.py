"""Training data and the interactions that a model trained on it is measured by."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ml.dataset.interactions import Interactions
from ml.evaluation.splits import split
from ml.recommenders.training_data import TrainingData


@dataclass(frozen=True)
class DataSplit:
    """Training data with its features, and the interactions that are held back from it.

    Attributes:
        train: What models are fitted on.
        test: The interactions that followed. They have ids of their own, and no pair of the training data is among
            them: a pair that was active on both sides of a split is held back whole.
        warnings: What the split cannot promise.
    """

    train: TrainingData
    test: Interactions
    warnings: tuple[str, ...] = ()

    @classmethod
    def of(cls, data: TrainingData, kind: str, seed: int = 0, **options: float) -> DataSplit:
        """Split the interactions of training data; the features stay as they are.

        Args:
            data: All interactions and features.
            kind: Name of the split, see `ml.evaluation.splits`.
            seed: Seed of the splits that draw at random.
            options: Further arguments of the split.

        Raises:
            EmptySplitError: One of the two sides would be empty.
            ValueError: The split is unknown, or needs timestamps that the data does not have.
        """
        parts = split(data.interactions, kind, seed, **options)
        return cls(TrainingData(parts.train, data.user_features, data.item_features), parts.test, parts.warnings)

    def sample_users(self, n_users: int, seed: int = 0) -> DataSplit:
        """Keep the interactions of `n_users` users drawn at random, or all where no more have any."""
        pairs, test = self.train.interactions, self.test
        users = pairs.users.union(test.users)
        train_user, test_user = users.rows(pairs.users.values), users.rows(test.users.values)
        active = np.unique(np.concatenate([train_user[pairs.rows], test_user[test.rows]]))
        if len(active) <= n_users:
            return self
        is_drawn = np.zeros(len(users), bool)
        is_drawn[np.random.default_rng(seed).choice(active, n_users, replace=False)] = True
        train = replace(self.train, interactions=pairs.select(is_drawn[train_user][pairs.rows]))
        return replace(self, train=train, test=test.select(is_drawn[test_user][test.rows]))

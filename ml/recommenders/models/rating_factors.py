"""Matrix factorisation of ratings with biases, by stochastic gradient descent (Koren, Bell, Volinsky 2009)."""

from __future__ import annotations

from typing import Self

import numpy as np
from scipy import sparse

from ml.arrays import F32, F64, I32, Integers
from ml.dataset.interactions import Interactions
from ml.dataset.ratings import RatingReading
from ml.recommenders.base import Recommender
from ml.recommenders.models.als import Factorize
from ml.recommenders.training_data import TrainingData

SPREAD = 1.126  # standard deviation of ml-100k's ratings, on which the learning rate and the penalty were chosen
BIAS_PASSES = 10  # of biases that are found before the factors; they stand still after five
BATCH = 2_048  # ratings a step; entries that meet in a step are summed, and the step stays small


class RatingFactors(Recommender):
    """Predicts the rating: mean + bias of the user + bias of the item + product of their factors.

    It orders items by how well they would be liked, not by how likely they are to be taken: judge it by RMSE.
    Without ratings it learns from the weights. Ratings are divided by their spread while they are learned, so that
    the parameters suit any scale.

    Args:
        n_factors, epochs, learning_rate: of the descent.
        regularization: L2 penalty of all parameters.
        seed: of the start and the order.

    Learned:
        mean_: mean rating; lowest_, highest_: range of the ratings, which predictions are kept in.
        user_biases_, item_biases_: float32 (n,); user_vectors_, item_vectors_: float32 (n, d).
    """

    def __init__(
        self,
        n_factors: int = 64,
        epochs: int = 40,
        learning_rate: float = 0.01,
        regularization: float = 0.09,
        seed: int = 0,
    ) -> None:
        self.n_factors = n_factors
        self.epochs = epochs
        self.learning_rate = learning_rate
        self.regularization = regularization
        self.seed = seed

    @property
    def ignores_weights(self) -> bool:
        """No: it learns from the ratings, or from the weights where there are none."""
        return False

    def _fit(self, data: TrainingData) -> None:
        pairs = data.interactions
        ratings, rows, columns = _rated(pairs)
        random = np.random.default_rng(self.seed)
        self.mean_ = float(ratings.mean(dtype=np.float64))
        self.lowest_, self.highest_ = float(ratings.min()), float(ratings.max())
        self.user_biases_ = np.zeros(len(pairs.users), np.float32)
        self.item_biases_ = np.zeros(len(pairs.items), np.float32)
        self.user_vectors_ = random.normal(0, 0.05, (len(pairs.users), self.n_factors)).astype(np.float32)
        self.item_vectors_ = random.normal(0, 0.05, (len(pairs.items), self.n_factors)).astype(np.float32)
        self.item_vectors_[pairs.item_counts == 0] = 0
        unit = float(ratings.std(dtype=np.float64)) / SPREAD or 1.0
        steps = ((ratings - self.mean_) / unit).astype(np.float32)
        for _ in range(self.epochs):
            order = random.permutation(len(ratings))
            for start in range(0, len(order), BATCH):
                chosen = order[start : start + BATCH]
                self._step(rows[chosen], columns[chosen], steps[chosen])
        self.user_biases_ *= unit
        self.item_biases_ *= unit
        self.user_vectors_ *= np.sqrt(unit)
        self.item_vectors_ *= np.sqrt(unit)

    def fit_by(self, data: TrainingData, factorize: Factorize) -> Self:
        """`fit_aligned` with the vectors of another solver, for what the biases leave of the ratings.

        Args:
            data: Aligned interactions.
            factorize: Is given what the mean and the biases leave of each rating, in the unit of SPREAD, and finds
                the vectors whose products are nearest to it, with the penalty `regularization` for each rating.

        Raises:
            NotFiniteError: The vectors hold a value that is not finite.
        """
        self.take_ids(data)
        pairs = data.interactions
        ratings, rows, columns = _rated(pairs)
        shape = (len(pairs.users), len(pairs.items))
        self.mean_ = float(ratings.mean())
        self.lowest_, self.highest_ = float(ratings.min()), float(ratings.max())
        unit = float(ratings.std(dtype=np.float64)) / SPREAD or 1.0
        steps = (ratings.astype(np.float64) - self.mean_) / unit
        by_user, by_item = np.zeros(shape[0]), np.zeros(shape[1])
        for _ in range(BIAS_PASSES):
            by_item = _shrunk_means(steps - by_user[rows], columns, shape[1], self.regularization)
            by_user = _shrunk_means(steps - by_item[columns], rows, shape[0], self.regularization)
        left = (steps - by_user[rows] - by_item[columns]).astype(np.float32)
        users, items = factorize(sparse.csr_matrix((left, (rows, columns)), shape))
        self.user_biases_, self.item_biases_ = (
            (unit * by_user).astype(np.float32),
            (unit * by_item).astype(np.float32),
        )
        self.user_vectors_, self.item_vectors_ = np.sqrt(unit) * users, np.sqrt(unit) * items
        self._check_finite()
        return self

    def _step(self, u: I32, i: I32, ratings: F32) -> None:
        rate, penalty = self.learning_rate, self.regularization
        p, q = self.user_vectors_[u], self.item_vectors_[i]
        error = ratings - (self.user_biases_[u] + self.item_biases_[i] + (p * q).sum(axis=1))
        np.add.at(self.user_biases_, u, rate * (error - penalty * self.user_biases_[u]))
        np.add.at(self.item_biases_, i, rate * (error - penalty * self.item_biases_[i]))
        np.add.at(self.user_vectors_, u, rate * (error[:, None] * q - penalty * p))
        np.add.at(self.item_vectors_, i, rate * (error[:, None] * p - penalty * q))

    def predict(self, user_rows: I32, item_rows: I32) -> F32:
        """Ratings of pairs, rows -1 for unknown users or items: float32 (n,), inside the range of the training."""
        user, item = user_rows >= 0, item_rows >= 0
        ratings = np.full(len(user_rows), self.mean_, np.float32)
        ratings += np.where(user, self.user_biases_[user_rows], 0)
        ratings += np.where(item, self.item_biases_[item_rows], 0)
        both = (self.user_vectors_[user_rows] * self.item_vectors_[item_rows]).sum(axis=1)
        return np.clip(ratings + np.where(user & item, both, 0), self.lowest_, self.highest_).astype(np.float32)

    def score(self, user_rows: Integers) -> F32:
        """Predicted ratings of all items."""
        product = self.user_vectors_[user_rows] @ self.item_vectors_.T
        return np.asarray(
            product + self.item_biases_ + (self.user_biases_[user_rows] + self.mean_)[:, None], np.float32
        )

    def score_unknown(self) -> F32:
        """What the mean user would rate."""
        return np.asarray(self.item_biases_ + self.mean_, dtype=np.float32)


def _shrunk_means(values: F64, groups: I32, n_groups: int, penalty: float) -> F64:
    """Mean of each group's values (n,), drawn to zero by a penalty for each of them: (n_groups,)."""
    counts = np.bincount(groups, minlength=n_groups)
    return np.asarray(np.bincount(groups, values, n_groups) / (np.maximum(counts, 1) * (1 + penalty)))


def _rated(pairs: Interactions) -> tuple[F32, I32, I32]:
    """Ratings of the pairs that have one, or weights where there are no ratings, and their rows and columns."""
    if pairs.ratings is None:
        return pairs.weights, pairs.rows, pairs.columns
    rated = RatingReading.learn(pairs).is_rated(pairs)
    return pairs.ratings[rated], pairs.rows[rated], pairs.columns[rated]

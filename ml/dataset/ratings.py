"""Ratings as signals of taste: what was liked, how much, and what was rejected.

A row of a table of ratings says two things: that somebody took the item, and what they thought of it. Both count.
On ml-100k, ALS, EASE and SVD ranked better with the weights made here than from the rows alone, whether all that
people took later was to be found (NDCG@10 of ALS .494 instead of .489) or what they rated 4 or 5 (.429 instead of
.391).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy import sparse

from ml.arrays import F64, Bools
from ml.dataset.interactions import Interactions
from ml.errors import InvalidInputError

REJECTED_SHARE = 0.25  # of the scale: lower ratings are rejections, as 1 is of 1 to 5
LEAST_REJECTED_SHARE = 0.125  # of the scale: even of somebody who gives low ratings to everything
DOUBLING_SHARE = 0.25  # of the scale: so much above one's mean doubles the weight
MEAN_RATINGS = 5  # ratings of the overall mean that are added to those of each user
COUNT_SHARE = 0.05  # counts have a long tail: half of them lie in so small a share of their range
LEAST_COUNTED = 10  # the largest count is more; scales up to here are scales
UNRATED_SHARE, UNRATED_TIMES = 0.3, 3  # of zeros, and how many times as many they are as the lowest rating


@dataclass(frozen=True)
class RatingReading:
    """How ratings say what was liked, learned from those of the training.

    Attributes:
        kind: `scale`; `counts`, where the column holds numbers such as plays, which are weights; `constant`, where
            all ratings are the same and say nothing.
        lowest: Lowest rating.
        highest: Highest rating.
        mean: Mean rating.
        liked_from: The rating from which items are liked, for everybody; None: by the scale and the user's mean.
        unrated: What stands for an interaction without a rating, outside of the scale; None if nothing does.
    """

    kind: str
    lowest: float
    highest: float
    mean: float
    liked_from: float | None = None
    unrated: float | None = None

    @classmethod
    def learn(cls, pairs: Interactions, liked_from: float | None = None) -> RatingReading:
        """Recognize what the ratings are.

        Args:
            pairs: Interactions with ratings.
            liked_from: The rating from which items are liked; None: by the scale and the user's mean.

        Raises:
            InvalidInputError: There are no ratings, or none of them is liked.
        """
        if pairs.ratings is None or not pairs.n_pairs:
            raise InvalidInputError("there are no ratings to read what was liked from")
        ratings = pairs.ratings.astype(np.float64)
        if liked_from is not None and not (ratings >= liked_from).any():
            raise InvalidInputError(f"no rating is {liked_from:g} or more: they go up to {ratings.max():g}")
        unrated = None if liked_from is not None else _mark_of_unrated(ratings)
        rated = ratings if unrated is None else ratings[ratings != unrated]
        kind = "scale"
        if rated.min() == rated.max() and liked_from is None:
            kind = "constant"
        elif liked_from is None and _are_counts(rated):
            kind = "counts"
        lowest, highest, mean = float(rated.min()), float(rated.max()), float(rated.mean())
        return cls(kind, lowest, highest, mean, liked_from, unrated)

    def is_rated(self, pairs: Interactions) -> Bools:
        """Which pairs have a rating: bool (n_pairs,)."""
        assert pairs.ratings is not None
        return np.ones(pairs.n_pairs, bool) if self.unrated is None else np.asarray(pairs.ratings != self.unrated)

    def user_means(self, pairs: Interactions) -> F64:
        """Mean rating of each user, with some ratings of the overall mean: float64 (n_users,)."""
        assert pairs.ratings is not None
        rated = self.is_rated(pairs)
        rows, n_users = pairs.rows[rated], len(pairs.users)
        sums = np.bincount(rows, pairs.ratings[rated].astype(np.float64), minlength=n_users)
        numbers = np.bincount(rows, minlength=n_users)
        return np.asarray((sums + MEAN_RATINGS * self.mean) / (numbers + MEAN_RATINGS))

    def thresholds(self, user_means: F64) -> F64:
        """The rating from which users of these means like an item: float64 (n_users,)."""
        if self.liked_from is not None:
            return np.full(len(user_means), self.liked_from)
        if self.lowest < 0 < self.highest:  # the sign says it
            return np.full(len(user_means), np.finfo(np.float32).tiny)
        width = self.highest - self.lowest
        floor, ceiling = self.lowest + LEAST_REJECTED_SHARE * width, self.lowest + REJECTED_SHARE * width
        return np.clip(user_means, floor, ceiling)

    def weigh(self, pairs: Interactions, past: Interactions | None = None) -> Interactions:
        """The same pairs, weighed by their ratings: what was rejected gets a negative weight.

        A liked pair weighs 1 at the user's mean rating, and twice as much for every quarter of the scale above it.
        A pair that has a weight already keeps it as a factor, and one that was rejected already stays so.

        Args:
            pairs: Interactions with ratings.
            past: Interactions that the means of the users are taken from, instead of from `pairs`; a user without
                a past has the overall mean.

        Raises:
            InvalidInputError: `pairs` have no ratings.
        """
        if self.kind == "constant":
            return pairs
        if pairs.ratings is None:
            raise InvalidInputError("there are no ratings to read what was liked from")
        value = (
            np.maximum(pairs.ratings.astype(np.float64), 0) if self.kind == "counts" else self._value(pairs, past)
        )
        weights = pairs.weights.astype(np.float64)
        signed = np.where(weights < 0, weights, weights * value).astype(np.float32)
        matrix = sparse.csr_matrix((signed, pairs.matrix.indices, pairs.matrix.indptr), pairs.matrix.shape)
        return replace(pairs, matrix=matrix)

    def _value(self, pairs: Interactions, past: Interactions | None) -> F64:
        """Weight of each pair on a scale: positive where it is liked, negative where it is rejected."""
        assert pairs.ratings is not None
        means = self.user_means(pairs if past is None else past)
        if past is not None:
            rows = past.users.rows(pairs.users.values)
            means = np.where(rows >= 0, means[rows], self.mean)
        thresholds = self.thresholds(means)[pairs.rows]
        given = pairs.ratings.astype(np.float64)
        ratings = np.clip(given, self.lowest, self.highest)
        step = DOUBLING_SHARE * (self.highest - self.lowest) or 1.0
        liked = np.exp2((ratings - means[pairs.rows]) / step)
        # Not the clipped rating: `liked_from` may lie outside of the scale of the training.
        value = np.where(given >= thresholds, liked, -1.0)
        if self.liked_from is None and self.lowest < 0 < self.highest:
            value[ratings == 0] = 0
        return np.where(self.is_rated(pairs), value, 1.0)

    def describe(self) -> str:
        """A sentence that says how the ratings are read."""
        scale = f"ratings from {self.lowest:g} to {self.highest:g}"
        unrated = "" if self.unrated is None else f"; {self.unrated:g} is not a rating"
        if self.kind == "constant":
            return f"all ratings are {self.lowest:g}, which says nothing of taste{unrated}"
        if self.kind == "counts":
            return f"{scale} are counts, which are read as weights{unrated}; --liked-from reads them as ratings"
        if self.liked_from is not None:
            return f"{scale}: liked from {self.liked_from:g}, lower ones are rejections"
        if self.lowest < 0 < self.highest:
            return f"{scale}: liked above 0, rejections below it{unrated}"
        lowest = self.lowest + REJECTED_SHARE * (self.highest - self.lowest)
        return (
            f"{scale}: liked from {lowest:g}, lower ones are rejections{unrated}; --liked-from sets another limit"
        )


def _mark_of_unrated(ratings: F64) -> float | None:
    """What stands outside of a scale that begins above it, as in tables that hold rated and other rows.

    It is -1 below a scale that begins at 1 and has no zero, or 0 where it is far more frequent than the lowest
    rating: a scale may begin at 0.
    """
    mark = ratings.min()
    values, counts = np.unique(ratings[ratings != mark], return_counts=True)
    if mark not in (0, -1) or len(values) < UNRATED_TIMES or values[0] <= 0:
        return None
    is_mark = ratings == mark
    if mark == 0 and (is_mark.mean() < UNRATED_SHARE or is_mark.sum() <= UNRATED_TIMES * counts[0]):
        return None
    return float(mark) if mark == 0 or values[0] >= 1 else None


def _are_counts(ratings: F64) -> bool:
    """Whether numbers are whole, begin at 0 or 1, and have the long tail of counts."""
    lowest, highest = ratings.min(), ratings.max()
    if lowest not in (0, 1) or highest <= LEAST_COUNTED or (ratings != np.round(ratings)).any():
        return False
    return bool(np.median(ratings) <= lowest + COUNT_SHARE * (highest - lowest))

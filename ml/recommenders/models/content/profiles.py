"""Content: items that resemble what the user took, by TF-IDF of features or by given vectors."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from scipy import sparse

from ml.arrays import F32, Integers
from ml.dataset.feature_matrix import FeatureMatrix
from ml.dataset.interactions import Interactions
from ml.dataset.weight_scale import WeightScaling
from ml.errors import TesseraError
from ml.recommenders.base import Recommender
from ml.recommenders.factors import FactorRecommender
from ml.recommenders.models.svd import leading_directions
from ml.recommenders.models.vectors import read_vectors, unit_rows
from ml.recommenders.training_data import TrainingData

DAY_SECONDS = 86_400.0


class NoContentError(TesseraError, ValueError):
    """A content model was fitted without item features or vectors."""


class TfidfContent(Recommender):
    """Cosine between an item's TF-IDF vector and the sum of those of the user's items.

    Args:
        half_life_days: an item of the history counts half at this age; None: all count the same.
        weight_scaling: how weights become confidences, see `ml.dataset.weight_scale`.

    Learned:
        item_vectors_: CSR float32 (n_items, n_features), rows of length 1.
        profiles_: CSR float32 (n_users, n_features), rows of length 1 or empty.
    """

    item_vectors_: sparse.csr_matrix
    profiles_: sparse.csr_matrix

    def __init__(self, half_life_days: float | None = None, weight_scaling: WeightScaling = "bm25") -> None:
        self.half_life_days = half_life_days
        self.weight_scaling = weight_scaling

    @property
    def uses_item_features(self) -> bool:
        """Nothing is learned without them."""
        return True

    def _fit(self, data: TrainingData) -> None:
        self.item_vectors_ = tfidf(item_features_of(data))
        confidences = self._learn_confidences(data.interactions)
        histories = decayed_histories(data.interactions, confidences, self.half_life_days)
        self.profiles_ = unit_sparse_rows(histories @ self.item_vectors_)

    def score(self, user_rows: Integers) -> F32:
        """Cosines with all items: float32 (len(user_rows), n_items)."""
        return _dense(self.profiles_[user_rows] @ self.item_vectors_.T)

    def score_histories(self, histories: sparse.csr_matrix) -> F32:
        """Cosines for users known only by their history."""
        return _dense(unit_sparse_rows(histories @ self.item_vectors_) @ self.item_vectors_.T)


class TagAffinity(Recommender):
    """Naive Bayes on features: how much more often than others does this user take items of such features?

    The score is the mean over the item's features of log(share with the user / share overall), the user's
    shares smoothed by the overall ones.

    Args:
        smoothing: weight of the overall shares, in features.
        half_life_days: as `TfidfContent`.
        summed: the sum over the features in place of the mean.
        weight_scaling: how weights become confidences, see `ml.dataset.weight_scale`.
    """

    def __init__(
        self,
        smoothing: float = 5.0,
        half_life_days: float | None = None,
        summed: bool = False,
        weight_scaling: WeightScaling = "bm25",
    ) -> None:
        self.smoothing = smoothing
        self.half_life_days = half_life_days
        self.summed = summed
        self.weight_scaling = weight_scaling

    @property
    def uses_item_features(self) -> bool:
        """Nothing is learned without them."""
        return True

    def _fit(self, data: TrainingData) -> None:
        features = item_features_of(data).matrix
        confidences = self._learn_confidences(data.interactions)
        counts = np.asarray(features.T @ np.asarray(confidences.sum(axis=0))[0]) + 0.5
        self.shares_ = (counts / counts.sum()).astype(np.float32)
        scale = np.ones(features.shape[0]) if self.summed else 1 / np.maximum(np.diff(features.indptr), 1)
        self.item_features_ = (sparse.diags(scale, dtype=np.float32) @ features).tocsr()
        self.carried_ = features
        histories = decayed_histories(data.interactions, confidences, self.half_life_days)
        self.profiles_ = (histories @ features).tocsr()

    def score(self, user_rows: Integers) -> F32:
        """Log lifts of all items: float32 (len(user_rows), n_items)."""
        return self._scored(self.profiles_[user_rows])

    def score_histories(self, histories: sparse.csr_matrix) -> F32:
        """Log lifts for users known only by their history."""
        return self._scored((histories @ self.carried_).tocsr())

    def _scored(self, profiles: sparse.csr_matrix) -> F32:
        counts = _dense(profiles)
        total = counts.sum(axis=1, keepdims=True)
        lift = np.log((counts + self.smoothing * self.shares_) / (total + self.smoothing) / self.shares_)
        return np.asarray((self.item_features_ @ lift.T).T, dtype=np.float32)


class VectorContent(FactorRecommender):
    """Cosine with given vectors of the items: sentence embeddings, or a low-rank picture of the features.

    Args:
        vectors_file: Parquet or NumPy file of vectors, see `read_vectors`; None: the features' TF-IDF, reduced.
        n_factors: size of the reduced vectors.
        half_life_days: as `TfidfContent`.
        weight_scaling: how weights become confidences, see `ml.dataset.weight_scale`.
        seed: of the reduction.
    """

    def __init__(
        self,
        vectors_file: str | None = None,
        n_factors: int = 48,
        half_life_days: float | None = None,
        weight_scaling: WeightScaling = "bm25",
        seed: int = 0,
    ) -> None:
        self.vectors_file = vectors_file
        self.n_factors = n_factors
        self.half_life_days = half_life_days
        self.weight_scaling = weight_scaling
        self.seed = seed

    @property
    def uses_item_features(self) -> bool:
        """Whether there are no other vectors."""
        return self.vectors_file is None

    def _fit(self, data: TrainingData) -> None:
        confidences = self._learn_confidences(data.interactions)
        histories = decayed_histories(data.interactions, confidences, self.half_life_days)
        if self.vectors_file is not None:
            vectors = read_vectors(Path(self.vectors_file), data.interactions.items)
        else:
            vectors = reduced_features(item_features_of(data), histories, self.n_factors, self.seed)
        self.item_factors_ = unit_rows(vectors)
        self.user_factors_ = unit_rows(np.asarray(histories @ self.item_factors_, dtype=np.float32))
        self.unknown_user_ = self.user_factors_.mean(axis=0)
        self.fold_in_weight_, self.fold_in_regularization_ = 0.0, 0.0

    def fold_in_histories(self, histories: sparse.csr_matrix) -> F32:
        """Vectors of new users: the mean of their items."""
        vectors = unit_rows(np.asarray(histories @ self.item_factors_, dtype=np.float32))
        vectors[np.diff(histories.indptr) == 0] = self.unknown_user_
        return vectors


def item_features_of(data: TrainingData) -> FeatureMatrix:
    """The item features. Raises NoContentError where there are none."""
    if data.item_features is None or not data.item_features.matrix.nnz:
        raise NoContentError("a content model needs item features")
    return data.item_features


def tfidf(features: FeatureMatrix) -> sparse.csr_matrix:
    """Features weighted by how rare they are, rows of length 1: CSR float32 (n_items, n_features)."""
    n_items, _ = features.matrix.shape
    counts = np.asarray(features.matrix.sum(axis=0)).ravel()
    return unit_sparse_rows(features.matrix @ sparse.diags(np.log((n_items + 1) / (counts + 1)) + 1e-3))


def decayed_histories(
    pairs: Interactions, confidences: sparse.csr_matrix, half_life_days: float | None
) -> sparse.csr_matrix:
    """Confidences of the liked pairs, halved for every half-life before the newest interaction of all."""
    if half_life_days is None or pairs.timestamps is None:
        return confidences
    age_days = (pairs.timestamps.max() - pairs.timestamps[pairs.weights > 0]) / DAY_SECONDS
    weights = (confidences.data * np.exp2(-age_days / half_life_days)).astype(np.float32)
    return sparse.csr_matrix((weights, confidences.indices, confidences.indptr), confidences.shape)


def reduced_features(features: FeatureMatrix, histories: sparse.csr_matrix, n_factors: int, seed: int) -> F32:
    """Item vectors (n_items, d) from features that the same users are drawn to: SVD of the users' profiles.

    A feature that never occurs with another in one item still comes close to it if the same people take both.
    """
    vectors = tfidf(features)
    profiles = unit_sparse_rows(histories @ vectors).astype(np.float64)
    rank = min(n_factors, min(profiles.shape) - 1)
    return np.asarray(vectors @ leading_directions(profiles, rank, seed), dtype=np.float32)


def unit_sparse_rows(matrix: sparse.csr_matrix) -> sparse.csr_matrix:
    """CSR float32 with rows of length 1; empty rows stay empty."""
    lengths = np.sqrt(np.asarray(matrix.multiply(matrix).sum(axis=1)).ravel())
    return (sparse.diags(1 / np.where(lengths > 0, lengths, 1)) @ matrix).tocsr().astype(np.float32)


def _dense(matrix: sparse.csr_matrix) -> F32:
    return np.asarray(matrix.todense(), dtype=np.float32)

"""Regression between features: what the items that people took say of the features of those they take next."""

from __future__ import annotations

import numpy as np
from scipy import linalg, sparse

from ml.arrays import F32, F64, Integers
from ml.dataset.feature_matrix import FeatureMatrix
from ml.dataset.weight_scale import WeightScaling
from ml.recommenders.base import Recommender
from ml.recommenders.models.content.profiles import item_features_of, tfidf
from ml.recommenders.training_data import TrainingData

MOST_FEATURES = 2_000  # the most frequent take part: two square matrices of them are solved
FOLDS = 5  # of the items
ROWS_AT_ONCE = 4_096  # users, each with a dense row of all features


class ContentRegression(Recommender):
    """Score = profile of the user @ weights @ vector of the item, a bilinear form learned by ridge regression.

    Affinities to features only see a feature that the user has met. Here every feature of a profile speaks for and
    against every feature of an item: who answers on survival curves answers on censoring too. The items are dealt
    into folds; those of one fold are predicted from the profile without them, as if they were new, with
    1 for what the user took and 0 for the rest. The normal equations of this separate into one side for profiles
    and one for items, since every user is compared on all items. Every user counts by the root of what they took.

    Args:
        user_penalty: ridge on the side of the profiles, whose squared length is 1.
        item_penalty: ridge on the side of the items, as a multiple of the mean variance of their vectors' entries.
        weight_scaling: how weights become confidences, see `ml.dataset.weight_scale`.
        seed: of the folds.

    Learned:
        item_vectors_: CSR float32 (n_items, n_features), TF-IDF of the features, rows of length 1 or empty.
        carried_: CSR float32 (n_items, n_features), the features as they are.
        profiles_: CSR float32 (n_users, n_features), roots of the features' shares in the user's items.
        weights_: float32 (n_features, n_features).
        intercept_: float32 (n_features,), what is taken by everybody.
    """

    item_vectors_: sparse.csr_matrix
    carried_: sparse.csr_matrix
    profiles_: sparse.csr_matrix
    weights_: F32
    intercept_: F32

    def __init__(
        self,
        user_penalty: float = 30.0,
        item_penalty: float = 1.0,
        weight_scaling: WeightScaling = "bm25",
        seed: int = 0,
    ) -> None:
        self.user_penalty = user_penalty
        self.item_penalty = item_penalty
        self.weight_scaling = weight_scaling
        self.seed = seed

    @property
    def uses_item_features(self) -> bool:
        """Nothing is learned without them."""
        return True

    def _fit(self, data: TrainingData) -> None:
        features = _most_frequent(item_features_of(data))
        self.carried_, self.item_vectors_ = features.matrix.astype(np.float32), tfidf(features)
        confidences = self._learn_confidences(data.interactions)
        self.profiles_ = self._profiles(confidences)
        n_items, d = features.matrix.shape
        vectors = self.item_vectors_.astype(np.float64)
        mean = np.asarray(vectors.mean(axis=0)).ravel()
        fold_of = np.random.default_rng(self.seed).integers(0, FOLDS, n_items)
        products, targets = np.zeros((d + 1, d + 1)), np.zeros((d + 1, d))
        for fold in range(FOLDS):
            past, future = (
                (confidences @ sparse.diags(is_side.astype(np.float32))).tocsr()
                for is_side in (fold_of != fold, fold_of == fold)
            )
            taken = np.asarray(future.sum(axis=1)).ravel().astype(np.float64)
            compared = np.flatnonzero((taken > 0) & (np.asarray(past.sum(axis=1)).ravel() > 0))
            for start in range(0, len(compared), ROWS_AT_ONCE):
                rows = compared[start : start + ROWS_AT_ONCE]
                x = _with_ones(self._profiles(past[rows]))
                targeted = np.asarray((sparse.diags(taken[rows] ** -0.5) @ future[rows] @ vectors).todense())
                products += np.asarray((x.T @ x).todense())
                targets += x.T @ (targeted - np.sqrt(taken[rows])[:, None] * mean)
        covariance = np.asarray((vectors.T @ vectors).todense()) / n_items - np.outer(mean, mean)
        left = _solved(products, self.user_penalty, targets)
        both = _solved(covariance, self.item_penalty * float(np.trace(covariance)) / d, left.T).T
        self.weights_, self.intercept_ = both[:-1].astype(np.float32), both[-1].astype(np.float32)

    def score(self, user_rows: Integers) -> F32:
        """Scores of all items: float32 (len(user_rows), n_items)."""
        return self._scored(self.profiles_[user_rows])

    def score_unknown(self) -> F32:
        """Score all items by what everybody takes."""
        return np.asarray(self.item_vectors_ @ self.intercept_, dtype=np.float32)

    def score_histories(self, histories: sparse.csr_matrix) -> F32:
        """Scores for users known only by their history."""
        return self._scored(self._profiles(histories))

    def _profiles(self, histories: sparse.csr_matrix) -> sparse.csr_matrix:
        counts = (histories @ self.carried_).tocsr()
        sums = np.asarray(counts.sum(axis=1)).ravel()
        return (sparse.diags(1 / np.where(sums > 0, sums, 1)) @ counts).tocsr().sqrt().astype(np.float32)

    def _scored(self, profiles: sparse.csr_matrix) -> F32:
        features = np.asarray(profiles @ self.weights_) + self.intercept_
        return np.asarray((self.item_vectors_ @ features.T).T, dtype=np.float32)


def _most_frequent(features: FeatureMatrix) -> FeatureMatrix:
    """The matrix with its most frequent columns, of equal ones the first."""
    counts = np.bincount(features.matrix.indices, minlength=features.matrix.shape[1])
    is_kept = np.zeros(len(counts), bool)
    is_kept[np.argsort(-counts, kind="stable")[:MOST_FEATURES]] = True
    return features.select(is_kept)


def _with_ones(profiles: sparse.csr_matrix) -> sparse.csr_matrix:
    return sparse.hstack([profiles, np.ones((profiles.shape[0], 1))], format="csr", dtype=np.float64)


def _solved(products: F64, penalty: float, targets: F64) -> F64:
    """Solution of the ridge regression with these products: (d, n)."""
    ridge = products + (penalty + 1e-9) * np.eye(len(products))
    return np.asarray(linalg.solve(ridge, targets, assume_a="pos"))

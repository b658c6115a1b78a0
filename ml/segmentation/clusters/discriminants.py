"""Refine k-means segments along the directions in which they differ most.

Principal components weigh all features alike. Once rough segments exist, features that vary much within them can
be downweighted: fit discriminants to the segments, run k-means in their space, and repeat. Source: Ding and Li,
"Adaptive dimension reduction using discriminant analysis and k-means clustering", ICML 2007.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.metrics import adjusted_rand_score

from ml.arrays import F64, I64
from ml.segmentation.clusters.algorithms import NOISE, KMeansSegments
from ml.segmentation.persistence import persistable

ROUNDS = 3  # simulated segments stop moving after two rounds
MINIMUM_AGREEMENT = 0.6  # adjusted Rand index; refinement may move the borders of segments, not replace them


@persistable
class Discriminants(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Fisher's linear discriminants, scaled so that the spread within segments is 1 in every direction.

    Args:
        shrinkage: share of the covariance within segments that is replaced by its average variance.

    Attributes:
        mean_: means, (d,).
        components_: directions, (min(d, k - 1), d).
    """

    def __init__(self, shrinkage: float = 0.05) -> None:
        self.shrinkage = shrinkage

    def fit(self, X: F64, y: I64) -> Discriminants:
        """Learn from X (n_users, d) and the users' segments y (n_users,); noise is left out."""
        inside = y != NOISE
        X, y = X[inside], y[inside]
        segments, counts = np.unique(y, return_counts=True)
        self.mean_ = X.mean(axis=0)
        means = np.stack([X[y == segment].mean(axis=0) for segment in segments])
        residual = X - means[np.searchsorted(segments, y)]
        within = residual.T @ residual / len(X)
        average = np.trace(within) / len(within)
        within = (1 - self.shrinkage) * within + self.shrinkage * max(average, 1e-12) * np.eye(len(within))
        values, vectors = np.linalg.eigh(within)
        whiten = vectors / np.sqrt(np.maximum(values, 1e-12))
        between = (means - self.mean_) @ whiten * np.sqrt(counts / len(X))[:, None]
        _, _, directions = np.linalg.svd(between, full_matrices=False)
        self.components_ = directions[: max(1, min(X.shape[1], len(segments) - 1))] @ whiten.T
        return self

    def transform(self, X: F64) -> F64:
        """Project X (n_users, d) onto the directions (n_users, n_directions)."""
        return np.asarray((X - self.mean_) @ self.components_.T)


def refine_segments(X: F64, model: KMeansSegments, labels: I64, seed: int) -> tuple[Discriminants, Any] | None:
    """Refine k-means segments, or return None if that would replace them by different ones.

    Args:
        X: prepared features (n_users, d), before principal components.
        model: the k-means model that produced `labels`, whose parameters are reused.
        labels: segment index of each user (n_users,).
        seed: seed of k-means.

    Returns:
        The discriminants and a `KMeansSegments` fitted on their scores, with the segments in the same order.
    """
    current = labels
    for _ in range(ROUNDS):
        discriminants = Discriminants().fit(X, current)
        scores = discriminants.transform(X)
        refined = KMeansSegments(model.segments, model.starts, model.minibatch_rows, seed)
        refined.centres_ = np.stack([scores[current == k].mean(axis=0) for k in range(model.segments)])
        refined.n_segments_ = model.segments
        current = refined.refit(scores).predict(scores)
        if len(np.unique(current)) < model.segments:
            return None
    if adjusted_rand_score(labels, current) < MINIMUM_AGREEMENT:
        return None
    return discriminants, refined

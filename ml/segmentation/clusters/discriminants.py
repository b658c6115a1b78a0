"""The directions in which given segments differ most, in units of their own spread, and k-means along them.

Principal components weigh every feature alike. Once rough segments are known, features that vary much within them
can be held down: discriminant analysis on the segments, k-means in its space, and again. Source: Ding and Li,
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

ROUNDS = 3  # on the simulator the segments stop moving after two
STILL_THE_SAME = 0.6  # adjusted Rand; refinement may move the borders of segments, not replace them


@persistable
class Discriminants(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Fisher's linear discriminants, scaled so that the spread within segments is 1 in every direction.

    Args:
        shrinkage: part of the covariance within segments that is replaced by its average variance.

    Learned: `mean_` (d,), `components_` (min(d, k - 1), d).
    """

    def __init__(self, shrinkage: float = 0.05) -> None:
        self.shrinkage = shrinkage

    def fit(self, X: F64, y: I64) -> Discriminants:
        """Learn from X (n_users, d) and the users' segments y (n_users,); noise is left out."""
        inside = y != NOISE
        X, y = X[inside], y[inside]
        found, counts = np.unique(y, return_counts=True)
        self.mean_ = X.mean(axis=0)
        means = np.stack([X[y == segment].mean(axis=0) for segment in found])
        residual = X - means[np.searchsorted(found, y)]
        within = residual.T @ residual / len(X)
        average = np.trace(within) / len(within)
        within = (1 - self.shrinkage) * within + self.shrinkage * max(average, 1e-12) * np.eye(len(within))
        values, vectors = np.linalg.eigh(within)
        whiten = vectors / np.sqrt(np.maximum(values, 1e-12))
        between = (means - self.mean_) @ whiten * np.sqrt(counts / len(X))[:, None]
        _, _, directions = np.linalg.svd(between, full_matrices=False)
        self.components_ = directions[: max(1, min(X.shape[1], len(found) - 1))] @ whiten.T
        return self

    def transform(self, X: F64) -> F64:
        """X (n_users, d) → scores (n_users, n_directions)."""
        return np.asarray((X - self.mean_) @ self.components_.T)


def refine_segments(X: F64, model: KMeansSegments, labels: I64, seed: int) -> tuple[Discriminants, Any] | None:
    """Sharpen k-means segments; None if that would change what they are.

    Args:
        X: prepared features (n_users, d), before principal components.
        model: the k-means that gave `labels`, whose settings are used again.
        labels: segment of each user (n_users,).
        seed: of k-means.

    Returns the discriminants and a `KMeansSegments` fitted on their scores, segments in the same order.
    """
    current = labels
    for _ in range(ROUNDS):
        discriminants = Discriminants().fit(X, current)
        scores = discriminants.transform(X)
        sharper = KMeansSegments(model.segments, model.starts, model.minibatch_rows, seed)
        sharper.centres_ = np.stack([scores[current == k].mean(axis=0) for k in range(model.segments)])
        sharper.n_segments_ = model.segments
        current = sharper.refit(scores).predict(scores)
        if len(np.unique(current)) < model.segments:
            return None
    if adjusted_rand_score(labels, current) < STILL_THE_SAME:
        return None
    return discriminants, sharper

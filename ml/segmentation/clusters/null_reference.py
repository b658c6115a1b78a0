"""Reference data without structure, with the same spread and shape as the users but no groups.

The reference keeps the variance, skew and tails of every principal component by the best unimodal density of each.
It has neither a second mode nor dependence. Groups are accepted if they are separated better than those that
k-means reports in the reference. The idea follows SigClust (Liu et al., JASA 103, 2008) and the gap statistic
(Tibshirani, Walther and Hastie, JRSS B 63, 2001), with unimodal instead of normal or uniform marginals.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from sklearn.isotonic import isotonic_regression

from ml.arrays import F64
from ml.segmentation.clusters.algorithms import KMeansSegments
from ml.segmentation.clusters.measures import sampled_silhouette

BINS = 50


@dataclass(frozen=True)
class NullSilhouette:
    """Mean and standard deviation of the silhouette of k-means with `segments` segments in the references."""

    segments: int
    mean: float
    deviation: float


def unimodal_quantiles(values: F64) -> tuple[F64, F64]:
    """Fit the unimodal density nearest to the values.

    The density rises up to a mode and falls after it. The mode with the least squared error to the histogram is
    used.

    Returns:
        Bin edges (BINS + 1,) and cumulative shares (BINS + 1,).
    """
    counts, edges = np.histogram(values, bins=BINS)
    share = counts / counts.sum()
    best, least = share, np.inf
    for mode in range(BINS):
        rising = isotonic_regression(share[: mode + 1], increasing=True)
        falling = isotonic_regression(share[mode:], increasing=False)
        peak = max(rising[-1], falling[0])
        candidate = np.concatenate([rising[:-1], [peak], falling[1:]])
        error = float(((candidate - share) ** 2).sum())
        if error < least:
            best, least = candidate, error
    cumulative = np.concatenate([[0.0], np.cumsum(best / best.sum())])
    return edges, cumulative


class NullReference:
    """Structureless data in the shape of scores Z (n, d), whose columns are principal components."""

    def __init__(self, Z: F64) -> None:
        self.shapes = [unimodal_quantiles(Z[:, j]) for j in range(Z.shape[1])]
        self.spread = Z.std(axis=0)

    def draw(self, rows: int, generator: np.random.Generator) -> F64:
        """Draw scores (rows, d) with mean 0 and the spread of Z."""
        drawn = np.column_stack(
            [np.interp(generator.random(rows), cumulative, edges) for edges, cumulative in self.shapes]
        )
        spread = drawn.std(axis=0)
        return np.asarray(
            (drawn - drawn.mean(axis=0)) * np.divide(self.spread, spread, where=spread > 0, out=spread)
        )


def measure_null_silhouettes(
    Z: F64, segments: Sequence[int], *, references: int, rows: int, silhouette_rows: int, seed: int
) -> dict[int, NullSilhouette]:
    """Measure the silhouette that k-means reaches without structure, for each number of segments."""
    generator = np.random.default_rng(seed)
    shape = NullReference(Z)
    silhouettes = np.empty((references, len(segments)))
    for reference in range(references):
        drawn = shape.draw(rows, generator)
        for column, k in enumerate(segments):
            labels = KMeansSegments(k, starts=3, seed=seed + reference).fit(drawn).predict(drawn)
            silhouettes[reference, column] = sampled_silhouette(drawn, labels, silhouette_rows, seed).value
    return {
        k: NullSilhouette(k, float(silhouettes[:, i].mean()), float(silhouettes[:, i].std(ddof=1)))
        for i, k in enumerate(segments)
    }

"""What "no structure" looks like for data of this shape: one crowd with the same spread and shape, but no groups.

The reference keeps the variance of every principal component and its skew and tails, by the best unimodal density
of each; it has no second mode and no dependence. Groups are believed if they are separated better than those that
the same algorithm finds in the reference. After SigClust (Liu et al., JASA 103, 2008) and the gap statistic
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
    """Mean and standard deviation of the silhouette of k-means with `segments` in the references."""

    segments: int
    mean: float
    deviation: float


def unimodal_quantiles(values: F64) -> tuple[F64, F64]:
    """Bin edges (BINS + 1,) and cumulative shares (BINS + 1,) of the unimodal density nearest to the values.

    The density rises up to a mode and falls after it; among all modes the one with the least squared error to the
    histogram is taken.
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
    """The structureless crowd of the shape of scores Z (n, d), whose columns are principal components."""

    def __init__(self, Z: F64) -> None:
        self.shapes = [unimodal_quantiles(Z[:, j]) for j in range(Z.shape[1])]
        self.spread = Z.std(axis=0)

    def draw(self, rows: int, generator: np.random.Generator) -> F64:
        """Scores (rows, d) with mean 0 and the spread of Z."""
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
    """Silhouette that k-means reaches without structure, for each number of segments."""
    generator = np.random.default_rng(seed)
    shape = NullReference(Z)
    found = np.empty((references, len(segments)))
    for reference in range(references):
        drawn = shape.draw(rows, generator)
        for column, k in enumerate(segments):
            labels = KMeansSegments(k, starts=3, seed=seed + reference).fit(drawn).predict(drawn)
            found[reference, column] = sampled_silhouette(drawn, labels, silhouette_rows, seed).value
    return {
        k: NullSilhouette(k, float(found[:, i].mean()), float(found[:, i].std(ddof=1)))
        for i, k in enumerate(segments)
    }

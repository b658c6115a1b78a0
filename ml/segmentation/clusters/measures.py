"""How good a division into segments is: separation, stability and the sampled silhouette with its error."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from sklearn.metrics import adjusted_rand_score, calinski_harabasz_score, davies_bouldin_score, silhouette_samples

from ml.arrays import F64, I64
from ml.segmentation.clusters.algorithms import NOISE, SegmentModel


@dataclass(frozen=True)
class Silhouette:
    """Mean silhouette of a random sample of users and its standard error."""

    value: float
    error: float
    rows: int


def sampled_silhouette(Z: F64, labels: I64, rows: int, seed: int) -> Silhouette:
    """Silhouette of at most `rows` users of Z (n, d) among each other; NaN when fewer than two segments remain.

    Noise is left out: it belongs to no segment whose separation could be measured.
    """
    inside = np.flatnonzero(labels != NOISE)
    chosen = np.random.default_rng(seed).permutation(inside)[:rows]
    if not 2 <= len(np.unique(labels[chosen])) < len(chosen):
        return Silhouette(float("nan"), float("nan"), len(chosen))
    values = silhouette_samples(Z[chosen], labels[chosen])
    return Silhouette(float(values.mean()), float(values.std(ddof=1) / np.sqrt(len(values))), len(chosen))


def davies_bouldin(Z: F64, labels: I64) -> float:
    """Davies-Bouldin index, lower is better; NaN when fewer than two segments."""
    inside = labels != NOISE
    return float(davies_bouldin_score(Z[inside], labels[inside])) if _divided(labels[inside]) else float("nan")


def calinski_harabasz(Z: F64, labels: I64) -> float:
    """Calinski-Harabasz index, higher is better; NaN when fewer than two segments."""
    inside = labels != NOISE
    return float(calinski_harabasz_score(Z[inside], labels[inside])) if _divided(labels[inside]) else float("nan")


def _divided(labels: I64) -> bool:
    return 2 <= len(np.unique(labels)) < len(labels)


def bootstrap_stability(Z: F64, make: Callable[[int], SegmentModel], resamples: int, seed: int) -> float:
    """Mean adjusted Rand index between the segments that pairs of bootstrap resamples give to all of Z.

    Each resample is fitted with the estimator `make(seed)` and extended to every user of Z (n, d). 1: the same
    segments are always found again. 0: no more than chance.
    """
    generator = np.random.default_rng(seed)
    divisions = []
    for _ in range(resamples):
        rows = generator.integers(len(Z), size=len(Z))
        divisions.append(make(int(generator.integers(2**31))).fit(Z[rows]).predict(Z))
    pairs = [adjusted_rand_score(a, b) for i, a in enumerate(divisions) for b in divisions[i + 1 :]]
    return float(np.mean(pairs)) if pairs else float("nan")


def start_stability(Z: F64, make: Callable[[int], SegmentModel], starts: int, seed: int) -> float:
    """Mean adjusted Rand index between fits on the same Z (n, d) from different random starts."""
    generator = np.random.default_rng(seed)
    divisions = [make(int(generator.integers(2**31))).fit(Z).predict(Z) for _ in range(starts)]
    pairs = [adjusted_rand_score(a, b) for i, a in enumerate(divisions) for b in divisions[i + 1 :]]
    return float(np.mean(pairs)) if pairs else float("nan")

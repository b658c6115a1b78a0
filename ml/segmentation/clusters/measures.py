"""Measure the quality of a division into segments: separation and stability."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from sklearn.metrics import adjusted_rand_score, calinski_harabasz_score, davies_bouldin_score, silhouette_samples

from ml.arrays import F64, I64
from ml.segmentation.clusters.algorithms import NOISE, KMeansSegments, SegmentModel

RESAMPLE_STARTS = 10  # with 2, the agreement of two resamples of 120 users in 6 groups varies by .10, not .06


@dataclass(frozen=True)
class Silhouette:
    """Mean silhouette of a random sample of users, its standard error and the sample size."""

    value: float
    error: float
    rows: int


def sampled_silhouette(Z: F64, labels: I64, rows: int, seed: int) -> Silhouette:
    """Measure the silhouette of at most `rows` users of Z (n, d).

    Noise is left out, because it belongs to no segment whose separation could be measured. The value is NaN when
    fewer than two segments remain.
    """
    inside = np.flatnonzero(labels != NOISE)
    chosen = np.random.default_rng(seed).permutation(inside)[:rows]
    if not 2 <= len(np.unique(labels[chosen])) < len(chosen):
        return Silhouette(float("nan"), float("nan"), len(chosen))
    values = silhouette_samples(Z[chosen], labels[chosen])
    return Silhouette(float(values.mean()), float(values.std(ddof=1) / np.sqrt(len(values))), len(chosen))


def davies_bouldin(Z: F64, labels: I64) -> float:
    """Return the Davies-Bouldin index (lower is better), NaN for fewer than two segments."""
    inside = labels != NOISE
    return (
        float(davies_bouldin_score(Z[inside], labels[inside])) if _has_segments(labels[inside]) else float("nan")
    )


def calinski_harabasz(Z: F64, labels: I64) -> float:
    """Return the Calinski-Harabasz index (higher is better), NaN for fewer than two segments."""
    inside = labels != NOISE
    return (
        float(calinski_harabasz_score(Z[inside], labels[inside]))
        if _has_segments(labels[inside])
        else float("nan")
    )


def _has_segments(labels: I64) -> bool:
    """Return whether there are at least two segments and fewer segments than users."""
    return 2 <= len(np.unique(labels)) < len(labels)


def bootstrap_stability(Z: F64, make: Callable[[int], SegmentModel], resamples: int, seed: int) -> float:
    """Measure how well resamples of the users reproduce the segments.

    Each resample is fitted with the model `make(seed)` and extended to every user of Z (n, d). k-means has at
    least `RESAMPLE_STARTS` starts: from fewer, fits to the same users differ, and that is for `start_stability` to
    measure.

    Returns:
        The mean adjusted Rand index between pairs of resamples: 1 if they always agree, 0 if they agree by chance
            only.
    """
    generator = np.random.default_rng(seed)
    divisions = []
    for _ in range(resamples):
        rows = generator.integers(len(Z), size=len(Z))
        model = make(int(generator.integers(2**31)))
        if isinstance(model, KMeansSegments):
            model.starts = max(model.starts, RESAMPLE_STARTS)
        divisions.append(model.fit(Z[rows]).predict(Z))
    return _mean_agreement(divisions)


def start_stability(Z: F64, make: Callable[[int], SegmentModel], starts: int, seed: int) -> float:
    """Return the mean adjusted Rand index between fits on the same Z (n, d) from different random starts."""
    generator = np.random.default_rng(seed)
    return _mean_agreement([make(int(generator.integers(2**31))).fit(Z).predict(Z) for _ in range(starts)])


def _mean_agreement(divisions: list[I64]) -> float:
    """Return the mean adjusted Rand index between pairs of divisions (n,) of the same users; NaN without pairs."""
    pairs = [adjusted_rand_score(a, b) for a, b in combinations(divisions, 2)]
    return float(np.mean(pairs)) if pairs else float("nan")

"""The divisions that compete: algorithms with their parameters."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial

from ml.arrays import F64
from ml.segmentation.clusters.algorithms import (
    COVARIANCES,
    KMeansSegments,
    MixtureSegments,
    SegmentModel,
)
from ml.segmentation.clusters.density_methods import DBSCANSegments, HDBSCANSegments
from ml.settings.segmentation import ChoiceSettings

COUNTED = ("kmeans", "gaussian_mixture")  # algorithms that form a given number of segments
REACH_QUANTILES = (0.5, 0.75, 0.9)
SMALLEST_SHARES = (0.02, 0.05, 0.1)
DENSITY_ROWS = 2_000  # neighbour searches grow faster than linearly; clusters of 2% still have 40 points


def list_contenders(
    settings: ChoiceSettings, sample: F64, counts: Sequence[int], seed: int
) -> Iterator[tuple[Callable[[int], SegmentModel], F64]]:
    """Yield a builder of unfitted models and the users to fit it to, for each contender."""
    for algorithm in settings.algorithms:
        if algorithm == "kmeans":
            for k in counts:
                yield partial(_build_kmeans, k, settings.starts), sample
        elif algorithm == "gaussian_mixture":
            small = sample[: settings.stability_rows]
            for k in counts:
                scores = {
                    covariance: MixtureSegments(k, covariance, starts=1, seed=seed).fit(small).bic(small)
                    for covariance in COVARIANCES
                }
                best = min(scores, key=lambda covariance: scores[covariance])
                yield partial(_build_mixture, k, best), sample
        elif algorithm == "dbscan":
            for quantile in REACH_QUANTILES:
                yield partial(_build_dbscan, quantile), sample[:DENSITY_ROWS]
        else:
            for smallest in SMALLEST_SHARES:
                yield partial(_build_hdbscan, smallest), sample[:DENSITY_ROWS]


def _build_kmeans(segments: int, starts: int, seed: int) -> SegmentModel:
    """Build unfitted k-means."""
    return KMeansSegments(segments, starts=starts, seed=seed)


def _build_mixture(segments: int, covariance: str, seed: int) -> SegmentModel:
    """Build an unfitted Gaussian mixture."""
    return MixtureSegments(segments, covariance, starts=1, seed=seed)


def _build_dbscan(reach_quantile: float, seed: int) -> SegmentModel:
    """Build unfitted DBSCAN."""
    return DBSCANSegments(reach_quantile=reach_quantile)


def _build_hdbscan(smallest: float, seed: int) -> SegmentModel:
    """Build unfitted HDBSCAN."""
    return HDBSCANSegments(smallest=smallest)

"""Compare divisions with those of structureless data, as one test for the whole search.

Structureless data have a silhouette too, and the largest over several numbers of segments is larger still. So a
silhouette counts in standard deviations above its mean in the references, and is compared with the largest such
excess that a reference reaches over all numbers of segments (Westfall and Young's single-step maximum). The
maximum of few references is extended to small probabilities by the Gumbel distribution with their mean and
variance.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import gumbel_r
from sklearn.metrics import pairwise_distances, silhouette_score

from ml.segmentation.clusters.algorithms import NOISE, KMeansSegments, SegmentModel, fit_models
from ml.segmentation.clusters.feature_space import FeatureSpace
from ml.segmentation.clusters.measures import sampled_silhouette
from ml.segmentation.clusters.null_reference import NullReference, exceedance_p_value

LEAST_DEVIATION = 0.005  # of a silhouette; the corners of three flags have the same silhouette in every reference
MAXIMUM_ROWS = 1_000  # users in a reference; fewer users make the comparison only more cautious
STARTS = 3  # random starts of k-means in a reference


@dataclass(frozen=True)
class NullSilhouettes:
    """Silhouettes of k-means in structureless data.

    Attributes:
        segments: numbers of segments, ascending.
        means: mean silhouette for each number of segments.
        deviations: standard deviation between references for each number of segments.
        location: location of the Gumbel distribution of the largest excess.
        scale: its scale.
    """

    segments: tuple[int, ...]
    means: tuple[float, ...]
    deviations: tuple[float, ...]
    location: float
    scale: float

    def find(self, segments: int) -> tuple[float, float]:
        """Return mean and deviation for a number of segments, or for the nearest one that was measured."""
        place = int(np.abs(np.array(self.segments) - segments).argmin())
        return self.means[place], self.deviations[place]

    def p_value(self, segments: int, silhouette: float) -> float:
        """Return the probability that structureless data show so large an excess with any number of segments."""
        mean, deviation = self.find(segments)
        return float(gumbel_r.sf((silhouette - mean) / deviation, self.location, self.scale))


def own_p_value(
    space: FeatureSpace,
    make: Callable[[int], SegmentModel],
    silhouette: float,
    *,
    references: int,
    silhouette_rows: int,
    seed: int,
) -> float:
    """Return the probability that the same method shows as large a silhouette in structureless data.

    k-means misses what other methods see in flags and long groups, so what they see is compared with themselves.

    Args:
        space: the users whose columns and correlations the references have.
        make: builds the unfitted model from a seed.
        silhouette: silhouette of the model's division of the users, with noise counted as 0.
        references: number of structureless data sets.
        silhouette_rows: users of each among whom the silhouette is measured.
        seed: seed of the references and starts.
    """
    generator = np.random.default_rng(seed)
    shape = NullReference(space)
    silhouettes = np.zeros(references)
    for reference in range(references):
        drawn = shape.draw(min(len(space.features), MAXIMUM_ROWS), generator)
        labels = make(seed + reference).fit(drawn).predict(drawn)
        value = sampled_silhouette(drawn, labels, silhouette_rows, seed).value
        silhouettes[reference] = 0.0 if np.isnan(value) else value * (labels != NOISE).mean()
    return exceedance_p_value(silhouette, silhouettes, LEAST_DEVIATION)


def measure_null_silhouettes(
    space: FeatureSpace, segments: Sequence[int], *, references: int, rows: int, silhouette_rows: int, seed: int
) -> NullSilhouettes:
    """Measure the silhouettes that k-means reaches without structure.

    Args:
        space: the users whose columns and correlations the references have.
        segments: numbers of segments.
        references: number of structureless data sets.
        rows: users in each.
        silhouette_rows: users of each among whom the silhouette is measured.
        seed: seed of the references and starts.
    """
    rows = min(rows, MAXIMUM_ROWS)
    generator = np.random.default_rng(seed)
    shape = NullReference(space)
    tables = np.stack([shape.draw(rows, generator) for _ in range(references)])
    silhouettes = np.zeros((references, len(segments)))
    distances = [pairwise_distances(table[:silhouette_rows]) for table in tables]
    for column, k in enumerate(segments):
        models = [KMeansSegments(k, starts=STARTS, seed=seed + reference) for reference in range(references)]
        fit_models(models, tables)
        for reference, (model, table) in enumerate(zip(models, tables, strict=True)):
            shown = model.predict(table[:silhouette_rows])
            if 2 <= len(np.unique(shown)) < len(shown):
                silhouettes[reference, column] = silhouette_score(
                    distances[reference], shown, metric="precomputed"
                )
    means = silhouettes.mean(axis=0)
    deviations = np.maximum(silhouettes.std(axis=0, ddof=1), LEAST_DEVIATION)
    # A reference helped to form the mean; a division of the users did not.
    largest = ((silhouettes - means) / deviations).max(axis=1) * np.sqrt((references + 1) / (references - 1))
    scale = max(float(largest.std(ddof=1)), 0.1) * np.sqrt(6) / np.pi
    return NullSilhouettes(
        segments=tuple(segments),
        means=tuple(means.tolist()),
        deviations=tuple(deviations.tolist()),
        location=float(largest.mean() - np.euler_gamma * scale),
        scale=float(scale),
    )

"""The silhouettes of structureless data, and how seldom they are exceeded by chance."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import gumbel_r

from ml.segmentation.clusters.algorithms import KMeansSegments, MixtureSegments
from ml.segmentation.clusters.feature_space import FeatureSpace
from ml.segmentation.clusters.measures import sampled_silhouette
from ml.segmentation.clusters.significance import NullSilhouettes, measure_null_silhouettes, own_p_value


def space_of(X: np.ndarray) -> FeatureSpace:
    return FeatureSpace(X - X.mean(axis=0), np.eye(X.shape[1]))


def silhouette_of(space: FeatureSpace, segments: int) -> float:
    labels = KMeansSegments(segments, starts=3).fit(space.scores).predict(space.scores)
    return sampled_silhouette(space.scores, labels, 1000, 0).value


def test_the_p_value_is_that_of_the_largest_excess_over_all_numbers() -> None:
    null = NullSilhouettes((2, 3), (0.5, 0.4), (0.1, 0.02), location=1.0, scale=0.5)
    assert null.find(3) == (0.4, 0.02)
    assert null.find(9) == (0.4, 0.02)
    assert null.p_value(2, 0.7) == pytest.approx(1 - np.exp(-np.exp(-(2.0 - 1.0) / 0.5)))
    assert null.p_value(3, 0.44) == pytest.approx(null.p_value(2, 0.7))


def test_structureless_users_seldom_exceed_their_references() -> None:
    """Over all numbers of segments together, at a level of 5%."""
    exceeded = 0
    for seed in range(20):
        space = space_of(np.random.default_rng(seed).normal(size=(150, 3)))
        null = measure_null_silhouettes(
            space, range(2, 6), references=20, rows=150, silhouette_rows=150, seed=seed
        )
        exceeded += min(null.p_value(k, silhouette_of(space, k)) for k in range(2, 6)) <= 0.05
    assert exceeded <= 4


def test_the_gumbel_distribution_has_the_moments_of_the_largest_excesses() -> None:
    space = space_of(np.random.default_rng(0).normal(size=(150, 3)))
    null = measure_null_silhouettes(space, range(2, 6), references=40, rows=150, silhouette_rows=150, seed=0)
    mean, deviation = gumbel_r.stats(null.location, null.scale)[0], gumbel_r.std(null.location, null.scale)
    assert 0.5 < mean < 2.5  # the largest of four correlated standard normal variables has about 1
    assert 0.3 < deviation < 1.5


def test_a_mixture_that_sees_a_flag_is_compared_with_mixtures_that_see_it() -> None:
    """A mixture finds the flag that k-means overlooks, in the users as in the references."""
    generator = np.random.default_rng(1)
    flag = generator.integers(2, size=400)
    X = np.column_stack([flag * 2.0, generator.normal(size=(400, 3)) * [2.0, 1.0, 1.0]])
    space = space_of(X)

    def make(seed: int) -> MixtureSegments:
        return MixtureSegments(2, "tied", seed=seed)

    labels = make(0).fit(space.scores).predict(space.scores)
    value = sampled_silhouette(space.scores, labels, 400, 0).value
    p_value = own_p_value(space, make, value, references=20, silhouette_rows=400, seed=0)
    assert p_value > 0.01

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from ml.segmentation.clusters.algorithms import KMeansSegments
from ml.segmentation.clusters.choice import ClusteringCandidate, _find_objection, _select_winner, choose_clustering
from ml.segmentation.clusters.measures import bootstrap_stability, sampled_silhouette, start_stability
from ml.segmentation.clusters.null_reference import NullReference, unimodal_quantiles
from ml.settings.segmentation import SegmentationSettings

GOOD = ClusteringCandidate(
    algorithm="kmeans",
    description="k-means, 3 segments",
    segments=3,
    silhouette=0.40,
    silhouette_error=0.005,
    null_silhouette=0.20,
    null_deviation=0.01,
    davies_bouldin=1.0,
    calinski_harabasz=900.0,
    bic=math.nan,
    bootstrap_stability=0.95,
    start_stability=1.0,
    smallest_share=0.2,
    noise_share=0.0,
)


def blobs(segments: int, users: int = 900, seed: int = 0) -> np.ndarray:
    generator = np.random.default_rng(seed)
    centres = np.eye(4)[:segments] * 6.0
    return centres[generator.integers(segments, size=users)] + generator.normal(size=(users, 4))


def test_the_number_of_planted_segments_is_chosen(quick: SegmentationSettings) -> None:
    choice = choose_clustering(blobs(4), quick.choice, 20, seed=1)
    assert choice.make_model is not None
    assert choice.make_model(0).segments == 4
    assert [row.segments for row in choice.candidates if row.chosen] == [4]
    assert "4 segments" in choice.reason


def test_all_algorithms_are_compared(full_settings: SegmentationSettings) -> None:
    settings = full_settings.choice.model_copy(
        update={"segments_max": 4, "null_references": 5, "stability_rows": 400}
    )
    choice = choose_clustering(blobs(3, users=600), settings, 20, seed=2)
    algorithms = [candidate.algorithm for candidate in choice.candidates]
    assert set(algorithms) == {"kmeans", "gaussian_mixture", "dbscan", "hdbscan"}
    assert sum(candidate.chosen for candidate in choice.candidates) == 1
    with_likelihood = [not math.isnan(candidate.bic) for candidate in choice.candidates]
    assert with_likelihood == [name == "gaussian_mixture" for name in algorithms]


@pytest.mark.parametrize("shape", ["normal", "lognormal"])
def test_noise_has_no_structure(quick: SegmentationSettings, shape: str) -> None:
    Z = np.random.default_rng(4).normal(size=(1500, 5)) * [3, 2, 1.5, 1, 1]
    choice = choose_clustering(np.exp(0.5 * Z) if shape == "lognormal" else Z, quick.choice, 20, seed=0)
    assert choice.make_model is None
    assert "no structure" in choice.reason
    assert all(row.refused for row in choice.candidates)


def test_too_few_users_are_not_divided(quick: SegmentationSettings) -> None:
    choice = choose_clustering(blobs(2, users=30), quick.choice, 20, seed=0)
    assert choice.make_model is None
    assert choice.candidates == ()
    assert "30 users are too few" in choice.reason


@pytest.mark.parametrize(
    ("changes", "objection"),
    [
        ({}, ""),
        ({"segments": 1}, "fewer than two segments"),
        ({"silhouette": 0.219}, "no better than for structureless data (0.200 ± 0.010)"),
        ({"silhouette": math.nan}, "no better than for structureless data"),
        ({"bootstrap_stability": 0.69}, "adjusted Rand index of only 0.69"),
        ({"smallest_share": 0.01}, "smallest segment has 1.0% of users"),
        ({"noise_share": 0.5}, "50% of users belong to no segment"),
    ],
)
def test_a_candidate_is_refused_for_a_stated_reason(
    quick: SegmentationSettings, changes: dict[str, float], objection: str
) -> None:
    refused = _find_objection(replace(GOOD, **changes), quick.choice, floor=0.02)
    assert (objection in refused) if objection else refused == ""


def test_ties_go_to_the_more_stable_then_the_better_separated(full_settings: SegmentationSettings) -> None:
    shaky = replace(GOOD, silhouette=0.405, bootstrap_stability=0.8)
    fuzzy = replace(GOOD, segments=4, davies_bouldin=1.2, calinski_harabasz=800.0)
    worse = replace(GOOD, segments=2, silhouette=0.35, bootstrap_stability=1.0)
    assert _select_winner([worse, shaky, fuzzy, GOOD], full_settings.choice, None)[0] == 3


def test_the_previous_division_stays_unless_another_is_clearly_better(full_settings: SegmentationSettings) -> None:
    old = replace(GOOD, segments=5, silhouette=0.385)
    assert _select_winner([GOOD, old], full_settings.choice, ("kmeans", 5))[0] == 1
    assert _select_winner([replace(GOOD, silhouette=0.41), old], full_settings.choice, ("kmeans", 5))[0] == 0
    assert _select_winner([GOOD, replace(old, refused="too small")], full_settings.choice, ("kmeans", 5))[0] == 0


def test_the_unimodal_density_nearest_to_two_modes_has_a_single_mode() -> None:
    generator = np.random.default_rng(0)
    values = np.concatenate([generator.normal(-3, 1, 3000), generator.normal(3, 1, 2000)])
    _, cumulative = unimodal_quantiles(values)
    density = np.diff(cumulative)
    mode = int(density.argmax())
    assert np.all(np.diff(density[: mode + 1]) >= -1e-12)
    assert np.all(np.diff(density[mode:]) <= 1e-12)
    assert cumulative[-1] == pytest.approx(1.0)


def test_references_keep_the_spread_of_each_component() -> None:
    Z = np.random.default_rng(1).normal(size=(4000, 3)) * [4.0, 1.0, 0.1]
    drawn = NullReference(Z).draw(4000, np.random.default_rng(2))
    np.testing.assert_allclose(drawn.std(axis=0), Z.std(axis=0), rtol=1e-9)
    assert np.abs(np.corrcoef(drawn, rowvar=False) - np.eye(3)).max() < 0.06


def test_the_sampled_silhouette_is_near_the_whole_within_its_error() -> None:
    Z = blobs(3, users=2000)
    labels = KMeansSegments(3, starts=3).fit(Z).predict(Z)
    whole, part = sampled_silhouette(Z, labels, 2000, 0), sampled_silhouette(Z, labels, 500, 0)
    assert abs(whole.value - part.value) < 3 * part.error
    assert part.rows == 500


def test_resamples_reproduce_real_segments_and_no_arbitrary_ones() -> None:
    real, noise = blobs(3, users=500), np.random.default_rng(0).normal(size=(500, 4))

    def make(seed: int) -> KMeansSegments:
        return KMeansSegments(3, starts=1, seed=seed)

    assert bootstrap_stability(real, make, 3, 0) > 0.95
    assert bootstrap_stability(noise, make, 3, 0) < 0.7
    assert start_stability(real, make, 3, 0) > 0.95

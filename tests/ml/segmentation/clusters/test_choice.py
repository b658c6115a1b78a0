from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from functools import partial

import numpy as np
import pytest

from ml.segmentation.clusters.algorithms import KMeansSegments
from ml.segmentation.clusters.choice import choose_clustering
from ml.segmentation.clusters.feature_space import FeatureSpace
from ml.segmentation.clusters.measures import (
    bootstrap_stability,
    prediction_strength,
    sampled_silhouette,
    start_stability,
)
from ml.segmentation.clusters.selection import (
    ClusteringCandidate,
    Examination,
    Selection,
    find_instability,
    find_objection,
    judge_pairs,
)
from ml.segmentation.clusters.separation import WeakestPair
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
    p_value=0.0001,
)


def space_of(X: np.ndarray) -> FeatureSpace:
    """A space whose scores are its features."""
    return FeatureSpace(X - X.mean(axis=0), np.eye(X.shape[1]))


def select(
    candidates: list[ClusteringCandidate],
    settings: SegmentationSettings,
    incumbent: tuple[str, int] | None = None,
    halves: Sequence[int] = (),
    most_lenience: float = math.inf,
) -> int | None:
    """The position of the winner, if the segments of the candidates at the positions `halves` are cut groups.

    From `most_lenience` on, they pass for groups of their own.
    """

    def examine(position: int, lenience: float) -> Examination:
        is_cut = position in halves and lenience < most_lenience
        return Examination(0.5, 0.6, "halves") if is_cut else Examination(0.001, 0.9)

    return Selection(candidates, settings.choice, examine).select(incumbent)[0]


def blobs(segments: int, users: int = 900, seed: int = 0) -> np.ndarray:
    generator = np.random.default_rng(seed)
    centres = np.eye(4)[:segments] * 6.0
    return centres[generator.integers(segments, size=users)] + generator.normal(size=(users, 4))


def test_the_number_of_planted_segments_is_chosen(quick: SegmentationSettings) -> None:
    choice = choose_clustering(space_of(blobs(4)), quick.choice, 20, seed=1)
    assert choice.make_model is not None
    assert choice.make_model(0).segments == 4
    assert [row.segments for row in choice.candidates if row.chosen] == [4]
    assert "4 segments" in choice.reason


def test_all_algorithms_are_compared(full_settings: SegmentationSettings) -> None:
    settings = full_settings.choice.model_copy(
        update={"segments_max": 4, "null_references": 5, "stability_rows": 400}
    )
    choice = choose_clustering(space_of(blobs(3, users=600)), settings, 20, seed=2)
    algorithms = [candidate.algorithm for candidate in choice.candidates]
    assert set(algorithms) == {"kmeans", "gaussian_mixture", "dbscan", "hdbscan"}
    assert sum(candidate.chosen for candidate in choice.candidates) == 1
    with_likelihood = [not math.isnan(candidate.bic) for candidate in choice.candidates]
    assert with_likelihood == [name == "gaussian_mixture" for name in algorithms]


@pytest.mark.parametrize("shape", ["normal", "lognormal"])
def test_noise_has_no_structure(quick: SegmentationSettings, shape: str) -> None:
    Z = np.random.default_rng(4).normal(size=(1500, 5)) * [3, 2, 1.5, 1, 1]
    choice = choose_clustering(space_of(np.exp(0.5 * Z) if shape == "lognormal" else Z), quick.choice, 20, seed=0)
    assert choice.make_model is None
    assert "no structure" in choice.reason
    assert all(row.refused for row in choice.candidates)
    assert all(math.isnan(row.bootstrap_stability) for row in choice.candidates if "no better" in row.refused)


def test_too_few_users_are_not_divided(quick: SegmentationSettings) -> None:
    choice = choose_clustering(space_of(blobs(2, users=30)), quick.choice, 20, seed=0)
    assert choice.make_model is None
    assert choice.candidates == ()
    assert "30 users are too few" in choice.reason


def test_a_site_may_ask_for_more_deviations_than_the_significance_does(quick: SegmentationSettings) -> None:
    strict = quick.choice.model_copy(update={"null_excess": 25.0})
    assert find_objection(replace(GOOD, silhouette=0.46), strict, floor=0.02) == ""
    assert "no better than" in find_objection(replace(GOOD, silhouette=0.44), strict, floor=0.02)


@pytest.mark.parametrize(
    ("changes", "objection"),
    [
        ({}, ""),
        ({"segments": 1}, "fewer than two segments"),
        ({"silhouette": 0.219}, "no better than for structureless data (0.200 ± 0.010, p = 0.0001)"),
        ({"p_value": 0.04}, "no better than for structureless data (0.200 ± 0.010, p = 0.04)"),
        ({"silhouette": math.nan, "p_value": math.nan}, "no better than for structureless data"),
        ({"bootstrap_stability": 0.69}, "adjusted Rand index of only 0.69"),
        ({"smallest_share": 0.01}, "smallest segment has 1.0% of users"),
        ({"noise_share": 0.5}, "50% of users belong to no segment"),
    ],
)
def test_a_candidate_is_refused_for_a_stated_reason(
    quick: SegmentationSettings, changes: dict[str, float], objection: str
) -> None:
    candidate = replace(GOOD, **changes)
    refused = find_objection(candidate, quick.choice, floor=0.02) or find_instability(candidate, quick.choice)
    assert (objection in refused) if objection else refused == ""


def test_ties_go_to_the_more_stable_then_the_better_separated(full_settings: SegmentationSettings) -> None:
    mixture = {"algorithm": "gaussian_mixture"}
    shaky = replace(GOOD, silhouette=0.405, bootstrap_stability=0.89, **mixture)
    fuzzy = replace(GOOD, davies_bouldin=1.2, calinski_harabasz=800.0, **mixture)
    worse = replace(GOOD, silhouette=0.35, bootstrap_stability=1.0, **mixture)
    assert select([worse, shaky, fuzzy, GOOD], full_settings) == 3


def test_the_most_steady_segments_that_are_no_halves_win(
    full_settings: SegmentationSettings,
) -> None:
    two = replace(GOOD, segments=2, silhouette=0.6)
    four, five = replace(GOOD, segments=4, silhouette=0.39), replace(GOOD, segments=5, silhouette=0.38)
    shaky = replace(GOOD, segments=6, silhouette=0.39, bootstrap_stability=0.82)
    candidates = [two, GOOD, four, five, shaky]
    assert select(list(candidates), full_settings) == 3
    assert select(list(candidates), full_settings, halves=[3]) == 2
    assert select(list(candidates), full_settings, halves=[0, 1, 2, 3]) == 4
    assert select(candidates, full_settings, halves=range(5)) is None
    assert {candidate.refused for candidate in candidates} == {"halves"}


def test_less_steady_segments_win_where_all_are_surely_groups_of_their_own(
    full_settings: SegmentationSettings,
) -> None:
    finer = replace(GOOD, segments=4, bootstrap_stability=0.85)
    assert select([GOOD, replace(finer, cut_p_value=0.02)], full_settings) == 1
    assert select([GOOD, replace(finer, cut_p_value=0.05)], full_settings) == 0
    assert select([GOOD, replace(finer, cut_p_value=0.02, bootstrap_stability=0.82)], full_settings) == 0
    # Halves of the users that predict each other's segments are as good a reason.
    assert select([GOOD, replace(finer, cut_p_value=0.3, prediction_strength=0.8)], full_settings) == 1
    assert select([GOOD, replace(finer, cut_p_value=0.3, prediction_strength=0.7)], full_settings) == 0


@pytest.mark.parametrize(
    ("p_value", "strength", "refused"),
    [
        (0.05, 0.65, ""),
        (0.05, 0.55, "halves of the users predict each other's segments only to 55%"),
        (0.3, 0.65, "two of the segments may be halves of one group (p = 0.3)"),
        (0.05, math.nan, ""),
        (0.3, math.nan, "two of the segments may be halves of one group (p = 0.3)"),
    ],
)
def test_segments_are_groups_by_their_separation_unless_halves_of_the_users_disagree(
    p_value: float, strength: float, refused: str
) -> None:
    assert judge_pairs(WeakestPair(0, 1, p_value, 0.1), strength).refused == refused


def test_segments_that_differ_in_one_flag_are_refused_as_such() -> None:
    one_flag = judge_pairs(WeakestPair(0, 1, 0.001, 0.1, is_flag=True), 0.9)
    assert one_flag.refused == "two of the segments differ in one flag and nothing else"


def test_the_clearest_division_needs_less_evidence_that_its_segments_are_groups(
    full_settings: SegmentationSettings,
) -> None:
    clearest = replace(GOOD, segments=5, silhouette=0.41, bootstrap_stability=0.81)
    assert select([GOOD, clearest], full_settings, halves=[1], most_lenience=2.0) == 1
    assert select([GOOD, clearest], full_settings, halves=[1], most_lenience=3.0) == 0
    shaky, less_clear = replace(clearest, bootstrap_stability=0.79), replace(clearest, silhouette=0.39)
    for other in (shaky, less_clear, replace(clearest, segments=2)):
        assert select([GOOD, other], full_settings, halves=[1], most_lenience=2.0) == 0
    # Where nothing else shows that there are groups, it is no structure either.
    assert select([clearest], full_settings, halves=[0], most_lenience=2.0) is None


def test_the_clearest_division_needs_none_where_resamples_hardly_differ(
    full_settings: SegmentationSettings,
) -> None:
    repeated = replace(GOOD, segments=5, silhouette=0.41, bootstrap_stability=0.98)
    assert select([GOOD, repeated], full_settings, halves=[1]) == 1
    less_clear, shakier = replace(repeated, silhouette=0.39), replace(repeated, bootstrap_stability=0.94)
    for other in (less_clear, shakier, replace(repeated, segments=2)):
        assert select([GOOD, other], full_settings, halves=[1]) == 0
    # Another may be clearer, if its resamples agree less closely and it has more segments of halves of groups.
    clearer = replace(shakier, segments=7, silhouette=0.43, bootstrap_stability=0.89)
    assert select([GOOD, repeated, clearer], full_settings, halves=[1, 2]) == 1
    assert select([repeated], full_settings, halves=[0]) is None


def test_density_wins_only_where_nothing_else_is_admissible(full_settings: SegmentationSettings) -> None:
    density = replace(GOOD, algorithm="hdbscan", segments=4, silhouette=0.5, noise_share=0.1)
    assert select([density, GOOD], full_settings) == 1
    assert select([density, replace(GOOD, refused="too small")], full_settings) == 0


def test_the_previous_division_stays_unless_another_is_clearly_better(full_settings: SegmentationSettings) -> None:
    old = replace(GOOD, segments=2, silhouette=0.385)
    assert select([GOOD, old], full_settings, ("kmeans", 2)) == 1
    assert select([replace(GOOD, silhouette=0.41), old], full_settings, ("kmeans", 2)) == 0
    assert select([GOOD, replace(old, refused="too small")], full_settings, ("kmeans", 2)) == 0
    assert select([GOOD, old], full_settings, ("kmeans", 2), halves=[1]) == 0


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


def test_halves_of_the_users_predict_groups_and_no_parts_of_groups() -> None:
    Z = blobs(3, users=300)
    right, cut = (
        prediction_strength(Z, lambda seed, k=k: KMeansSegments(k, starts=1, seed=seed), 3, 0) for k in (3, 4)
    )
    assert right > 0.95
    assert cut < 0.7


def test_the_prediction_strength_is_the_share_of_pairs_that_stay_together_in_the_weakest_segment() -> None:
    periods = iter((2, 1))
    strength = prediction_strength(np.zeros((8, 1)), lambda seed: EveryNth(next(periods)), 1, 0)
    # Both pairs of the first half stay together in the second half's only segment; of its six pairs, two do.
    assert strength == pytest.approx((1 + 2 / 6) / 2)


class EveryNth(KMeansSegments):
    """Puts every n-th user, in the order of the rows, into the same segment, whatever it is fitted to."""

    def fit(self, Z: np.ndarray, y: None = None) -> EveryNth:
        self.n_segments_ = self.segments
        return self

    def predict(self, Z: np.ndarray) -> np.ndarray:
        return np.arange(len(Z)) % self.segments


def test_few_starts_do_not_make_the_resamples_of_few_users_differ() -> None:
    for seed in range(12):
        generator = np.random.default_rng(seed)
        group = generator.choice(6, 120, p=[0.28, 0.22, 0.17, 0.13, 0.1, 0.1])
        Z = 4.0 * np.eye(6)[group] + generator.normal(size=(120, 6))
        few, many = (
            bootstrap_stability(Z, partial(make_six_segments, starts=starts), 2, seed) for starts in (1, 10)
        )
        assert few == many
        assert few > 0.7


def make_six_segments(seed: int, starts: int) -> KMeansSegments:
    return KMeansSegments(6, starts=starts, seed=seed)


def test_a_number_that_is_asked_for_is_formed_even_in_noise(full_settings: SegmentationSettings) -> None:
    Z = np.random.default_rng(4).normal(size=(300, 3))
    settings = full_settings.choice.model_copy(update={"segments": 3, "null_references": 3})
    choice = choose_clustering(space_of(Z), settings, 20, seed=0)
    assert choice.make_model is not None
    assert choice.make_model(0).fit(Z).n_segments_ == 3
    assert choice.reason.startswith("3 segments were asked for; ")
    assert {row.segments for row in choice.candidates} == {3}


def test_more_segments_than_different_users_are_refused(quick: SegmentationSettings) -> None:
    settings = quick.choice.model_copy(update={"segments": 3})
    with pytest.raises(ValueError, match="3 segments cannot be formed from 2 different users"):
        choose_clustering(space_of(np.repeat([[0.0, 1.0], [5.0, 2.0]], 50, axis=0)), settings, 20, seed=0)

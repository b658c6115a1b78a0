"""Two groups are apart; the halves of one group are not, whatever its shape."""

from __future__ import annotations

import numpy as np
import pytest

from ml.segmentation.clusters import separation
from ml.segmentation.clusters.algorithms import KMeansSegments
from ml.segmentation.clusters.feature_space import FeatureSpace
from ml.segmentation.clusters.separation import (
    REFERENCES,
    find_weakest_pair,
    halve_by_means,
    is_divided,
    limit_for_rows,
    measure_separation,
    split_p_value,
)
from ml.segmentation.clusters.single_column import (
    find_single_column,
    list_single_columns,
)


def space_of(X: np.ndarray) -> FeatureSpace:
    return FeatureSpace(X - X.mean(axis=0), np.eye(X.shape[1]))


def test_the_separation_counts_deviations_along_the_line_between_the_means() -> None:
    Z = np.array([[0.0, 5.0], [2.0, -5.0], [10.0, 5.0], [12.0, -5.0]])
    assert measure_separation(Z, np.array([False, False, True, True])) == pytest.approx(10.0)
    assert measure_separation(np.array([[0.0], [0.0], [1.0]]), np.array([False, False, True])) == 1e3
    assert measure_separation(np.zeros((3, 1)), np.array([False, False, True])) == 0.0


def test_a_column_is_cut_where_two_means_fit_best() -> None:
    column = np.array([[0.0], [1.0], [2.0], [9.0], [10.0]])
    assert halve_by_means(column[None], 0)[0].tolist() == [False, False, False, True, True]


@pytest.mark.parametrize("shape", ["normal", "uniform", "exponential", "flags"])
def test_the_halves_of_one_group_are_seldom_called_apart(shape: str) -> None:
    called = 0
    for seed in range(20):
        generator = np.random.default_rng(seed)
        X = {
            "normal": generator.normal(size=(150, 4)) @ generator.normal(size=(4, 4)),
            "uniform": generator.uniform(size=(150, 4)),
            "exponential": generator.exponential(size=(150, 4)),
            "flags": (generator.random((150, 4)) < 0.4).astype(float),
        }[shape]
        space = space_of(X)
        called += split_p_value(space, halve_by_means(space.scores[None], seed)[0], seed) <= 0.05
    assert called <= 4  # the 99.7th percentile of a binomial with 20 draws of 5%


def test_two_groups_of_forty_are_apart_at_five_deviations() -> None:
    called = 0
    for seed in range(20):
        generator = np.random.default_rng(seed)
        group = np.repeat([0.0, 1.0], 40)
        space = space_of(generator.normal(size=(80, 3)) + 5.0 * group[:, None] * [1.0, 0.0, 0.0])
        called += split_p_value(space, halve_by_means(space.scores[None], seed)[0], seed) <= 0.1
    assert called >= 18


def test_the_weakest_pair_is_the_group_that_was_cut() -> None:
    generator = np.random.default_rng(0)
    X = np.concatenate([generator.normal(centre, 1.0, size=(100, 2)) for centre in ([0, 0], [12, 0], [0, 12])])
    space = space_of(X)
    labels = KMeansSegments(4, seed=0).fit(space.scores).predict(space.scores)
    cut = find_weakest_pair(space, labels, limit=0.1, seed=0)
    group = np.repeat([0, 1, 2], 100)
    assert set(group[labels == cut.first]) == set(group[labels == cut.second])
    assert cut.p_value > 0.1
    assert not cut.is_apart
    assert not find_weakest_pair(space, labels, limit=0.1, seed=0, least_limit=cut.p_value - 0.01).is_apart
    assert find_weakest_pair(space, labels, limit=0.1, seed=0, least_limit=cut.p_value).is_apart
    assert find_weakest_pair(space, group, limit=0.1, seed=0).p_value < 0.001


def test_reproduced_segments_are_groups_if_they_differ_in_several_columns() -> None:
    generator = np.random.default_rng(0)
    space = space_of(generator.normal(size=(200, 2)))
    labels = KMeansSegments(2, seed=0).fit(space.scores).predict(space.scores)
    for column, is_apart in ((None, True), (0, False)):
        pair = find_weakest_pair(
            space, labels, 0.1, 0, find_column=lambda users, labels, found=column: found, is_reproduced=True
        )
        assert pair.is_apart == is_apart
        assert pair.p_value > 0.1


def test_segments_that_differ_in_one_flag_are_one_group() -> None:
    generator = np.random.default_rng(0)
    flag = np.repeat([0, 1], 100)
    for column, is_apart in ((5.0 * flag, False), (5.0 * flag + generator.normal(size=200) / 9, True)):
        space = space_of(np.column_stack([column, generator.normal(size=(200, 2)) / 9]))
        pair = find_weakest_pair(space, flag, 1.0, 0, find_column=find_single_column)
        assert (pair.is_apart, pair.is_flag) == (is_apart, not is_apart)


def test_one_reference_that_is_cut_elsewhere_does_not_hide_two_groups(monkeypatch: pytest.MonkeyPatch) -> None:
    generator = np.random.default_rng(0)
    is_second = np.repeat([False, True], 100)
    space = space_of(generator.normal(size=(200, 3)) + 5.0 * is_second[:, None])
    measured = [measure_separation(space.scores, is_second), 90.0, *np.linspace(3.0, 3.4, REFERENCES - 1)]
    monkeypatch.setattr(separation, "measure_separation", lambda Z, halves: measured.pop(0))
    assert split_p_value(space, is_second, seed=0) == pytest.approx(2 / 21)  # one of twenty is as separated


@pytest.mark.parametrize(("rows", "limit"), [(10_000, 0.1), (400, 0.1), (100, 0.2), (44, 0.3), (10, 0.3)])
def test_the_limit_is_higher_among_few_users(rows: int, limit: float) -> None:
    assert limit_for_rows(0.1, rows) == pytest.approx(limit, abs=0.002)


def test_a_column_is_divided_by_two_modes_and_not_by_a_tail_a_zero_or_a_flag() -> None:
    generator = np.random.default_rng(1)
    two = generator.normal(size=400) + 6.0 * (generator.random(400) < 0.3)
    spent = np.where(generator.random(400) < 0.6, 0.0, generator.lognormal(3, 0.5, 400))
    assert is_divided(two, 0.01)
    for values in (
        generator.exponential(size=400),
        generator.uniform(size=400),
        spent,
        generator.integers(2, size=400),
    ):
        assert not is_divided(values.astype(float), 0.01)


def test_the_single_column_that_differs_between_groups_is_found() -> None:
    generator = np.random.default_rng(2)
    gender = generator.integers(2, size=300)
    noise = generator.normal(size=(300, 3))
    X = np.column_stack([noise[:, 0], gender, noise[:, 1:]])
    assert find_single_column(space_of(X), gender) == 1
    X[:, 3] += 2.0 * gender
    assert find_single_column(space_of(X), gender) is None
    assert find_single_column(space_of(noise), gender) is None


def test_columns_that_alone_divide_are_listed_and_a_category_is_one_column() -> None:
    generator = np.random.default_rng(3)
    region, gender = generator.integers(3, size=300), generator.integers(2, size=300)
    two_modes = generator.normal(size=300) + 7.0 * generator.integers(2, size=300)
    X = np.column_stack([generator.normal(size=300), np.eye(3)[region], gender, two_modes])
    space = FeatureSpace(X - X.mean(axis=0), np.eye(6), [[1, 2, 3]])
    assert list_single_columns(space, seed=0) == (1, 4, 5)
    rare = np.column_stack([X[:, 0], np.arange(300) < 20])
    assert list_single_columns(space_of(rare.astype(float)), seed=0) == ()

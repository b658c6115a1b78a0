from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import skew

from ml.segmentation.features.preparation import Components, Imputer, Scaler, SkewReducer, Winsorizer

NAN = math.nan


def test_missing_values_are_filled_by_the_rule_of_their_feature() -> None:
    X = np.array([[1.0, 1.0, 2.0, 1.0], [2.0, NAN, NAN, NAN], [9.0, 5.0, 4.0, 2.0], [NAN, 6.0, 6.0, 3.0]])
    imputer = Imputer(["a", "b_rate", "c", "d"], {"*_rate": "zero", "c": "mean", "d": 7}).fit(X)
    assert imputer.transform(X)[[3, 1, 1, 1], [0, 1, 2, 3]].tolist() == [2.0, 0.0, 4.0, 7.0]
    assert imputer.missing_.tolist() == [1, 1, 1, 1]


def test_constant_and_empty_features_are_dropped_and_named() -> None:
    X = np.array([[1.0, NAN, 3.0, NAN], [1.0, NAN, 4.0, 5.0]])
    imputer = Imputer(["same", "empty", "fine", "once"]).fit(X)
    assert imputer.dropped_ == [
        ["same", "every value is 1"],
        ["empty", "every value is missing"],
        ["once", "every value is 5"],
    ]
    assert imputer.kept_names == ["fine"]


def test_an_unknown_rule_for_missing_values_names_the_legal_ones() -> None:
    with pytest.raises(ValueError, match="missing rule 'guess' of a: legal are median, mean, zero or a number"):
        Imputer(["a"], {"a": "guess"}).fit(np.array([[1.0], [2.0]]))


def test_outliers_are_clipped_and_counted() -> None:
    X = np.concatenate([np.tile([-1.0, 0.0, 1.0], 1000), [1e6, -1e6]])[:, None]
    winsorizer = Winsorizer(limit=6.0).fit(X)
    reach = 6.0 * 1.4826 * 1.0  # the median distance of either side from the median is 1
    assert winsorizer.low_[0] == pytest.approx(-reach)
    assert winsorizer.high_[0] == pytest.approx(reach)
    assert winsorizer.changed_.tolist() == [2]
    assert winsorizer.transform(np.array([[50.0]]))[0, 0] == pytest.approx(reach)


def test_one_accident_among_a_hundred_users_is_clipped() -> None:
    X = np.random.default_rng(4).normal(size=(120, 1))
    X[4], X[5] = 1e300, -1e300
    winsorizer = Winsorizer(6.0)
    assert np.abs(winsorizer.fit_transform(X)).max() < 10
    assert winsorizer.changed_.tolist() == [2]


def test_a_feature_that_is_mostly_zero_keeps_its_long_tail() -> None:
    X = np.concatenate([np.zeros(900), np.arange(1.0, 101.0)])[:, None]
    winsorizer = Winsorizer(limit=6.0).fit(X)
    assert winsorizer.changed_.tolist() == [0]
    assert winsorizer.low_.tolist() == [0.0]


def test_a_skewed_feature_becomes_symmetric_and_a_symmetric_feature_stays() -> None:
    generator = np.random.default_rng(0)
    X = np.column_stack([generator.exponential(size=4000), generator.normal(size=4000)])
    reducer = SkewReducer(threshold=1.0).fit(X)
    made = reducer.transform(X)
    assert abs(skew(made[:, 0])) < 0.7
    assert skew(X[:, 0]) > 1.5
    np.testing.assert_array_equal(made[:, 1], X[:, 1])
    assert np.array_equal(np.argsort(made[:, 0]), np.argsort(X[:, 0]))


def test_factors_count_among_small_values_of_a_positive_feature_that_spans_orders_of_magnitude() -> None:
    size = np.exp(np.random.default_rng(2).normal(3.0, 1.5, size=2_000))
    X = np.column_stack([size, np.where(np.arange(2_000) < 5, 0.0, size)])
    reduced = SkewReducer().fit(X).transform(X)
    tenfold = np.array([[5.0, 5.0], [50.0, 50.0], [500.0, 500.0]])
    low, high = np.diff(SkewReducer().fit(X).transform(tenfold), axis=0)
    assert low[0] / high[0] == pytest.approx(1.0, abs=0.15)
    assert low[1] / high[1] < 0.75
    assert abs(float(((reduced[:, 0] - reduced[:, 0].mean()) ** 3).mean()) / reduced[:, 0].std() ** 3) < 0.2


def test_scaled_features_have_mean_0_and_deviation_1_and_constants_become_0() -> None:
    X = np.array([[1.0, 5.0], [3.0, 5.0], [5.0, 5.0]])
    scaled = Scaler().fit(X).transform(X)
    np.testing.assert_allclose(scaled, [[-np.sqrt(1.5), 0.0], [0.0, 0.0], [np.sqrt(1.5), 0.0]])


def test_flags_and_the_levels_of_a_category_weigh_as_one_number_together() -> None:
    generator = np.random.default_rng(0)
    level = generator.integers(4, size=1000)
    X = np.column_stack([generator.normal(size=1000), generator.integers(2, size=1000), np.eye(4)[level]])
    scaled = Scaler([1, 1, 4, 4, 4, 4]).fit(X).transform(X)
    np.testing.assert_allclose(scaled.var(axis=0), [1.0, 0.5, 0.25, 0.25, 0.25, 0.25])


def test_a_small_group_far_away_is_no_skew() -> None:
    generator = np.random.default_rng(1)
    tail = generator.lognormal(size=1000)
    groups = generator.normal(size=1000) + 9.0 * (np.arange(1000) < 150)
    X = np.column_stack([tail, groups])
    reducer = SkewReducer().fit(X)
    assert reducer.exponent_[0] < 1.0
    assert reducer.exponent_[1] == 1.0


def test_components_stay_as_long_as_they_carry_more_than_chance() -> None:
    generator = np.random.default_rng(1)
    factors = generator.normal(size=(2000, 3))
    X = np.repeat(factors, 3, axis=1) + 0.3 * generator.normal(size=(2000, 9))
    X = np.column_stack([X, generator.normal(size=(2000, 12))])
    components = Components().fit(X / X.std(axis=0))
    assert len(components.variance_) == 3
    assert components.kept_variance_ == pytest.approx(
        components.eigenvalues_[:3].sum() / components.eigenvalues_.sum()
    )
    scores = components.transform(X / X.std(axis=0))
    np.testing.assert_allclose(np.cov(scores, rowvar=False), np.diag(components.variance_), atol=0.01)


def test_without_correlation_two_components_remain() -> None:
    assert Components().fit(np.random.default_rng(2).normal(size=(1000, 21))).components_.shape == (2, 21)


def test_few_columns_are_kept_whole() -> None:
    X = np.random.default_rng(2).normal(size=(1000, 20))
    components = Components().fit(X)
    assert components.components_.shape == (20, 20)
    assert components.kept_variance_ == pytest.approx(1.0)


def test_a_single_feature_has_a_single_component() -> None:
    assert Components().fit(np.arange(10.0)[:, None]).components_.tolist() == [[1.0]]

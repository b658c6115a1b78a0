from __future__ import annotations

import math

import numpy as np

from ml.segmentation.features.feature_selection import (
    FeatureSelector,
    benjamini_hochberg,
    mutual_information,
    quantile_codes,
    rank_correlations,
)


def test_mutual_information_of_worked_tables() -> None:
    same, crossed, constant = np.array([0, 0, 1, 1]), np.array([0, 1, 0, 1]), np.zeros(4, dtype=np.int64)
    between, degrees = mutual_information([same, same, crossed, constant])
    half = math.log(2)
    np.testing.assert_allclose(
        between, [[half, half, 0, 0], [half, half, 0, 0], [0, 0, half, 0], [0, 0, 0, 0]], atol=1e-12
    )
    assert degrees.tolist() == [[1, 1, 1, 0], [1, 1, 1, 0], [1, 1, 1, 0], [0, 0, 0, 0]]


def test_benjamini_and_hochberg_reject_up_to_the_last_p_value_below_the_line() -> None:
    p_values = np.array([0.5, 0.001, 0.035, 0.02, 0.9])  # lines at .01, .02, .03, .04, .05 in order of size
    assert benjamini_hochberg(p_values, 0.05).tolist() == [False, True, False, True, False]
    assert not benjamini_hochberg(np.array([0.2, 0.9]), 0.05).any()


def test_equal_values_share_a_bin() -> None:
    codes = quantile_codes(np.array([0.0] * 90 + [1.0] * 5 + [2.0] * 5))
    assert len(set(codes[:90])) == 1
    assert codes[0] != codes[99]


def test_rank_correlations_ignore_the_scale() -> None:
    x = np.arange(1.0, 30.0)
    np.testing.assert_allclose(rank_correlations(np.column_stack([x, np.exp(x), -x]))[0], [1, 1, -1])


def test_redundant_and_irrelevant_features_are_dropped_with_a_reason() -> None:
    generator = np.random.default_rng(0)
    signal = generator.normal(size=3000)
    X = np.column_stack(
        [
            signal,
            np.exp(signal) + 1e-3 * generator.normal(size=3000),
            signal + generator.normal(size=3000),
            generator.normal(size=3000),
        ]
    )
    selector = FeatureSelector(["views", "views_again", "clicks", "dice"]).fit(X)
    assert [name for name, _ in selector.dropped_] == ["dice", "views_again"] or [
        name for name, _ in selector.dropped_
    ] == ["dice", "views"]
    reasons = dict(selector.dropped_)
    assert reasons["dice"].startswith("not associated with anything")
    assert "redundant with views" in next(reason for name, reason in selector.dropped_ if name != "dice")
    assert "clicks" in selector.kept_names


def test_a_feature_that_is_only_associated_with_an_outcome_is_kept() -> None:
    generator = np.random.default_rng(1)
    X = generator.normal(size=(3000, 3))
    bought = (X[:, 1] + generator.normal(size=3000) > 1).astype(float)[:, None]
    selector = FeatureSelector(["a", "b", "c"], ["purchases"]).fit(X, bought)
    assert selector.kept_names == ["b"]
    assert selector.partner_[1] == "purchases"


def test_a_weak_monotone_association_among_few_users_is_seen() -> None:
    generator = np.random.default_rng(4)
    signal = generator.normal(size=200)
    X = np.column_stack([signal, signal + generator.normal(size=200), signal + 3 * generator.normal(size=200)])
    assert FeatureSelector(["a", "b", "weak"]).fit(X).kept_names == ["a", "b", "weak"]


def test_without_any_association_all_features_are_kept() -> None:
    selector = FeatureSelector(["a", "b", "c"]).fit(np.random.default_rng(2).normal(size=(2000, 3)))
    assert selector.kept_names == ["a", "b", "c"]


def test_levels_of_a_category_are_no_evidence_for_each_other() -> None:
    """The levels of a code of noise exclude each other; those of the other code follow a feature."""
    random = np.random.default_rng(0)
    first = random.normal(size=400)
    second = first + random.normal(size=400)
    noise, linked = random.integers(0, 4, 400), np.digitize(first + random.normal(0, 0.5, 400), (-0.5, 0.5))
    X = np.column_stack([first, second, *(noise == level for level in range(4)), *(linked == n for n in range(3))])
    names = ["first", "second", *(f"noise={n}" for n in range(4)), *(f"linked={n}" for n in range(3))]
    selector = FeatureSelector(names, categories=[[2, 3, 4, 5], [6, 7, 8]]).fit(X.astype(np.float64))
    assert selector.kept_names == ["first", "second", "linked=0", "linked=1", "linked=2"]
    assert [name for name, _ in selector.dropped_] == ["noise=0", "noise=1", "noise=2", "noise=3"]
    apart = FeatureSelector(names).fit(X.astype(np.float64))
    assert "noise=0" in apart.kept_names

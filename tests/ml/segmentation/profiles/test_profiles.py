from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import ttest_ind

from ml.segmentation.profiles.names import name_segment
from ml.segmentation.profiles.profiles import SegmentProfile, Trait, build_profile_table, compute_traits

WORDS = {
    "before": {"daypart_shares:*": "{key}", "device_shares:mobile": "phone"},
    "noun": {"search_rate": "searchers", "otherwise": "visitors"},
    "after": {"category_shares:*": "of {key}"},
}


def test_an_effect_is_the_difference_in_pooled_deviations() -> None:
    X = np.array([[4.0, 1.0], [6.0, 1.0], [0.0, 1.0], [2.0, 1.0]])
    first, second = compute_traits(X, ["visits", "same"], np.array([True, True, False, False]), segments=1)
    # means 5 and 1; squared deviations 2 + 2 over 4 - 2 degrees of freedom: pooled deviation sqrt(2)
    # Welch's t is 4 / sqrt(2 / 2 + 2 / 2) = 2.83 with 2 degrees of freedom: p = .106
    assert first == Trait("visits", 5.0, 1.0, pytest.approx(4 / np.sqrt(2)), is_certain=False)
    assert second == Trait("same", 1.0, 1.0, 0.0, is_certain=False)


def test_names_combine_the_strongest_traits_that_have_phrases() -> None:
    traits = [
        Trait("category_shares:sport", 0.6, 0.1, 2.0, is_certain=True),
        Trait("daypart_shares:evening", 0.7, 0.2, 1.5, is_certain=True),
        Trait("device_shares:mobile", 0.9, 0.4, 1.0, is_certain=True),
        Trait("search_rate", 0.2, 0.1, 0.5, is_certain=True),
    ]
    assert name_segment(4, traits, WORDS, []) == "Evening searchers of sport"


def test_a_name_that_is_taken_gets_another_word() -> None:
    traits = [
        Trait("category_shares:sport", 0.6, 0.1, 2.0, is_certain=True),
        Trait("daypart_shares:evening", 0.7, 0.2, 1.5, is_certain=True),
        Trait("category_shares:travel", 0.3, 0.1, 0.9, is_certain=True),
    ]
    first = name_segment(4, traits, WORDS, [])
    second = name_segment(4, traits, WORDS, [first])
    assert (first, second) == ("Evening visitors of sport", "Evening visitors of sport and travel")


def test_what_is_usual_names_a_segment_before_what_is_only_rare_elsewhere() -> None:
    traits = [
        Trait("device_shares:tv", 0.3, 0.01, 2.0, is_certain=True),
        Trait("daypart_shares:evening", 0.6, 0.3, 0.9, is_certain=True),
        Trait("device_shares:desktop", 0.5, 0.5, 0.0, is_certain=True),
    ]
    words = {"before": {"daypart_shares:*": "{key}", "device_shares:*": "{key}"}}
    first = name_segment(4, traits, words, [])
    assert (first, name_segment(4, traits, words, [first])) == ("Evening visitors", "Evening tv visitors")


def test_less_of_a_feature_can_have_a_word_too() -> None:
    traits = [
        Trait("tenure_days", 20.0, 200.0, -1.5, is_certain=True),
        Trait("recency_days", 90.0, 20.0, 0.8, is_certain=True),
    ]
    words = {"before": {"low tenure_days": "new", "recency_days": "lapsed", "tenure_days": "old"}}
    assert name_segment(4, traits, words, []) == "New visitors"


def test_features_without_words_say_high_and_low() -> None:
    traits = [Trait("f3", 2.0, 0.0, 2.0, is_certain=True), Trait("f1", -1.0, 0.0, -1.5, is_certain=True)]
    assert name_segment(4, traits, {}, []) == "High f3, low f1"


@pytest.mark.parametrize(
    ("effect", "is_certain", "name"),
    [(0.8, True, "Evening visitors"), (0.8, False, "Segment 4"), (0.3, True, "Segment 4")],
)
def test_only_a_large_and_certain_difference_names_a_segment(effect: float, is_certain: bool, name: str) -> None:
    traits = [Trait("daypart_shares:evening", 0.24, 0.22, effect, is_certain)]
    assert name_segment(4, traits, WORDS, []) == name


def test_a_difference_is_certain_only_if_it_outlasts_the_number_of_comparisons() -> None:
    generator = np.random.default_rng(0)
    inside = np.arange(200) < 100
    x = np.concatenate([generator.normal(0.4, 1.0, 100), generator.normal(0.0, 1.0, 100)])
    p_value = ttest_ind(x[:100], x[100:], equal_var=False).pvalue
    assert 0.05 / 1000 < p_value < 0.05 / 100
    few = compute_traits(np.column_stack([x, x]), ["a", "b"], inside, segments=2)
    many = compute_traits(np.column_stack([x, x]), ["a", "b"], inside, segments=500)
    assert [trait.is_certain for trait in (*few, *many)] == [True, True, False, False]


def test_noise_is_seldom_called_certain() -> None:
    """Random segments of random features: in at most 5% of the tables may any of 48 differences be claimed."""
    generator = np.random.default_rng(1)
    claims = 0
    for _ in range(200):
        X, labels = generator.normal(size=(300, 12)), generator.integers(4, size=300)
        names = [f"f{j}" for j in range(12)]
        claims += any(t.is_certain for k in range(4) for t in compute_traits(X, names, labels == k, segments=4))
    assert claims <= 17  # the 99th percentile of a binomial with 200 draws of 5%


def test_the_mart_has_a_row_for_each_described_segment() -> None:
    table = build_profile_table(
        [SegmentProfile(1, "Many", 20, 0.7, (Trait("f", 1.0, 0.0, 1.0, is_certain=True),), (), ("a",))]
    )
    row = table.to_pylist()[0]
    assert (row["name"], row["agree"], row["behaviour"]) == ("Many", 0, None)
    assert row["traits"] == [{"feature": "f", "mean": 1.0, "mean_outside": 0.0, "effect": 1.0}]

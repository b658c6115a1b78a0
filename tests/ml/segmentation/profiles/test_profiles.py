from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import ttest_ind

from ml.segmentation.profiles.member_values import MemberValues
from ml.segmentation.profiles.names import name_segment
from ml.segmentation.profiles.profiles import SegmentProfile, Trait, build_profile_table, compute_traits

WORDS = {
    "before": {"daypart_shares:*": "{key}", "device_shares:mobile": "phone"},
    "noun": {"search_rate": "searchers", "otherwise": "visitors"},
    "after": {"category_shares:*": "of {key}"},
}


def traits_of(X: np.ndarray, names: list[str], inside: np.ndarray, segments: int) -> tuple[Trait, ...]:
    """The traits of a segment where everybody shaped the segments."""
    a, b = X[inside], X[~inside]
    parts = (a.mean(0), b.mean(0), np.median(a, 0), np.median(b, 0), np.ones(X.shape[1]))
    averages = MemberValues(*(part[None] for part in parts))
    return compute_traits(X, names, inside, segments, averages, 0)


def test_an_effect_is_the_difference_in_pooled_deviations() -> None:
    X = np.array([[4.0, 1.0], [6.0, 1.0], [0.0, 1.0], [2.0, 1.0]])
    first, second = traits_of(X, ["visits", "same"], np.array([True, True, False, False]), segments=1)
    # means 5 and 1; squared deviations 2 + 2 over 4 - 2 degrees of freedom: pooled deviation sqrt(2)
    # Welch's t is 4 / sqrt(2 / 2 + 2 / 2) = 2.83 with 2 degrees of freedom: p = .106
    assert first == Trait("visits", 5.0, 1.0, pytest.approx(4 / np.sqrt(2)), is_certain=False)
    assert second == Trait("same", 1.0, 1.0, 0.0, is_certain=False, is_usual=False)


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


def test_what_is_only_rare_elsewhere_is_not_said_of_the_whole_segment() -> None:
    traits = [
        Trait("device_shares:tv", 0.3, 0.01, 2.0, is_certain=True),
        Trait("daypart_shares:evening", 0.6, 0.3, 0.9, is_certain=True),
        Trait("device_shares:desktop", 0.5, 0.5, 0.0, is_certain=True),
    ]
    words = {"before": {"daypart_shares:*": "{key}", "device_shares:*": "{key}"}}
    first = name_segment(4, traits, words, [])
    assert (first, name_segment(4, traits, words, [first])) == ("Evening visitors", "High tv, high evening")


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
    own = [replace(traits[0], feature="NumWebVisits"), replace(traits[1], feature="Income (k$)")]
    assert name_segment(4, own, {}, []) == "High NumWebVisits, low Income (k$)"


@pytest.mark.parametrize(
    ("effect", "is_certain", "name"),
    [(0.8, True, "Evening visitors"), (0.8, False, "Segment 4"), (0.3, True, "Segment 4")],
)
def test_only_a_large_and_certain_difference_names_a_segment(effect: float, is_certain: bool, name: str) -> None:
    traits = [Trait("daypart_shares:evening", 0.64, 0.42, effect, is_certain)]
    assert name_segment(4, traits, WORDS, []) == name


def test_what_a_few_do_much_more_is_not_said_of_the_whole_segment() -> None:
    """Of 100 people 7 came 200 times and 93 once; of the others everybody came twice."""
    visits = np.array([200.0] * 7 + [1.0] * 93 + [2.0] * 100)
    (trait,) = traits_of(visits[:, None], ["sessions"], np.arange(200) < 100, segments=2)
    assert (trait.mean, trait.mean_outside, trait.is_usual) == (pytest.approx(14.93), 2.0, False)
    sure = replace(trait, effect=0.9, is_certain=True)
    words = {"noun": {"sessions": "regulars", "otherwise": "visitors"}}
    assert name_segment(4, [sure], words, []) == "Segment 4"
    assert name_segment(4, [replace(sure, is_usual=True)], words, []) == "Regulars"


def test_what_only_those_of_whom_much_is_known_do_is_not_certain_of_all() -> None:
    X = np.concatenate([np.random.default_rng(0).normal(place, 1.0, (100, 1)) for place in (3.0, 0.0)])
    inside = np.arange(200) < 100
    everybody = MemberValues(*(np.array([[value]]) for value in (1.0, 1.2, 1.0, 1.2, 1.0)))
    (trait,) = compute_traits(X, ["f"], inside, 2, everybody, 0)
    assert (trait.mean, trait.mean_outside, trait.is_certain, trait.is_usual) == (1.0, 1.2, False, False)
    assert traits_of(X, ["f"], inside, 2)[0].is_certain
    for known_share, is_certain in ((0.6, True), (0.4, False)):
        values = MemberValues(*(np.array([[value]]) for value in (3.0, 0.0, 3.0, 0.0, known_share)))
        assert compute_traits(X, ["f"], inside, 2, values, 0)[0].is_certain == is_certain


def test_a_difference_is_certain_only_if_it_outlasts_the_number_of_comparisons() -> None:
    generator = np.random.default_rng(0)
    inside = np.arange(200) < 100
    x = np.concatenate([generator.normal(0.4, 1.0, 100), generator.normal(0.0, 1.0, 100)])
    p_value = ttest_ind(x[:100], x[100:], equal_var=False).pvalue
    assert 0.05 / 1000 < p_value < 0.05 / 100
    few = traits_of(np.column_stack([x, x]), ["a", "b"], inside, segments=2)
    many = traits_of(np.column_stack([x, x]), ["a", "b"], inside, segments=500)
    assert [trait.is_certain for trait in (*few, *many)] == [True, True, False, False]


def test_noise_is_seldom_called_certain() -> None:
    """Random segments of random features: in at most 5% of the tables may any of 48 differences be claimed."""
    generator = np.random.default_rng(1)
    claims = 0
    for _ in range(200):
        X, labels = generator.normal(size=(300, 12)), generator.integers(4, size=300)
        names = [f"f{j}" for j in range(12)]
        claims += any(t.is_certain for k in range(4) for t in traits_of(X, names, labels == k, segments=4))
    assert claims <= 17  # the 99th percentile of a binomial with 200 draws of 5%


def test_the_mart_has_a_row_for_each_described_segment() -> None:
    table = build_profile_table(
        [SegmentProfile(1, "Many", 20, 0.7, (Trait("f", 1.0, 0.0, 1.0, is_certain=True),), (), ("a",))]
    )
    row = table.to_pylist()[0]
    assert (row["name"], row["agree"], row["behaviour"]) == ("Many", 0, None)
    assert row["traits"] == [{"feature": "f", "mean": 1.0, "mean_outside": 0.0, "effect": 1.0}]

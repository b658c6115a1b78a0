from __future__ import annotations

import numpy as np
import pytest

from ml.segmentation.profiles.names import name_segment
from ml.segmentation.profiles.profiles import SegmentProfile, Trait, build_profile_table, compute_traits

WORDS = {
    "before": {"daypart_shares:*": "{key}", "device_shares:mobile": "phone"},
    "noun": {"search_rate": "searchers", "otherwise": "visitors"},
    "after": {"category_shares:*": "of {key}"},
}


def test_an_effect_is_the_difference_in_pooled_deviations() -> None:
    X = np.array([[4.0, 1.0], [6.0, 1.0], [0.0, 1.0], [2.0, 1.0]])
    first, second = compute_traits(X, ["visits", "same"], np.array([True, True, False, False]))
    # means 5 and 1; squared deviations 2 + 2 over 4 - 2 degrees of freedom: pooled deviation sqrt(2)
    assert first == Trait("visits", 5.0, 1.0, pytest.approx(4 / np.sqrt(2)))
    assert second == Trait("same", 1.0, 1.0, 0.0)


def test_names_combine_the_strongest_traits_that_have_phrases() -> None:
    traits = [
        Trait("category_shares:sport", 0.6, 0.1, 2.0),
        Trait("daypart_shares:evening", 0.7, 0.2, 1.5),
        Trait("device_shares:mobile", 0.9, 0.4, 1.0),
        Trait("search_rate", 0.2, 0.1, 0.5),
    ]
    assert name_segment(traits, WORDS, []) == "Evening searchers of sport"


def test_a_name_that_is_taken_gets_another_word() -> None:
    traits = [
        Trait("category_shares:sport", 0.6, 0.1, 2.0),
        Trait("daypart_shares:evening", 0.7, 0.2, 1.5),
        Trait("category_shares:travel", 0.3, 0.1, 0.9),
    ]
    first = name_segment(traits, WORDS, [])
    second = name_segment(traits, WORDS, [first])
    assert (first, second) == ("Evening visitors of sport", "Evening visitors of sport and travel")


def test_what_is_usual_names_a_segment_before_what_is_only_rare_elsewhere() -> None:
    traits = [
        Trait("device_shares:tv", 0.3, 0.01, 2.0),
        Trait("daypart_shares:evening", 0.6, 0.3, 0.9),
        Trait("device_shares:desktop", 0.5, 0.5, 0.0),
    ]
    words = {"before": {"daypart_shares:*": "{key}", "device_shares:*": "{key}"}}
    first = name_segment(traits, words, [])
    assert (first, name_segment(traits, words, [first])) == ("Evening visitors", "Evening tv visitors")


def test_less_of_a_feature_can_have_a_word_too() -> None:
    traits = [Trait("tenure_days", 20.0, 200.0, -1.5), Trait("recency_days", 90.0, 20.0, 0.8)]
    words = {"before": {"low tenure_days": "new", "recency_days": "lapsed", "tenure_days": "old"}}
    assert name_segment(traits, words, []) == "New visitors"


def test_features_without_words_say_high_and_low() -> None:
    traits = [Trait("f3", 2.0, 0.0, 2.0), Trait("f1", -1.0, 0.0, -1.5)]
    assert name_segment(traits, {}, []) == "High f3, low f1"


def test_segments_without_traits_are_numbered() -> None:
    traits = [Trait("f3", 0.0, 0.0, 0.01)]
    assert name_segment(traits, WORDS, ["Average users"]) == "Average users 2"


def test_the_mart_has_a_row_for_each_described_segment() -> None:
    table = build_profile_table([SegmentProfile(1, "Many", 20, 0.7, (Trait("f", 1.0, 0.0, 1.0),), (), ("a",))])
    row = table.to_pylist()[0]
    assert (row["name"], row["agree"], row["behaviour"]) == ("Many", 0, None)
    assert row["traits"] == [{"feature": "f", "mean": 1.0, "mean_outside": 0.0, "effect": 1.0}]

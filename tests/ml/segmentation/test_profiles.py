from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from ml.segmentation.naming import name_segment
from ml.segmentation.profiles import Profile, Trait, profile_table, text_columns, traits, word_shares

WORDS = {
    "before": {"daypart_shares:*": "{key}", "device_shares:mobile": "phone"},
    "noun": {"search_rate": "searchers", "otherwise": "visitors"},
    "after": {"category_shares:*": "of {key}"},
}


def test_an_effect_is_the_difference_in_pooled_deviations() -> None:
    X = np.array([[4.0, 1.0], [6.0, 1.0], [0.0, 1.0], [2.0, 1.0]])
    first, second = traits(X, ["visits", "same"], np.array([True, True, False, False]))
    # means 5 and 1; squared deviations 2 + 2 over 4 - 2 degrees of freedom: pooled deviation sqrt(2)
    assert first == Trait("visits", 5.0, 1.0, pytest.approx(4 / np.sqrt(2)))
    assert second == Trait("same", 1.0, 1.0, 0.0)


def test_words_are_told_where_they_are_more_frequent_than_outside() -> None:
    table = pa.table(
        {"user_id": list("abcd"), "device": ["tv", "tv", "pc", None], "likes": [["x", "y"], ["x"], [], ["y"]]}
    )
    found = word_shares(table, np.array([True, True, False, False]), ["device", "likes"], 1)
    assert [(w.column, w.word, w.share, w.share_outside) for w in found] == [
        ("device", "tv", 1.0, 0.0),
        ("likes", "x", 1.0, 0.0),
    ]


def test_places_count_only_users_who_consent_to_location_and_enough_of_them() -> None:
    table = pa.table(
        {
            "user_id": list("abcd"),
            "country": ["DE", "DE", "FR", "FR"],
            "consents": [["location"], ["analytics"], ["location"], ["location"]],
        }
    )
    inside = np.array([True, True, False, False])
    assert [(w.word, w.share) for w in word_shares(table, inside, ["country"], 1)] == [("DE", 1.0)]
    assert word_shares(table, inside, ["country"], 2) == ()
    assert word_shares(table.drop_columns(["consents"]), inside, ["country"], 1) == ()


def test_ids_and_consents_describe_nobody() -> None:
    table = pa.table(
        {"user_id": ["a"], "visitor_id": ["x"], "consents": [["location"]], "channel": ["mail"], "n": [1]}
    )
    assert text_columns(table) == ["channel"]


def test_names_are_made_of_the_strongest_traits_with_words() -> None:
    found = [
        Trait("category_shares:sport", 0.6, 0.1, 2.0),
        Trait("daypart_shares:evening", 0.7, 0.2, 1.5),
        Trait("device_shares:mobile", 0.9, 0.4, 1.0),
        Trait("search_rate", 0.2, 0.1, 0.5),
    ]
    assert name_segment(found, WORDS, []) == "Evening searchers of sport"


def test_a_name_that_is_taken_gets_another_word() -> None:
    found = [
        Trait("category_shares:sport", 0.6, 0.1, 2.0),
        Trait("daypart_shares:evening", 0.7, 0.2, 1.5),
        Trait("category_shares:travel", 0.3, 0.1, 0.9),
    ]
    first = name_segment(found, WORDS, [])
    second = name_segment(found, WORDS, [first])
    assert (first, second) == ("Evening visitors of sport", "Evening visitors of sport and travel")


def test_features_without_words_say_high_and_low() -> None:
    found = [Trait("f3", 2.0, 0.0, 2.0), Trait("f1", -1.0, 0.0, -1.5)]
    assert name_segment(found, {}, []) == "High f3, low f1"


def test_users_like_all_others_are_numbered() -> None:
    found = [Trait("f3", 0.0, 0.0, 0.01)]
    assert name_segment(found, WORDS, ["Average users"]) == "Average users 2"


def test_nothing_is_published_about_a_small_segment() -> None:
    profiles = [
        Profile(1, "Many", 20, 0.7, (Trait("f", 1.0, 0.0, 1.0),), (), ("a",)),
        Profile(2, "Few", 19, 0.3, (), (), ()),
    ]
    table = profile_table(profiles, 20)
    assert table["name"].to_pylist() == ["Many"]
    assert table["traits"].to_pylist()[0] == [{"feature": "f", "mean": 1.0, "mean_outside": 0.0, "effect": 1.0}]

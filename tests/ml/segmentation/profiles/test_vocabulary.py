from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from ml.segmentation.profiles.vocabulary import compute_interests, compute_word_shares, select_text_columns

HINTS = {"location": ["country"], "personalization": ["age*"]}
SHARES = pa.map_(pa.string(), pa.float64())


def test_words_are_reported_where_they_are_more_frequent_than_outside() -> None:
    table = pa.table(
        {"user_id": list("abcd"), "device": ["tv", "tv", "pc", None], "likes": [["x", "y"], ["x"], [], ["y"]]}
    )
    words = compute_word_shares(table, np.array([True, True, False, False]), ["device", "likes"], 1, {})
    assert [(w.column, w.word, w.share, w.share_outside) for w in words] == [
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
    assert [(w.word, w.share) for w in compute_word_shares(table, inside, ["country"], 1, HINTS)] == [("DE", 1.0)]
    assert compute_word_shares(table, inside, ["country"], 2, HINTS) == ()
    assert compute_word_shares(table.drop_columns(["consents"]), inside, ["country"], 1, HINTS) == ()


def test_ids_and_consents_describe_nobody() -> None:
    table = pa.table(
        {"user_id": ["a"], "visitor_id": ["x"], "consents": [["location"]], "channel": ["mail"], "n": [1]}
    )
    assert select_text_columns(table) == ["channel"]


def test_age_is_disclosed_only_for_users_who_granted_personalization() -> None:
    table = pa.table(
        {"user_id": list("abc"), "age_group": ["20s", "20s", "60s"], "consents": [["personalization"], [], None]}
    )
    inside = np.array([True, True, False])
    assert [(w.word, w.share) for w in compute_word_shares(table, inside, ["age_group"], 1, HINTS)] == [
        ("20s", 1.0)
    ]
    assert compute_word_shares(table, inside, ["age_group"], 2, HINTS) == ()


def test_interests_are_mean_affinities_that_enough_users_share() -> None:
    affinities = [[("sport", 1.0)], [("sport", 0.5), ("food", 0.5)], None, [("food", 0.8), ("sport", 0.2)]]
    table = pa.table({"user_id": list("abcd"), "category_affinities": pa.array(affinities, SHARES)})
    inside = np.array([True, True, True, False])
    # the mean counts the two users of the segment whose affinities are known
    interest, *more = compute_interests(table, inside, 2)
    assert (interest.word, interest.share, interest.share_outside) == ("sport", 0.75, pytest.approx(0.2))
    assert more == []

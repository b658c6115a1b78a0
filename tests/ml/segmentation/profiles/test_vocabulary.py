from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pyarrow as pa
import pytest
from scipy.stats import fisher_exact

from ml.segmentation.profiles.vocabulary import (
    WordShare,
    compute_interests,
    compute_word_shares,
    select_text_columns,
)

HINTS = {"location": ["country"], "personalization": ["age*"]}
SHARES = pa.map_(pa.string(), pa.float64())
TIMES = 10  # how often each row of an example is repeated, so that differences are certain


def words_of(
    table: pa.Table,
    inside: Sequence[bool],
    column: str,
    minimum_size: int = TIMES,
    hints: Mapping[str, Sequence[str]] = HINTS,
) -> list[WordShare]:
    """The words of a column, with each row of the table ten times."""
    return list(
        compute_word_shares(
            pa.concat_tables([table] * TIMES).combine_chunks(),
            np.tile(inside, TIMES),
            [column],
            minimum_size=minimum_size,
            hints=hints,
            segments=2,
        )
    )


def test_words_are_reported_where_they_are_more_frequent_than_outside() -> None:
    table = pa.table({"device": ["tv", "tv", "pc", None], "likes": [["x", "y", "x"], ["x"], [], ["y"]]})
    inside = [True, True, False, False]
    assert words_of(table, inside, "device") == [WordShare("device", "tv", 1.0, 0.0)]
    assert words_of(table, inside, "likes") == [WordShare("likes", "x", 1.0, 0.0)]


def test_a_word_is_reported_only_if_its_difference_is_certain_among_all_words() -> None:
    """12 of 40 against 3 of 40, by Fisher's test; the other words are as frequent inside as outside."""
    p_value = fisher_exact([[12, 28], [3, 37]], alternative="greater").pvalue
    assert 0.05 / 50 < p_value < 0.05 / 2
    inside = np.arange(80) < 40
    words = ["jazz"] * 12 + ["other"] * 28 + ["jazz"] * 3 + ["other"] * 37

    def report(segments: int) -> list[str]:
        settings = {"minimum_size": 1, "hints": {}, "segments": segments}
        return [w.word for w in compute_word_shares(pa.table({"music": words}), inside, ["music"], **settings)]

    assert report(segments=1) == ["jazz"]
    assert report(segments=25) == []


def test_places_count_only_users_who_consent_to_location_and_enough_of_them() -> None:
    table = pa.table(
        {
            "country": ["DE", "DE", "FR", "FR"],
            "consents": [["location"], ["analytics"], ["location"], ["location"]],
        }
    )
    inside = [True, True, False, False]
    assert [(w.word, w.share) for w in words_of(table, inside, "country")] == [("DE", 1.0)]
    assert words_of(table, inside, "country", minimum_size=TIMES + 1) == []
    assert words_of(table.drop_columns(["consents"]), inside, "country") == []


def test_ids_and_consents_describe_nobody() -> None:
    table = pa.table(
        {"user_id": ["a"], "visitor_id": ["x"], "consents": [["location"]], "channel": ["mail"], "n": [1]}
    )
    assert select_text_columns(table) == ["channel"]


def test_age_is_disclosed_only_for_users_who_granted_personalization() -> None:
    granted = [["personalization"], [], ["personalization"]]
    table = pa.table({"age_group": ["20s", "20s", "60s"], "consents": granted})
    inside = [True, True, False]
    assert [(w.word, w.share) for w in words_of(table, inside, "age_group")] == [("20s", 1.0)]
    assert words_of(table, inside, "age_group", minimum_size=TIMES + 1) == []


def test_interests_are_mean_affinities_that_enough_users_share() -> None:
    affinities = [[("sport", 1.0)], [("sport", 0.5), ("food", 0.5)], None, [("food", 0.8), ("sport", 0.2)]]
    table = pa.table({"category_affinities": pa.array(affinities * TIMES, SHARES)})
    inside = np.tile([True, True, True, False], TIMES)
    # the mean counts the two users in ten of the segment whose affinities are known
    interest, *more = compute_interests(table, inside, 2 * TIMES, segments=2)
    assert (interest.word, interest.share) == ("sport", 0.75)
    assert interest.share_outside == pytest.approx(0.2)
    assert more == []


def test_an_interest_of_chance_is_not_reported() -> None:
    generator = np.random.default_rng(0)
    affinities = [[(f"topic {j}", float(generator.exponential())) for j in range(40)] for _ in range(100)]
    table = pa.table({"category_affinities": pa.array(affinities, SHARES)})
    inside = np.arange(100) < 30
    assert compute_interests(table, inside, 1, segments=3) == ()

"""What ratings say of taste, worked out by hand."""

import numpy as np
import pyarrow as pa
import pytest

from ml.dataset.interactions import Interactions
from ml.dataset.ratings import RatingReading


def rated(rows, **columns):
    """Interactions of rows of user, item and rating, and a reading of them."""
    users, items, ratings = zip(*rows, strict=True)
    table = pa.table({"user_id": users, "item_id": items, "rating": pa.array(ratings, pa.float64()), **columns})
    return Interactions.from_table(table)


def weight_of(pairs):
    return {(row["user_id"], row["item_id"]): row["weight"] for row in pairs.to_table().to_pylist()}


def column_of(values):
    """A reading of one rating of each of many users."""
    return rated([(f"u{place:03}", "i", value) for place, value in enumerate(values)])


STARS = rated(
    [("a", "w", 1), ("a", "x", 2), ("a", "y", 4), ("a", "z", 5), ("b", "x", 5), ("b", "y", 5), ("b", "z", 5)]
)
MEAN = 27 / 7
MEAN_A, MEAN_B = (12 + 5 * MEAN) / 9, (15 + 5 * MEAN) / 8


def test_a_quarter_of_the_scale_above_the_mean_of_the_user_doubles_the_weight_and_the_lowest_is_a_rejection():
    weights = weight_of(RatingReading.learn(STARS).weigh(STARS))
    assert weights["a", "w"] == -1
    assert weights["a", "x"] == pytest.approx(2 ** (2 - MEAN_A))
    assert weights["a", "z"] == pytest.approx(2 ** (5 - MEAN_A))
    assert weights["a", "z"] == pytest.approx(2 * weights["a", "y"])
    assert weights["b", "x"] == pytest.approx(2 ** (5 - MEAN_B))


def test_a_limit_that_is_given_holds_for_everybody():
    weights = weight_of(RatingReading.learn(STARS, liked_from=5).weigh(STARS))
    assert [pair for pair, weight in weights.items() if weight < 0] == [("a", "w"), ("a", "x"), ("a", "y")]


def test_a_limit_that_is_given_holds_below_the_scale_of_the_training():
    reading = RatingReading.learn(rated([("a", "x", 5.0), ("b", "x", 5.0)]), liked_from=4)
    later = weight_of(reading.weigh(rated([("a", "y", 1.0), ("b", "y", 4.0)])))
    assert later["a", "y"] == -1
    assert later["b", "y"] > 0


def test_a_limit_that_nothing_reaches_is_refused():
    with pytest.raises(ValueError, match="no rating is 6 or more: they go up to 5"):
        RatingReading.learn(STARS, liked_from=6)


def test_somebody_who_gives_low_ratings_to_everything_likes_the_best_of_them():
    low = [("strict", f"i{item}", 0.5 + 2 * (item % 2)) for item in range(100)]
    pairs = rated([*low, *[("kind", f"i{item}", 10.0) for item in range(100)], ("kind", "worst", 0.5)])
    weights = weight_of(RatingReading.learn(pairs).weigh(pairs))
    # The scale is .5 to 10, a quarter of it 2.875: below it, but not below the mean of the one who is strict.
    assert weights["strict", "i1"] > 0 > weights["strict", "i0"]


@pytest.mark.parametrize("factor", [1.0, 0.5, 20.0])
def test_the_scale_makes_no_difference(factor):
    scaled = rated(
        [(row["user_id"], row["item_id"], row["rating"] * factor) for row in STARS.to_table().to_pylist()]
    )
    first, second = RatingReading.learn(STARS).weigh(STARS), RatingReading.learn(scaled).weigh(scaled)
    np.testing.assert_allclose(first.weights, second.weights, rtol=1e-5)


def test_on_a_scale_on_both_sides_of_zero_the_sign_decides():
    pairs = rated([("a", "x", -9), ("a", "y", -0.5), ("a", "z", 0), ("b", "x", 0.5), ("b", "y", 9)])
    assert np.sign(RatingReading.learn(pairs).weigh(pairs).weights).tolist() == [-1, -1, 0, 1, 1]


def test_thumbs_are_liked_and_rejected():
    pairs = rated([("a", "x", 1), ("a", "y", 0), ("b", "x", 0), ("b", "z", 1)])
    assert np.sign(RatingReading.learn(pairs).weigh(pairs).weights).tolist() == [1, -1, -1, 1]


def test_zeros_outside_of_the_scale_are_interactions_without_a_rating():
    pairs = column_of([0] * 60 + [5, 6, 7, 7, 8, 8, 9, 10, 1])
    reading = RatingReading.learn(pairs)
    weights = reading.weigh(pairs).weights
    assert reading.unrated == 0
    assert weights[:60].tolist() == [1.0] * 60
    assert weights[-1] == -1
    assert reading.is_rated(pairs).tolist() == [False] * 60 + [True] * 9
    assert RatingReading.learn(pairs, liked_from=6).unrated is None


def test_zeros_of_a_scale_are_ratings():
    assert RatingReading.learn(column_of([0, 0, 0, 1, 1, 2, 3, 4, 5])).unrated is None
    assert RatingReading.learn(column_of([0, 0, 0, 0, 1, 1])).unrated is None


def test_minus_one_below_a_scale_from_one_is_no_rating_and_on_a_scale_with_zero_it_is_one():
    pairs = column_of([-1, -1, 1, 2, 8, 9, 10])
    reading = RatingReading.learn(pairs)
    assert reading.describe().startswith(
        "ratings from 1 to 10: liked from 3.25, lower ones are rejections; -1 is not"
    )
    assert np.sign(reading.weigh(pairs).weights).tolist() == [1, 1, -1, -1, 1, 1, 1]
    assert RatingReading.learn(column_of([-1, 0, 1, 2, 3])).unrated is None
    assert RatingReading.learn(column_of([-1, 1, 1, -1])).unrated is None


def test_counts_are_weights():
    plays = [1] * 50 + [2] * 20 + [5] * 10 + [400]
    pairs = column_of(plays)
    reading = RatingReading.learn(pairs)
    assert reading.kind == "counts"
    assert reading.weigh(pairs).weights.tolist() == plays
    assert "read as weights" in reading.describe()


def test_ratings_that_are_all_the_same_say_nothing():
    pairs = column_of([1.0] * 9)
    assert RatingReading.learn(pairs).weigh(pairs) is pairs


def test_a_weight_is_a_factor_and_a_rejection_stays_one():
    pairs = rated([("a", "x", 5), ("a", "y", 5), ("b", "y", 1), ("b", "x", 5)], weight=[3.0, -2.0, 4.0, 1.0])
    weights = weight_of(RatingReading.learn(pairs).weigh(pairs))
    assert weights["a", "x"] == pytest.approx(3 * 2 ** (5 - 5 * 4 / 7 - 10 / 7))
    assert weights["a", "y"] == -2
    assert weights["b", "y"] == -4


def test_a_test_is_weighed_by_the_means_of_the_training():
    future = rated([("b", "w", 5), ("new", "w", 5), ("a", "q", 1)])
    weights = weight_of(RatingReading.learn(STARS).weigh(future, past=STARS))
    assert weights["b", "w"] == pytest.approx(2 ** (5 - MEAN_B))
    assert weights["new", "w"] == pytest.approx(2 ** (5 - MEAN))
    assert weights["a", "q"] == -1

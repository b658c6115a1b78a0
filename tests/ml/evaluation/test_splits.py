import numpy as np
import pyarrow as pa
import pytest

from ml.dataset.interactions import Interactions
from ml.evaluation.splits import SPLITS, split

TABLE = pa.table(
    {
        "user_id": ["a", "a", "a", "b", "b", "c"],
        "item_id": ["x", "y", "z", "x", "w", "v"],
        "timestamp": [1, 2, 6, 3, 4, 5],
    }
)


def pairs_of(interactions):
    rows = interactions.to_table().to_pylist()
    return {(row["user_id"], row["item_id"]) for row in rows}


@pytest.fixture
def whole():
    return Interactions.from_table(TABLE)


def test_a_split_by_time_tests_on_the_newest_and_leaks_nothing(whole):
    found = split(whole, "time", share=0.34)
    assert pairs_of(found.test) == {("a", "z"), ("c", "v")}
    assert found.warnings == ()


def test_what_is_bought_again_after_the_cut_stays_in_the_training():
    table = pa.table(
        {
            "user_id": ["a", "a", "b", "b", "c", "a", "c"],
            "item_id": ["x", "y", "x", "z", "y", "x", "v"],
            "timestamp": [1, 2, 3, 4, 5, 9, 8],
        }
    )
    found = split(Interactions.from_table(table), "time", share=0.17)
    assert pairs_of(found.test) == {("c", "v")}
    kept = {(row["user_id"], row["item_id"]): row["timestamp"] for row in found.train.to_table().to_pylist()}
    # The purchase of x at 9 is not known before the cut.
    assert kept == {("a", "x"): 1, ("a", "y"): 2, ("b", "x"): 3, ("b", "z"): 4, ("c", "y"): 5}
    assert found.warnings == ()


def test_leave_last_out_takes_the_last_of_each_user_with_two_and_warns_of_the_leak(whole):
    found = split(whole, "leave-last-out")
    assert pairs_of(found.test) == {("a", "z"), ("b", "w")}
    assert "25% of the training interactions" in found.warnings[0]


def test_cold_items_are_those_that_appeared_last(whole):
    found = split(whole, "cold-items", share=0.3)
    assert pairs_of(found.test) == {("c", "v"), ("a", "z")}
    assert not set(found.train.columns) & set(found.test.columns)


@pytest.mark.parametrize("kind", sorted(SPLITS))
def test_train_and_test_make_up_the_whole(kind, many_pairs):
    found = split(many_pairs, kind, seed=1)
    assert found.train.n_pairs + found.test.n_pairs == many_pairs.n_pairs
    assert min(found.train.n_pairs, found.test.n_pairs) > 0
    assert not pairs_of(found.train) & pairs_of(found.test)


def test_random_takes_a_share_of_each_user(many_pairs):
    found = split(many_pairs, "random", seed=1, share=0.25)
    shares = np.bincount(found.test.rows) / np.bincount(many_pairs.rows)
    assert shares.min() > 0.15
    assert shares.max() < 0.35


def test_without_times_a_split_by_time_says_what_to_do():
    with pytest.raises(ValueError, match="needs a column 'timestamp'"):
        split(Interactions.from_table(TABLE.drop(["timestamp"])), "time")


def test_an_unknown_split_lists_the_known_ones(whole):
    with pytest.raises(ValueError, match="time, leave-last-out"):
        split(whole, "future")

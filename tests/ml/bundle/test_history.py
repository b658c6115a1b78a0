import datetime as dt

import numpy as np
import pyarrow as pa
import pytest

from ml.bundle.history import History

NOON = dt.datetime(2026, 3, 1, 12, tzinfo=dt.UTC)
USERS = pa.chunked_array([["u", "v"]])
ITEMS = pa.chunked_array([["a", "b", "c"]])


def history(**columns) -> History:
    return History.from_interactions(pa.table(columns), USERS, ITEMS)


def test_the_newest_comes_last_and_what_was_turned_down_is_seen_but_not_recent():
    at = [NOON + dt.timedelta(seconds=after) for after in (30, 10, 20, 40)]
    found = history(
        user_id=["u", "u", "u", "?"],
        item_id=["a", "b", "c", "a"],
        last_at=pa.array(at, pa.timestamp("us", "UTC")),
        is_negative=[False, False, True, False],
    )
    start = NOON.timestamp()
    assert found.seen(0).tolist() == [1, 2, 0]
    assert found.recent(0, 5) == [(1, start + 10), (0, start + 30)]
    assert found.recent(0, 1) == [(0, start + 30)]
    assert (found.seen(1).tolist(), found.recent(1, 5)) == ([], [])


def test_of_a_pair_that_comes_twice_the_last_time_counts():
    at = pa.array([NOON, NOON + dt.timedelta(hours=1), NOON + dt.timedelta(minutes=1)], pa.timestamp("us", "UTC"))
    found = history(user_id=["v"] * 3, item_id=["b", "b", "c"], last_at=at)
    assert [row for row, _ in found.recent(1, 5)] == [2, 1]


def test_without_times_nothing_is_recent():
    found = history(user_id=["u", "u"], item_id=["c", "a"])
    assert (found.seen(0).tolist(), found.recent(0, 5)) == ([0, 2], [])


def test_it_is_read_as_it_was_written_and_checked(tmp_path):
    found = history(user_id=["u"], item_id=["c"])
    found.save(tmp_path)
    read = History.load(tmp_path)
    read.check(n_users=2, n_items=3)
    assert read.seen(0).tolist() == [2]
    with pytest.raises(ValueError, match="does not fit 5 users"):
        read.check(n_users=5, n_items=3)
    with pytest.raises(ValueError, match="outside the 2 of items"):
        read.check(n_users=2, n_items=2)


def test_histories_of_some_users_are_theirs_alone():
    interactions = pa.table({"user_id": ["a", "b", "b", "c"], "item_id": ["x", "y", "x", "y"]})
    whole = History.from_interactions(
        interactions, pa.chunked_array([["a", "b", "c"]]), pa.chunked_array([["x", "y"]])
    )
    part = whole.select_users(np.array([2, 1]))
    part.check(2, 2)
    assert [part.seen(0).tolist(), sorted(part.seen(1).tolist())] == [[1], [0, 1]]

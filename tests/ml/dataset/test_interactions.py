import datetime as dt

import numpy as np
import pyarrow as pa
import pytest

from ml.dataset.ids import Ids
from ml.dataset.interactions import Interactions
from ml.recommenders.models.popularity import Popularity


def table(**columns):
    return pa.table({"user_id": ["a", "b", "a", "a"], "item_id": ["x", "x", "y", "x"], **columns})


def test_repeated_pairs_become_one_with_summed_weight_latest_time_and_its_rating():
    pairs = Interactions.from_table(
        table(weight=[1.0, 2.0, 3.0, 4.0], rating=[1, 2, 3, 5], timestamp=[10, 20, 30, 5])
    )
    assert pairs.to_table().to_pylist() == [
        {"user_id": "a", "item_id": "x", "weight": 5.0, "rating": 1.0, "timestamp": 10},
        {"user_id": "a", "item_id": "y", "weight": 3.0, "rating": 3.0, "timestamp": 30},
        {"user_id": "b", "item_id": "x", "weight": 2.0, "rating": 2.0, "timestamp": 20},
    ]


def test_the_first_time_of_a_repeated_pair_is_kept_whatever_is_done_with_it():
    pairs = Interactions.from_table(table(timestamp=[10, 20, 30, 5]))
    assert pairs.since.tolist() == [5, 30, 20]
    assert pairs.timestamps.tolist() == [10, 30, 20]
    assert pairs.select(np.array([True, False, True])).compact().since.tolist() == [5, 20]
    others = Ids.encode(pa.array(["c", "b", "a"]))[0], Ids.encode(pa.array(["y", "w", "x"]))[0]
    aligned = pairs.aligned(*others).to_table().append_column("since", pa.array(pairs.aligned(*others).since))
    assert {(row["user_id"], row["item_id"], row["since"]) for row in aligned.to_pylist()} == {
        ("a", "x", 5),
        ("a", "y", 30),
        ("b", "x", 20),
    }


def test_the_order_of_the_rows_makes_no_difference():
    """Repeated pairs at the same second, too."""
    rows = table(weight=[0.1, 2.0, 0.7, 0.4], rating=[5, 2, 3, 1], timestamp=[10, 20, 30, 10])
    first = Interactions.from_table(rows)
    for order in ([3, 2, 1, 0], [2, 3, 0, 1]):
        assert Interactions.from_table(rows.take(order)).to_table().equals(first.to_table())
    assert first.ratings.tolist() == [5, 3, 2]


def test_times_and_integer_ids_are_understood():
    times = pa.array([dt.datetime(2020, 1, 1), dt.datetime(2020, 1, 2)], pa.timestamp("us"))
    pairs = Interactions.from_table(pa.table({"user_id": [7, 8], "item_id": [1, 2], "timestamp": times}))
    assert pairs.users.to_list() == ["7", "8"]
    assert pairs.timestamps.tolist() == [1577836800, 1577923200]


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"weight": ["much", "b", "c", "d"]}, "'weight': expected numbers"),
        ({"timestamp": [1, None, 2, 3]}, "'timestamp': 1 rows have no value"),
        ({"rating": [1.0, float("nan"), 2.0, 3.0]}, "'rating': 1 values are not finite"),
    ],
)
def test_a_bad_column_is_named(columns, message):
    with pytest.raises(ValueError, match=message):
        Interactions.from_table(table(**columns))


def test_a_rejected_pair_is_not_liked_and_never_recommended():
    pairs = Interactions.from_table(
        pa.table({"user_id": ["a", "a", "b"], "item_id": ["x", "y", "x"], "weight": [-1.0, 2.0, 1.0]})
    )
    before = pairs.matrix.copy()
    assert pairs.liked.toarray().tolist() == [[0, 1], [1, 0]]
    np.testing.assert_array_equal(pairs.matrix.toarray(), before.toarray())
    assert pairs.item_counts.tolist() == [1, 1]
    assert Popularity().fit(pairs).recommend(["a"]).to_table().num_rows == 0


def test_select_and_compact_keep_pairs_together():
    pairs = Interactions.from_table(
        pa.table(
            {
                "user_id": [f"u{pair // 6}" for pair in range(240)],
                "item_id": [f"i{pair % 6}" for pair in range(240)],
                "timestamp": list(range(1_700_000_000, 1_700_000_240)),
                "rating": pa.array([pair % 5 + 1 for pair in range(240)], pa.float32()),
            }
        )
    )
    mask = np.zeros(pairs.n_pairs, bool)
    mask[[3, 70, 200]] = True
    chosen = pairs.select(mask).compact()
    rows = pairs.to_table().to_pylist()
    assert chosen.to_table().to_pylist() == [rows[3], rows[70], rows[200]]


@pytest.mark.parametrize("numbers", [[5, -3, 5, 9], [5, -3_000_000_000, 5, 9]])
def test_integer_ids_keep_their_value_whether_they_lie_close_together_or_not(numbers):
    ids, rows = Ids.encode(pa.chunked_array([numbers[:2], numbers[2:]], pa.int64()))
    assert [ids.to_list()[row] for row in rows] == [str(number) for number in numbers]
    assert len(ids) == 3


def test_liked_pairs_come_in_the_order_of_time():
    pairs = Interactions.from_table(
        table(timestamp=[30, 20, 10, 40], weight=[1.0, 1.0, 1.0, 1.0]).append_column("rating", pa.array([1.0] * 4))
    )
    rows, columns, places = pairs.in_order()
    assert places.tolist() == [1, 0, 2]
    names = [
        (pairs.users.to_list()[row], pairs.items.to_list()[column])
        for row, column in zip(rows, columns, strict=True)
    ]
    assert names == [("a", "y"), ("a", "x"), ("b", "x")]  # a took x again at 40

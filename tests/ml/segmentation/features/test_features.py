from __future__ import annotations

import math

import numpy as np
import pyarrow as pa
import pytest

from ml.segmentation.features.features import FeatureEncoder, check_users

SHARES = pa.map_(pa.string(), pa.float64())
TABLE = pa.table(
    {
        "user_id": ["a", "b", "c"],
        "visits": pa.array([1, None, 3], pa.int64()),
        "is_member": [True, False, None],
        "minutes": [0.5, math.inf, -1.0],
        "shares": pa.array([[("sport", 0.25), ("world", 0.75)], [], None], SHARES),
        "depth": pa.array([{"x": 1.0, "y": 2}, None, {"x": 3.0, "y": None}]),
        "country": ["DE", "FR", None],
    }
)


def test_numbers_flags_maps_and_structs_become_columns_and_text_does_not() -> None:
    encoder = FeatureEncoder().fit(TABLE)
    assert encoder.names == [
        "visits",
        "is_member",
        "minutes",
        "shares:sport",
        "shares:world",
        "depth:x",
        "depth:y",
    ]
    nan = math.nan
    np.testing.assert_array_equal(
        encoder.transform(TABLE),
        [[1, 1, 0.5, 0.25, 0.75, 1, 2], [nan, 0, nan, 0, 0, nan, nan], [3, nan, -1, nan, nan, 3, nan]],
    )


def test_a_single_user_is_encoded_as_in_a_table() -> None:
    encoder = FeatureEncoder().fit(TABLE)
    for position, row in enumerate(TABLE.to_pylist()):
        np.testing.assert_array_equal(encoder.transform_user(row), encoder.transform(TABLE.slice(position, 1)))
    np.testing.assert_array_equal(encoder.transform_user({"shares": {"sport": 1.0}})[0, 3:5], [1.0, 0.0])


def test_a_new_category_changes_nothing_and_a_missing_category_is_zero() -> None:
    encoder = FeatureEncoder(include=["shares:*"]).fit(TABLE)
    later = pa.table({"shares": pa.array([[("opera", 0.9), ("world", 0.1)]], SHARES)})
    assert encoder.transform(later).tolist() == [[0.0, 0.1]]


def test_patterns_choose_features() -> None:
    assert FeatureEncoder(include=["shares:*", "visits"], exclude=["*:world"]).fit(TABLE).names == [
        "visits",
        "shares:sport",
    ]


def test_each_level_of_a_category_is_a_feature_and_one_of_two_levels_says_all() -> None:
    table = pa.table(
        {
            "user_id": range(6),
            "region": pa.array([3, 1, 2, 1, 3, 2]),
            "gender": ["m", "f", None, "f", "m", "m"],
            "vip": [True, False, True, False, False, True],
        }
    )
    encoder = FeatureEncoder(categorical=["region", "gender", "vip"]).fit(table)
    assert encoder.names == ["region=1", "region=2", "region=3", "gender=m", "vip=true"]
    assert encoder.levels == [3, 3, 3, 2, 2]
    nan = math.nan
    expected = [
        [0, 0, 1, 1, 1],
        [1, 0, 0, 0, 0],
        [0, 1, 0, nan, 1],
        [1, 0, 0, 0, 0],
        [0, 0, 1, 1, 0],
        [0, 1, 0, 1, 1],
    ]
    np.testing.assert_array_equal(encoder.transform(table), expected)
    for position, row in enumerate(table.to_pylist()):
        np.testing.assert_array_equal(encoder.transform_user(row)[0], expected[position])
    restored = FeatureEncoder()
    restored.set_state(encoder.get_state())
    np.testing.assert_array_equal(restored.transform(table), expected)


def test_a_category_that_is_not_in_the_table_is_named() -> None:
    with pytest.raises(ValueError, match="categorical columns regoin are missing; the table has user_id, visits"):
        FeatureEncoder(categorical=["regoin"]).fit(TABLE)


def test_a_column_that_is_gone_is_named() -> None:
    encoder = FeatureEncoder().fit(TABLE)
    with pytest.raises(ValueError, match="columns depth, visits are missing"):
        encoder.transform(TABLE.drop_columns(["visits", "depth"]))


def test_a_table_without_numbers_is_refused() -> None:
    with pytest.raises(ValueError, match="no numeric column to segment by among user_id, country"):
        FeatureEncoder().fit(TABLE.select(["user_id", "country"]))


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (pa.table({"id": [1]}), "column 'user_id' is missing; the table has id"),
        (pa.table({"user_id": ["a", None]}), "1 empty values"),
        (pa.table({"user_id": ["a", "a", "b"]}), "1 rows repeat a user"),
    ],
)
def test_every_row_needs_a_distinct_user(table: pa.Table, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        check_users(table)


def test_a_key_that_few_users_have_is_no_feature_and_is_counted() -> None:
    shares = pa.array([[("news", 1.0)]] * 97 + [[("news", 0.5), ("chess", 0.5)]] * 2 + [[("go", 1.0)]], SHARES)
    encoder = FeatureEncoder(rare_key=0.02).fit(pa.table({"user_id": range(100), "shares": shares}))
    assert encoder.names == ["shares:chess", "shares:news"]
    assert encoder.dropped_ == [["shares", "1 keys held by fewer than 2.0% of users"]]

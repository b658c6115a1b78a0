from __future__ import annotations

import numpy as np
import pyarrow as pa

from ml.segmentation.clusters.identity import compute_migration, match_segments


def test_segments_keep_the_number_of_those_they_overlap_most() -> None:
    before = np.array([7, 7, 7, 7, 9, 9, 9, 2, 2, 2])
    after = np.array([1, 1, 1, 0, 0, 0, 0, 2, 2, 2])
    ids, overlaps = match_segments(before, after, ids=[2, 7, 9], next_id=10)
    assert ids == [9, 7, 2]
    assert overlaps == [3 / 4, 3 / 4, 1.0]


def test_a_segment_unlike_any_before_gets_a_new_number() -> None:
    before = np.array([1] * 8 + [-1] * 4)
    after = np.array([0] * 8 + [1] * 4)
    assert match_segments(before, after, ids=[1, 2], next_id=3) == ([1, 3], [1.0, 0.0])


def test_two_halves_do_not_share_a_number() -> None:
    before, after = np.array([1] * 10), np.array([0] * 6 + [1] * 4)
    assert match_segments(before, after, ids=[1], next_id=2)[0] == [1, 2]


def test_the_migration_table_counts_every_move() -> None:
    before = pa.table({"user_id": ["a", "b", "c", "d"], "segment": [1, 1, 1, 2], "name": ["A", "A", "A", "B"]})
    after = pa.table({"user_id": ["a", "b", "c", "e"], "segment": [1, 1, 2, 1], "name": ["A", "A", "B", "A"]})
    assert compute_migration(before, after).to_pylist() == [
        {"from_segment": 1, "from_name": "A", "to_segment": 1, "to_name": "A", "users": 2, "share": 2 / 3},
        {"from_segment": 1, "from_name": "A", "to_segment": 2, "to_name": "B", "users": 1, "share": 1 / 3},
        {"from_segment": 2, "from_name": "B", "to_segment": None, "to_name": "gone", "users": 1, "share": 1.0},
        {"from_segment": None, "from_name": "new here", "to_segment": 1, "to_name": "A", "users": 1, "share": 1.0},
    ]

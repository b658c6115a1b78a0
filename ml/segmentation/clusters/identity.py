"""Match new segments to previous ones by the users they share.

Segments keep their numbers when they are trained again.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from scipy.optimize import linear_sum_assignment

from ml.arrays import I64
from ml.segmentation.clusters.algorithms import NOISE

MINIMUM_OVERLAP = 0.3  # Jaccard index below which a new segment is not a continuation of the old one


def match_segments(before: I64, after: I64, ids: list[int], next_id: int) -> tuple[list[int], list[float]]:
    """Number new segments after the previous segments with which they share users.

    The assignment maximizes the summed Jaccard index (Hungarian method). Pairs below `MINIMUM_OVERLAP` do not
    match.

    Args:
        before: previous segment number of each user (n,), -1 for none.
        after: index 0..k-1 of the same users' new segments (n,), -1 for none.
        ids: the previous segment numbers.
        next_id: first number that was never used.

    Returns:
        The number of each new segment, and its overlap with the previous segment of that number (0 for a new
        number).
    """
    count = int(after.max(initial=NOISE)) + 1
    overlap = np.zeros((count, len(ids)))
    for row in range(count):
        new = after == row
        for column, old_id in enumerate(ids):
            old = before == old_id
            union = np.count_nonzero(new | old)
            overlap[row, column] = np.count_nonzero(new & old) / union if union else 0.0
    numbers = [0] * count
    overlaps = [0.0] * count
    for row, column in zip(*linear_sum_assignment(-overlap), strict=True):
        if overlap[row, column] >= MINIMUM_OVERLAP:
            numbers[row], overlaps[row] = ids[column], float(overlap[row, column])
    for row in range(count):
        if not numbers[row]:
            numbers[row], next_id = next_id, next_id + 1
    return numbers, overlaps


def compute_migration(before: pa.Table, after: pa.Table) -> pa.Table:
    """Count the users who moved between segments.

    Both tables have `user_id, segment, name` with one row per user. A user who is only in `after` comes from
    segment null (name "new here"), and a user who is only in `before` goes to null ("gone").

    Returns:
        A table with `from_segment, from_name, to_segment, to_name, users` and `share` of the previous segment.
    """
    keys = ["user_id", "segment", "name"]
    joined = (
        before.select(keys)
        .rename_columns(["user_id", "from_segment", "from_name"])
        .join(
            after.select(keys).rename_columns(["user_id", "to_segment", "to_name"]),
            "user_id",
            join_type="full outer",
        )
    )
    moves = joined.group_by(["from_segment", "from_name", "to_segment", "to_name"]).aggregate(
        [("user_id", "count")]
    )
    rows = moves.rename_columns({"user_id_count": "users"}).to_pylist()
    totals: dict[int | None, int] = {}
    for row in rows:
        totals[row["from_segment"]] = totals.get(row["from_segment"], 0) + row["users"]
    for row in rows:
        row["from_name"] = row["from_name"] or "new here"
        row["to_name"] = row["to_name"] or "gone"
        row["share"] = row["users"] / totals[row["from_segment"]]
    rows.sort(
        key=lambda row: (row["from_segment"] is None, row["from_segment"] or 0, -row["users"], row["to_name"])
    )
    return pa.Table.from_pylist(
        rows,
        schema=pa.schema(
            [
                ("from_segment", pa.int64()),
                ("from_name", pa.string()),
                ("to_segment", pa.int64()),
                ("to_name", pa.string()),
                ("users", pa.int64()),
                ("share", pa.float64()),
            ]
        ),
    )

"""Segments keep their number over retraining: new segments are matched to old ones by the users they share."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from scipy.optimize import linear_sum_assignment

from ml.arrays import I64
from ml.segmentation.clusters.algorithms import NOISE

LEAST_OVERLAP = 0.3  # Jaccard index; below it a new segment is not the old one with some coming and going


def match_segments(before: I64, after: I64, ids: list[int], next_id: int) -> tuple[list[int], list[float]]:
    """Number of each new segment, and its overlap with the old segment of that number (0 for a new number).

    Args:
        before: segment number of each user under the old model (n,), -1 for none.
        after: index 0..k-1 of the same users' new segments (n,), -1 for none.
        ids: the old model's segment numbers.
        next_id: first number never used.

    The assignment maximises the summed Jaccard index (Hungarian method); pairs under `LEAST_OVERLAP` don't match.
    """
    count = int(after.max(initial=NOISE)) + 1
    overlap = np.zeros((count, len(ids)))
    for row in range(count):
        new = after == row
        for column, old_id in enumerate(ids):
            old = before == old_id
            union = np.count_nonzero(new | old)
            overlap[row, column] = np.count_nonzero(new & old) / union if union else 0.0
    found = [0] * count
    matched = [0.0] * count
    for row, column in zip(*linear_sum_assignment(-overlap), strict=True):
        if overlap[row, column] >= LEAST_OVERLAP:
            found[row], matched[row] = ids[column], float(overlap[row, column])
    for row in range(count):
        if not found[row]:
            found[row], next_id = next_id, next_id + 1
    return found, matched


def compute_migration(before: pa.Table, after: pa.Table) -> pa.Table:
    """Who moved where: `from_segment, from_name, to_segment, to_name, users, share` of the old segment.

    Both tables have `user_id, segment, name`, one row a user. A user only in `after` comes from segment null (name
    "new here"), a user only in `before` goes to null ("gone").
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

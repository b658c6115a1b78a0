"""What people say about the segment they are in."""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa

from ml.segmentation.features.features import USER_ID


@dataclass(frozen=True)
class SegmentFeedback:
    """How many users agree to be in their segment, and how many don't."""

    agree: int = 0
    disagree: int = 0


def count_feedback(feedback: pa.Table, assigned: pa.Table) -> dict[int, SegmentFeedback]:
    """Agreement by segment number; a user's last word about a segment counts.

    Args:
        feedback: `user_id, segment, agrees` in order of time; `segment` is a number, a name, or null for the own.
        assigned: `user_id, segment, name` of today. Words about segments that are no more count nowhere.
    """
    own = dict(zip(assigned[USER_ID].to_pylist(), assigned["segment"].to_pylist(), strict=True))
    pairs = assigned.group_by(["segment", "name"]).aggregate([])
    known = {key: row["segment"] for row in pairs.to_pylist() for key in (row["name"], str(row["segment"]))}
    last: dict[tuple[str, int], bool] = {}
    for row in feedback.to_pylist():
        about = own.get(row[USER_ID]) if row["segment"] is None else known.get(row["segment"])
        if about is not None and row["agrees"] is not None:
            last[row[USER_ID], about] = row["agrees"]
    counts: dict[int, list[int]] = {}
    for (_, segment), agrees in last.items():
        counts.setdefault(segment, [0, 0])[0 if agrees else 1] += 1
    return {segment: SegmentFeedback(*entry) for segment, entry in counts.items()}

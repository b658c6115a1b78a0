"""Count what users say about the segment they are in."""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa

from ml.segmentation.features.features import USER_ID


@dataclass(frozen=True)
class SegmentFeedback:
    """Number of users who agree and who disagree that they belong to the segment."""

    agree: int = 0
    disagree: int = 0


def count_feedback(
    feedback: pa.Table, assignments: pa.Table, before: pa.Table | None = None
) -> dict[int, SegmentFeedback]:
    """Count agreement by segment number; only a user's latest statement about a segment counts.

    Args:
        feedback: `user_id, segment, agrees` ordered by time; `segment` is a number, a name, or null for the
            segment that the user was shown.
        assignments: present `user_id, segment, name`. Statements about segments that no longer exist are ignored.
        before: `user_id, segment` that users were shown, by default the present ones. A statement without a
            segment counts only if the user's segment is still the same: otherwise it was about another one.
    """
    present = _segment_by_user(assignments)
    shown = present if before is None else _segment_by_user(before)
    segment_by_user = {user: segment for user, segment in present.items() if shown.get(user) == segment}
    pairs = assignments.group_by(["segment", "name"]).aggregate([])
    number_by_label = {
        label: row["segment"] for row in pairs.to_pylist() for label in (row["name"], str(row["segment"]))
    }
    latest: dict[tuple[str, int], bool] = {}
    for row in feedback.to_pylist():
        number = (
            segment_by_user.get(row[USER_ID]) if row["segment"] is None else number_by_label.get(row["segment"])
        )
        if number is not None and row["agrees"] is not None:
            latest[row[USER_ID], number] = row["agrees"]
    counts: dict[int, list[int]] = {}
    for (_, segment), agrees in latest.items():
        counts.setdefault(segment, [0, 0])[0 if agrees else 1] += 1
    return {segment: SegmentFeedback(*entry) for segment, entry in counts.items()}


def _segment_by_user(assignments: pa.Table) -> dict[str, int]:
    """Return the segment number of each user."""
    return dict(zip(assignments[USER_ID].to_pylist(), assignments["segment"].to_pylist(), strict=True))

"""A site's segmentation from its marts: fitted, assigned, described, validated and compared with last time."""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from ml.arrays import I64
from ml.segmentation.audiences.audiences import CONSENT
from ml.segmentation.audiences.membership import join_columns
from ml.segmentation.audiences.rules import RuleSegment, assign_rules
from ml.segmentation.clusters.identity import compute_migration
from ml.segmentation.clusters.validation import PredictiveValidity, validate_segments
from ml.segmentation.profiles.behaviour import summarize_behaviour
from ml.segmentation.profiles.feedback import count_feedback
from ml.segmentation.profiles.labels import FeatureLabels
from ml.segmentation.profiles.personas import write_personas
from ml.segmentation.segmentation import Segmentation
from ml.segmentation.training import fit_segmentation
from ml.settings.segmentation import SegmentationSettings


@dataclass(frozen=True)
class SiteSegmentation:
    """What one run found; `users` are the consenting ones, `segments` (n,) theirs, `moves` tell who moved."""

    found: Segmentation
    users: pa.Table
    segments: I64
    moves: pa.Table | None


def select_consenting_users(users: pa.Table) -> pa.Table:
    """The users who may be segmented: those with personalization consent."""
    return users.filter(pc.fill_null(users.column(CONSENT), False))


def segment_site(
    users: pa.Table,
    sessions: pa.Table,
    feedback: pa.Table,
    settings: SegmentationSettings,
    *,
    previous: Segmentation | None = None,
    before: pa.Table | None = None,
    seed: int = 0,
) -> SiteSegmentation:
    """Segment the consenting users of a site.

    Args:
        users: the mart of that name.
        sessions: the mart, without bots and internal traffic.
        feedback: the mart `segment_feedback`, in order of time.
        settings: of the section `segmentation`.
        previous: last time's segmentation.
        before: last time's `user_segments`.
        seed: of samples and starts.
    """
    users = select_consenting_users(users).combine_chunks()
    found = fit_segmentation(users, settings, previous, seed)
    learned = found.assign(users)
    segments = learned.column("segment").to_numpy()
    about = summarize_behaviour(sessions, users, segments, settings.hints, settings.minimum_segment_size)
    write_personas(found, FeatureLabels(settings.labels), about, count_feedback(feedback, learned))
    moves = compute_migration(before, learned) if before is not None else None
    return SiteSegmentation(found, users, segments, moves)


def assign_user_segments(found: Segmentation, users: pa.Table, rules: list[RuleSegment]) -> pa.Table:
    """The mart `user_segments`: learned segment, memberships and rule segments of every consenting user."""
    users = select_consenting_users(users).combine_chunks()
    return join_columns(found.assign(users), assign_rules(users, rules))


def validate_on_later_outcomes(
    found: Segmentation, users_then: pa.Table, outcomes: pa.Table, settings: SegmentationSettings
) -> list[PredictiveValidity]:
    """Do the segments, from what was known at an earlier time, tell what the users did after it?

    Args:
        found: the segmentation; its borders were drawn later, its verdicts here read nothing later.
        users_then: the mart `users` as of the earlier time.
        outcomes: `user_id` and sums of what they did in the `validation_days` that followed.
        settings: of the section `segmentation`.
    """
    assigned = found.assign(select_consenting_users(users_then).combine_chunks())
    return validate_segments(assigned, outcomes, settings.validation_draws)

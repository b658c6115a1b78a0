"""Segment the users of a site from its marts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from ml.arrays import I64
from ml.segmentation.audiences.membership import join_columns
from ml.segmentation.audiences.rules import RuleSegment, assign_rules
from ml.segmentation.clustering_engine import ClusteringEngine
from ml.segmentation.clusters.algorithms import NOISE
from ml.segmentation.clusters.identity import match_segments
from ml.segmentation.clusters.validation import PredictiveValidity, validate_segments
from ml.segmentation.consent import mask_consenting
from ml.segmentation.profiles.behaviour import summarize_behaviour
from ml.segmentation.profiles.feedback import count_feedback
from ml.segmentation.profiles.labels import FeatureLabels
from ml.segmentation.profiles.personas import write_personas
from ml.segmentation.segmentation import Segmentation
from ml.segmentation.training import fit_segmentation
from ml.settings.segmentation import SegmentationSettings


@dataclass(frozen=True)
class SiteSegmentation:
    """The result of one run.

    Attributes:
        segmentation: the fitted segmentation.
        users: the users with personalization consent.
        segments: segment number of each of these users, (n,).
    """

    segmentation: Segmentation
    users: pa.Table
    segments: I64


def select_consenting_users(users: pa.Table) -> pa.Table:
    """Return the users with personalization consent, who may be segmented."""
    return users.filter(pa.array(mask_consenting(users)))


def segment_site(
    users: pa.Table,
    sessions: pa.Table,
    feedback: pa.Table,
    settings: SegmentationSettings,
    *,
    previous: Segmentation | None = None,
    before: pa.Table | None = None,
    earlier: Sequence[pa.Table] = (),
    seed: int = 0,
    engine: ClusteringEngine | None = None,
) -> SiteSegmentation:
    """Segment the consenting users of a site.

    Args:
        users: the mart `users`.
        sessions: the mart `sessions` without bots and internal traffic.
        feedback: the mart `segment_feedback`, ordered by time.
        settings: the section `segmentation` of the settings.
        previous: the segmentation of the previous run.
        before: the table `user_segments` of the previous run.
        earlier: the mart `users` as of earlier times, from which the trust in little evidence is learned.
        seed: seed of the samples and random starts.
        engine: what fits the chosen model to everybody; None: this process.
    """
    users = select_consenting_users(users).combine_chunks()
    past = [select_consenting_users(table) for table in earlier]
    segmentation = fit_segmentation(users, settings, previous, seed, past, engine)
    assignments = segmentation.assign(users)
    segments = assignments.column("segment").to_numpy()
    shown = assignments.slice(0, 0) if before is None else before  # before the first run, nobody saw a segment
    behaviour_by_segment = summarize_behaviour(
        sessions, users, segments, settings.hints, settings.minimum_segment_size
    )
    write_personas(
        segmentation,
        FeatureLabels(settings.labels),
        behaviour_by_segment,
        count_feedback(feedback, assignments, shown),
    )
    return SiteSegmentation(segmentation, users, segments)


def assign_user_segments(segmentation: Segmentation, users: pa.Table, rules: list[RuleSegment]) -> pa.Table:
    """Build the mart `user_segments`: learned segment, memberships and rule segments of each consenting user."""
    users = select_consenting_users(users).combine_chunks()
    return join_columns(segmentation.assign(users), assign_rules(users, rules))


def validate_on_later_outcomes(
    segmentation: Segmentation,
    users_then: pa.Table,
    outcomes: pa.Table,
    settings: SegmentationSettings,
    seed: int = 0,
) -> list[PredictiveValidity]:
    """Measure whether segments that are learned at an earlier time predict what the users did afterwards.

    The segments are learned again from what was known then, because the features and borders of today's segments
    were chosen with the outcomes in sight.

    Args:
        segmentation: today's segmentation, whose numbers the earlier segments get where they share users.
        users_then: the mart `users` as of the earlier time.
        outcomes: `user_id` and sums of what the users did in the following `validation_days`.
        settings: the section `segmentation` of the settings.
        seed: seed of the samples and random starts.
    """
    users_then = select_consenting_users(users_then).combine_chunks()
    then = fit_segmentation(users_then, settings, seed=seed).assign(users_then)
    today = segmentation.assign(users_then).column("segment").to_numpy()
    return validate_segments(_renumber(then, today, segmentation), outcomes, settings.validation_draws)


def _renumber(then: pa.Table, today: I64, segmentation: Segmentation) -> pa.Table:
    """Number the segments of a table as today's segments with which they share users."""
    labels = then.column("segment").to_numpy()
    segments = np.unique(labels[labels != NOISE])
    indices = np.where(labels == NOISE, NOISE, np.searchsorted(segments, labels))
    numbers, _ = match_segments(today, indices, segmentation.ids, segmentation.next_id)
    renumbered = np.array([*numbers, NOISE])[indices]
    return then.set_column(then.column_names.index("segment"), "segment", pa.array(renumbered))

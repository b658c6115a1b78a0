"""Name and describe new segments. Segments below the minimum size keep a number and get no profile."""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa

from ml.arrays import F64, I64
from ml.segmentation.profiles.labels import FeatureLabels
from ml.segmentation.profiles.member_values import average_members
from ml.segmentation.profiles.names import name_segment
from ml.segmentation.profiles.personas import write_personas
from ml.segmentation.profiles.profiles import SegmentProfile, Trait, compute_traits, select_example_users
from ml.segmentation.profiles.vocabulary import compute_interests, compute_word_shares, select_text_columns
from ml.segmentation.segmentation import EVERYONE, NOBODY, Segmentation, small_segment_name
from ml.settings.segmentation import SegmentationSettings


@dataclass(frozen=True)
class ShapingUsers:
    """The users who shaped the segments.

    Attributes:
        X: features before scaling, (n, d).
        names: names of the features.
        labels: segment index 0..k-1 of each user, (n,).
    """

    X: F64
    names: list[str]
    labels: I64


def describe_segments(
    segmentation: Segmentation,
    table: pa.Table,
    shaping: ShapingUsers,
    settings: SegmentationSettings,
    previous: Segmentation | None,
) -> None:
    """Write names and profiles into the segmentation.

    Sizes, means and words count all users of the table. What sets a segment apart was found among the users who
    shaped the segments. A segment that kept its number keeps its name.

    Args:
        segmentation: the segmentation to complete.
        table: all users.
        shaping: the users who shaped the segments.
        settings: the section `segmentation` of the settings.
        previous: the segmentation of the previous run.
    """
    assignments = segmentation.assign(table)
    segments = assignments.column("segment").to_numpy()
    sizes = {id_: int((segments == id_).sum()) for id_ in segmentation.ids}
    members = average_members(segmentation.pipeline, segmentation.ids, table, segments)
    traits_by_segment = {
        id_: compute_traits(
            shaping.X, shaping.names, shaping.labels == index, len(segmentation.ids), members, index
        )
        for index, id_ in enumerate(segmentation.ids)
        if sizes[id_] >= settings.minimum_segment_size
    }
    segmentation.names = _choose_names(segmentation, traits_by_segment, settings, previous)
    texts = select_text_columns(table)
    before = {profile.segment: profile for profile in previous.profiles} if previous else {}
    segmentation.profiles = []
    for id_, name in zip(segmentation.ids, segmentation.names, strict=True):
        if id_ not in traits_by_segment:
            continue
        inside = segments == id_
        earlier = before.get(id_)
        history = (*earlier.shares_before, earlier.share) if earlier else ()
        segmentation.profiles.append(
            SegmentProfile(
                segment=id_,
                name=name,
                size=sizes[id_],
                share=float(inside.mean()),
                traits=traits_by_segment[id_],
                words=compute_word_shares(
                    table,
                    inside,
                    texts,
                    minimum_size=settings.minimum_segment_size,
                    hints=settings.hints,
                    segments=len(segmentation.ids),
                ),
                interests=compute_interests(table, inside, settings.minimum_segment_size, len(segmentation.ids)),
                examples=select_example_users(table, inside, assignments.column(f"membership_{id_}").to_numpy()),
                shares_before=history[-settings.runs_remembered :],
            )
        )
    write_personas(segmentation, FeatureLabels(settings.labels))


def _choose_names(
    segmentation: Segmentation,
    traits_by_segment: dict[int, tuple[Trait, ...]],
    settings: SegmentationSettings,
    previous: Segmentation | None,
) -> list[str]:
    """Name the segments.

    A segment that kept its number keeps its name; the names of the others are derived from their traits.
    """
    if not segmentation.has_structure:
        return [EVERYONE] * len(segmentation.ids)
    old_names = dict(zip(previous.ids, previous.names, strict=True)) if previous else {}
    names = [old_names.get(id_, "") for id_ in segmentation.ids]
    for index, id_ in enumerate(segmentation.ids):
        if id_ not in traits_by_segment:
            names[index] = names[index] or small_segment_name(id_)
        elif names[index] in ("", EVERYONE, small_segment_name(id_)):
            taken = [*names, *old_names.values(), EVERYONE, NOBODY]
            names[index] = name_segment(id_, traits_by_segment[id_], settings.words, taken)
    return names

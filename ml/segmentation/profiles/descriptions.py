"""Names and profiles of freshly found segments. Segments below the minimum size get a number and no profile."""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa

from ml.arrays import F64, I64
from ml.segmentation.profiles.labels import FeatureLabels
from ml.segmentation.profiles.names import name_segment
from ml.segmentation.profiles.personas import write_personas
from ml.segmentation.profiles.profiles import SegmentProfile, Trait, compute_traits, select_example_users
from ml.segmentation.profiles.vocabulary import compute_interests, compute_word_shares, select_text_columns
from ml.segmentation.segmentation import EVERYONE, NOBODY, Segmentation, small_segment_name
from ml.settings.segmentation import SegmentationSettings


@dataclass(frozen=True)
class ShapingUsers:
    """The users who shaped the segments: rows, features before scaling (n, d) with names, and segments 0..k-1."""

    table: pa.Table
    X: F64
    names: list[str]
    labels: I64


def describe_segments(
    found: Segmentation,
    table: pa.Table,
    shaping: ShapingUsers,
    settings: SegmentationSettings,
    previous: Segmentation | None,
) -> None:
    """Write names and profiles into the segmentation: sizes count everybody in the table, the rest who shaped it.

    A segment that kept its number keeps its name.
    """
    everybody = found.assign(table)
    segments = everybody.column("segment").to_numpy()
    sizes = {id_: int((segments == id_).sum()) for id_ in found.ids}
    told = {
        id_: compute_traits(shaping.X, shaping.names, shaping.labels == index)
        for index, id_ in enumerate(found.ids)
        if sizes[id_] >= settings.minimum_segment_size
    }
    found.names = _names(found, told, settings, previous)
    texts = select_text_columns(table)
    before = {profile.segment: profile for profile in previous.profiles} if previous else {}
    found.profiles = []
    for index, (id_, name) in enumerate(zip(found.ids, found.names, strict=True)):
        if id_ not in told:
            continue
        inside, own = segments == id_, shaping.labels == index
        earlier = before.get(id_)
        history = (*earlier.shares_before, earlier.share) if earlier else ()
        found.profiles.append(
            SegmentProfile(
                segment=id_,
                name=name,
                size=sizes[id_],
                share=float(inside.mean()),
                traits=told[id_],
                words=compute_word_shares(
                    shaping.table, own, texts, settings.minimum_segment_size, settings.hints
                ),
                interests=compute_interests(shaping.table, own, settings.minimum_segment_size),
                examples=select_example_users(table, inside, everybody.column(f"membership_{id_}").to_numpy()),
                shares_before=history[-settings.runs_remembered :],
            )
        )
    write_personas(found, FeatureLabels(settings.labels))


def _names(
    found: Segmentation,
    told: dict[int, tuple[Trait, ...]],
    settings: SegmentationSettings,
    previous: Segmentation | None,
) -> list[str]:
    """Last time's name for a segment that kept its number, a new one from its traits for the others."""
    if not found.has_structure:
        return [EVERYONE] * len(found.ids)
    old_names = dict(zip(previous.ids, previous.names, strict=True)) if previous else {}
    names = [old_names.get(id_, "") for id_ in found.ids]
    for index, id_ in enumerate(found.ids):
        if id_ not in told:
            names[index] = names[index] or small_segment_name(id_)
        elif names[index] in ("", EVERYONE, small_segment_name(id_)):
            taken = [*names, *old_names.values(), EVERYONE, NOBODY]
            names[index] = name_segment(told[id_], settings.words, taken)
    return names

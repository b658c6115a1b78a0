"""The segment of a person: of everybody the bundle knows as training saw it, of others by what they did lately."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ml.decisions.activity.activity import Activity, Visitor
from ml.segmentation import Segmentation
from ml.segmentation.features.recent_activity import build_recent_features


def segment_of(
    model: Segmentation | None,
    facts: Mapping[str, Any],
    visitor: Visitor | None,
    activity: Activity,
    dayparts: Mapping[str, tuple[int, int]],
) -> dict[str, Any]:
    """`segment` (name), `persona` (a paragraph) and `memberships` (share by name of segment).

    Args:
        model: the bundle's segmentation; None where there is none.
        facts: what the bundle says of the person; empty for somebody unknown at training. Somebody whom the bundle
            knows without a segment has not consented to one.
        visitor: what the person did lately.
        activity: knows the categories of what was opened.
        dayparts: hours of the day by name.
    """
    known = {"segment": facts.get("segment"), "persona": facts.get("persona"), "memberships": {}}
    if model is None or (facts and known["segment"] is None):
        return known
    if facts:
        assigned = model.assign_user(facts)
    elif visitor is not None and visitor.recent:
        openings = [(at, activity.categories.get(key)) for key, at in visitor.recent]
        assigned = model.assign_user(build_recent_features(openings, visitor.device, dayparts))
    else:
        return known
    names = dict(zip(model.ids, model.names, strict=True))
    return {
        "segment": assigned.name,
        "persona": next((p.persona for p in model.profiles if p.segment == assigned.segment), None),
        "memberships": {names[segment]: share for segment, share in assigned.membership.items()},
    }

"""Describes the segment of a person.

Somebody in the bundle has the segment of training. Anybody else gets the segment of their recent behaviour.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from ml.decisions.activity.activity import Activity
from ml.decisions.activity.visitors import Visitor
from ml.segmentation import Segmentation
from ml.segmentation.features.recent_activity import build_recent_features

LIKELY = 0.5  # above this the segment is more likely than all others together
NO_SEGMENT: Mapping[str, Any] = MappingProxyType({"segment": None, "persona": None, "memberships": {}})
"""What is said about somebody who has no segment, or does not consent to one."""


def describe_segment(
    model: Segmentation | None,
    facts: Mapping[str, Any],
    visitor: Visitor | None,
    activity: Activity,
) -> dict[str, Any]:
    """Return `segment` (name), `persona` (a paragraph) and `memberships` (probability by name of segment).

    The segment is the likeliest. After a view or two it may be one of several, none of which is more likely than
    all others together: nobody is described as somebody whom they may well not be, and there is no persona.

    Args:
        model: The bundle's segmentation; None without one.
        facts: What the bundle says about the person, empty for somebody who was unknown at training. Somebody whom
            the bundle has without a segment has not consented to one.
        visitor: What the person did lately.
        activity: Has the categories of what was opened.
    """
    published: dict[str, Any] = {
        "segment": facts.get("segment"),
        "persona": facts.get("persona"),
        "memberships": {},
    }
    if model is None or (facts and published["segment"] is None):
        return published
    if facts:
        assigned = model.assign_user(facts)
    elif visitor is not None and visitor.recent:
        categories = [activity.categories.get(key) for key, _ in visitor.recent]
        assigned = model.assign_user(build_recent_features(categories, visitor.device))
    else:
        return published
    names = dict(zip(model.ids, model.names, strict=True))
    is_likely = assigned.membership.get(assigned.segment, 0.0) > LIKELY
    profiles = [profile for profile in model.profiles if profile.segment == assigned.segment and is_likely]
    return {
        "segment": assigned.name,
        "persona": next((profile.persona for profile in profiles), None),
        "memberships": {names[segment]: share for segment, share in assigned.membership.items()},
    }

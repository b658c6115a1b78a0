"""Limits how often something is shown to a person: caps, fatigue and quiet hours."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from ml.decisions.activity.durations import DAY, HOUR
from ml.decisions.activity.visitors import Visitor
from ml.local_clock import is_within
from ml.settings.decisions import CapSettings


def count_since(times: Sequence[float], since: float) -> int:
    """Count the times after `since`; the times ascend."""
    return sum(1 for moment in reversed(times) if moment > since)


def is_campaign_capped(
    visitor: Visitor | None, campaign: str, at: float, cap: int, contents: Collection[str] = ()
) -> bool:
    """Return whether a campaign was shown to a person `cap` times within 24 hours.

    Args:
        visitor: The person.
        campaign: The campaign.
        at: Unix seconds.
        cap: Number of showings from which the campaign is held back.
        contents: What the campaign shows; an impression may name it in place of the campaign.
    """
    if visitor is None:
        return False
    times = [visitor.shown_campaigns.get(campaign, ())]
    times += [visitor.contents_alone.get(content, ()) for content in contents]
    return sum(count_since(moments, at - DAY) for moments in times) >= cap


def is_content_capped(visitor: Visitor | None, content: str, at: float, cap: int) -> bool:
    """Return whether a content was shown to a person `cap` times within 24 hours."""
    return visitor is not None and count_since(visitor.shown_contents.get(content, ()), at - DAY) >= cap


def item_cap(profile: Mapping[str, Any], site_cap: int) -> int:
    """Return how often an item may be shown to a person within 24 hours: as the person set it, or the site."""
    return min(profile.get("item_impressions_per_day") or site_cap, site_cap)


def is_slot_capped(visitor: Visitor | None, slot: str | None, at: float, cap: int) -> bool:
    """Return whether a slot was answered for a person `cap` times within an hour."""
    if visitor is None or slot is None:
        return False
    return count_since(visitor.answered_slots.get(slot, ()), at - HOUR) >= cap


def fatigue_penalty(visitor: Visitor | None, item: int, at: float, caps: CapSettings) -> float:
    """Compute what an item's score loses because the person saw it often and never opened it."""
    if visitor is None or item not in visitor.shown:
        return 0.0
    beyond = count_since(visitor.shown[item], at - DAY) - caps.fatigue_after_impressions
    return caps.fatigue_penalty * max(0, beyond + 1)


def is_quiet_hour(profile: Mapping[str, Any], local_hour: float) -> bool:
    """Return whether a person wants no campaigns at this hour. Quiet hours may span midnight.

    Args:
        profile: The person's settings, of which `quiet_hours: {"from": 22, "to": 7}` counts if it is there.
        local_hour: 0 … 24 by the person's clock.
    """
    quiet = profile.get("quiet_hours")
    if not quiet:
        return False
    return is_within(local_hour, float(quiet["from"]), float(quiet["to"]))

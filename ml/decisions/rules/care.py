"""How often one thing may be shown to one person: caps, fatigue and quiet hours."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ml.decisions.activity.activity import DAY, HOUR, Visitor
from ml.local_clock import is_within
from ml.settings.decisions import CapSettings


def count_since(times: Sequence[float], since: float) -> int:
    """How many times lie after `since`; times ascend."""
    return sum(1 for moment in reversed(times) if moment > since)


def is_campaign_capped(visitor: Visitor | None, campaign: str, at: float, cap: int) -> bool:
    """Whether a campaign was shown to a person as often in 24 hours as it may be."""
    if visitor is None:
        return False
    return count_since(visitor.shown_campaigns.get(campaign, ()), at - DAY) >= cap


def is_slot_capped(visitor: Visitor | None, slot: str | None, at: float, cap: int) -> bool:
    """Whether a slot was answered to a person as often in an hour as it may be."""
    if visitor is None or slot is None:
        return False
    return count_since(visitor.answered_slots.get(slot, ()), at - HOUR) >= cap


def fatigue(visitor: Visitor | None, item: int, at: float, caps: CapSettings) -> float:
    """What an item's score loses because the person saw it often and never opened it."""
    if visitor is None or item not in visitor.shown:
        return 0.0
    beyond = count_since(visitor.shown[item], at - DAY) - caps.fatigue_after_impressions
    return caps.fatigue_penalty * max(0, beyond + 1)


def is_quiet(profile: Mapping[str, Any], local_hour: float) -> bool:
    """Whether it is within the hours in which a person wants no campaigns; they may span midnight.

    Args:
        profile: with `quiet_hours: {"from": 22, "to": 7}`, or without.
        local_hour: 0 … 24, the person's own.
    """
    quiet = profile.get("quiet_hours")
    if not quiet:
        return False
    return is_within(local_hour, float(quiet["from"]), float(quiet["to"]))

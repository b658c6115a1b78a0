"""Reads what a person set, whoever stored it: an older version, or a preference event that names any fields."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from serving.requests import Preferences

LISTS = ("interests", "muted")
MOST_TOPICS = 200


def read_profile(stored: Mapping[str, Any]) -> dict[str, Any]:
    """Return the parts of a stored profile that can be used; the rest counts as never set.

    An opt-out that cannot be read counts as one, because the person asked for something of the kind.

    Args:
        stored: The profile as it was stored, any JSON object.
    """
    profile = {name: value for name, value in stored.items() if value is not None}
    for name in LISTS:
        if name in profile:
            topics = profile[name] if isinstance(profile[name], list) else []
            profile[name] = [topic for topic in topics if isinstance(topic, str) and topic][:MOST_TOPICS]
    if not isinstance(profile.get("opt_out", False), bool):
        profile["opt_out"] = True
    for name in ("item_impressions_per_day", "quiet_hours"):
        if name in profile and not _is_legal(name, profile[name]):
            del profile[name]
    return profile


def _is_legal(name: str, value: Any) -> bool:
    try:
        Preferences.model_validate({name: value})
    except ValidationError:
        return False
    return True

"""A person's own clock: its zone, its hour, and whether that lies within hours that may span midnight."""

from __future__ import annotations

import datetime as dt
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError


@lru_cache(maxsize=1_000)
def zone(name: str | None) -> ZoneInfo:
    """The zone of an IANA name; UTC where there is none, or none of that name."""
    if not name:
        return ZoneInfo("UTC")
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return ZoneInfo("UTC")


def hour_of(local: dt.datetime) -> float:
    """The hour of a moment, 0 … 24, minutes as its fraction."""
    return local.hour + local.minute / 60


def is_within(hour: float, start: float, end: float) -> bool:
    """Whether an hour lies from `start` on and before `end`; 22 to 7 spans midnight, the same hour twice is never.

    >>> is_within(23.5, 22, 7), is_within(7, 22, 7), is_within(12, 12, 12)
    (True, False, False)
    """
    return start <= hour < end if start <= end else hour >= start or hour < end

"""The local clock of a person: the zone, the hour, and whether the hour lies within a span of hours."""

from __future__ import annotations

import datetime as dt
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

HourSpan = tuple[float, float]
"""The first local hour and the hour after the last, 0 … 24; a span such as 22 to 7 crosses midnight."""


@lru_cache(maxsize=1_000)
def find_zone(name: str | None) -> ZoneInfo:
    """Return the zone of an IANA name, or UTC if there is no such zone."""
    if not name:
        return ZoneInfo("UTC")
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return ZoneInfo("UTC")


def hour_of(local: dt.datetime) -> float:
    """Return the hour of a moment, from 0 up to 24, with the minutes as its fraction."""
    return local.hour + local.minute / 60


def is_within(hour: float, start: float, end: float) -> bool:
    """Return whether an hour is `start` or later and before `end`.

    A span such as 22 to 7 crosses midnight. A span whose ends are equal contains no hour.

    >>> is_within(23.5, 22, 7), is_within(7, 22, 7), is_within(12, 12, 12)
    (True, False, False)
    """
    return start <= hour < end if start <= end else hour >= start or hour < end

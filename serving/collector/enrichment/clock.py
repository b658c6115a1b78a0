"""A client's clock set right: what it says it was when it sent tells how far it is off."""

from __future__ import annotations

import datetime as dt
from typing import Any

MAX_SKEW = dt.timedelta(days=3_650)


def parse_time(value: Any, unit: str = "s") -> dt.datetime | None:
    """A time in UTC from ISO 8601 text, or from a number (or digits) of seconds or milliseconds since 1970."""
    try:
        if isinstance(value, dt.datetime):
            time = value
        elif isinstance(value, str) and not value.replace(".", "", 1).lstrip("-").isdecimal():
            time = dt.datetime.fromisoformat(value)
        elif isinstance(value, int | float | str) and not isinstance(value, bool):
            time = dt.datetime.fromtimestamp(float(value) / (1_000 if unit == "ms" else 1), dt.UTC)
        else:
            return None
        return time.astimezone(dt.UTC) if time.tzinfo else time.replace(tzinfo=dt.UTC)
    except (ValueError, OverflowError, OSError):
        return None


def correct_clock(occurred_at: dt.datetime, sent_at: dt.datetime | None, received_at: dt.datetime) -> dt.datetime:
    """When it happened by our clock: `received_at` less the time that the client says lay between.

    An event that by its own clock happened after it was sent happened when it was sent.
    """
    if sent_at is None:
        return occurred_at
    age = max(sent_at - occurred_at, dt.timedelta(0))
    return received_at - age if age < MAX_SKEW else occurred_at

"""A client's clock set right: what it says it was when it sent tells how far it is off."""

from __future__ import annotations

import datetime as dt
from typing import Any

from ml.events.normalization.times import parse_moment_of

MAX_AGE = dt.timedelta(days=3_650)  # that a client may hold an event before it sends it
MAX_EARLY = dt.timedelta(hours=1)  # that a client may say it sent before the event happened
MAX_AHEAD = dt.timedelta(days=1)  # of a clock that shows the time of another zone


def parse_time(value: Any) -> dt.datetime | None:
    """Return a time in UTC from whatever `parse_moment_of` reads; None for anything else."""
    try:
        return parse_moment_of(value)
    except ValueError:
        return None


def correct_clock(occurred_at: dt.datetime, sent_at: dt.datetime | None, received_at: dt.datetime) -> dt.datetime:
    """Return when an event happened by our clock: `received_at` less the time that the client says lay between.

    An event that by its own clock happened after it was sent happened when it was sent. A `sent_at` that the clock
    of the event cannot have shown is ignored: one long before the event, one ten years after it, and one in the
    future if the event is not.
    """
    if sent_at is None:
        return occurred_at
    age = sent_at - occurred_at
    is_ahead = sent_at > received_at + MAX_AHEAD and occurred_at <= received_at
    if is_ahead or not -MAX_EARLY <= age < MAX_AGE:
        return occurred_at
    return received_at - max(age, dt.timedelta(0))

"""Retention: events and dead letters older than the settings allow leave the disk.

Only whole days expire, and a part of the log holds one day, so that nothing is rewritten. The warehouse follows by
itself: its next build takes out what came from parts that are gone.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from ml.events.dead_letters import DeadLetters
from ml.events.log import EventLog
from ml.home import Home
from ml.settings.privacy import PrivacySettings


@dataclass(frozen=True)
class Expired:
    """How many rows went."""

    events: int
    dead_letters: int


def expire(home: Home, settings: PrivacySettings, now: dt.datetime) -> Expired:
    """Remove what was received more than `retention_days` or `dead_letter_retention_days` before today (UTC)."""
    today = now.astimezone(dt.UTC).date()
    log = EventLog(home)
    first_day = today - dt.timedelta(days=settings.retention_days)
    old = [part for part in log.parts() if dt.datetime.fromisoformat(part.received_max).date() < first_day]
    log.drop(old)
    first_letters = today - dt.timedelta(days=settings.dead_letter_retention_days)
    return Expired(sum(part.rows for part in old), DeadLetters(home).drop_before(first_letters))

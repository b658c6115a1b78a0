"""Retention: removes events and dead letters that are older than the settings allow.

Only whole days expire, and a part of the log holds one day, so nothing has to be rewritten. The next build of the
warehouse takes out the rows that came from removed parts.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from pathlib import Path

from ml.events.dead_letters import DeadLetters
from ml.events.log import EventLog
from ml.events.quarantine import Quarantine
from ml.home import Home
from ml.settings.privacy import PrivacySettings


@dataclass(frozen=True)
class ExpiredRows:
    """Numbers of rows that were removed; entries of the quarantine count as dead letters."""

    events: int
    dead_letters: int


def expire_events(home: Home, settings: PrivacySettings, now: dt.datetime) -> ExpiredRows:
    """Remove the rows whose retention has ended.

    Args:
        home: The home with the event log, the dead letters and the quarantine.
        settings: `retention_days` and `dead_letter_retention_days` count from the date of receipt to today (UTC).
        now: The present time.
    """
    today = now.astimezone(dt.UTC).date()
    log = EventLog(home)
    first_day = today - dt.timedelta(days=settings.retention_days)
    old = [part for part in log.parts() if dt.datetime.fromisoformat(part.received_max).date() < first_day]
    log.drop(old)
    first_letters = today - dt.timedelta(days=settings.dead_letter_retention_days)
    quarantined = Quarantine(home).remove(lambda entry: dt.datetime.fromisoformat(entry.at).date() < first_letters)
    letters = DeadLetters(home).drop_before(first_letters)
    _drop_damaged(log.damaged, first_day)
    _drop_damaged(home.dead_letters / "damaged", first_letters)
    return ExpiredRows(sum(part.rows for part in old), letters + quarantined)


def _drop_damaged(folder: Path, first_day: dt.date) -> None:
    """Remove the damaged files that are kept aside and were last written before a day; they hold events too."""
    for file in folder.glob("*"):
        if dt.datetime.fromtimestamp(file.stat().st_mtime, dt.UTC).date() < first_day:
            file.unlink()

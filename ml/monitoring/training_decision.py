"""When alarms or age start a training."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from ml.monitoring.alert_text import calls_for_training
from ml.monitoring.journal import TRAINED, Journal
from ml.settings.operation import AlertSettings

DAY = dt.timedelta(days=1)


@dataclass(frozen=True)
class TrainingDecision:
    """Whether a training starts now, and why or why not, as a clause."""

    starts: bool
    reason: str


def decide_on_training(
    journal: Journal, last_training: dt.datetime, now: dt.datetime, settings: AlertSettings
) -> TrainingDecision:
    """Start a training for alarms that came since the last one, or because that one is too old.

    None starts sooner than `training_least_days` after the last one ended or was asked for, so that one that is
    still at work, or that failed, is not asked for again at once.

    Args:
        journal: Holds the alarms and the trainings that were asked for.
        last_training: When a training last ended, UTC.
        now: The present, UTC.
        settings: The floor and the ceiling of the time between trainings.
    """
    alarms = [
        entry.alarm
        for entry in journal.open_alarms()
        if calls_for_training(entry) and dt.datetime.fromisoformat(entry.at) > last_training
    ]
    age = (now - last_training) / DAY
    if alarms:
        reason = f"alarms {', '.join(alarms)}"
    elif age > settings.training_most_days:
        reason = f"the last one is {age:.0f} days old"
    else:
        return TrainingDecision(False, "no alarm since the last training would be answered by another")
    requests = [dt.datetime.fromisoformat(entry.at) for entry in journal.entries() if entry.what == TRAINED]
    since = (now - max([last_training, *requests])) / DAY
    if since < settings.training_least_days:
        return TrainingDecision(False, f"{reason}; the last training is {since:.1f} days old, which is too young")
    return TrainingDecision(True, reason)

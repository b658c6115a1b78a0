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
    """Start a training for alarms that came since the last one or that are still open, or because it is too old.

    A training right after a change knows few days of it, so others follow while the alarm is open: each as long
    after the one before as that came after the alarm, and `training_least_days` more (after 2, 6 and 14 days).

    None starts sooner than `training_least_days` after the last one ended or was asked for, so that one that is
    still at work, or that failed, is not asked for again at once.

    Args:
        journal: Holds the alarms and the trainings that were asked for.
        last_training: When a training last ended, UTC.
        now: The present, UTC.
        settings: The floor and the ceiling of the time between trainings.
    """
    calling = {
        entry.alarm: dt.datetime.fromisoformat(entry.at)
        for entry in journal.open_alarms()
        if calls_for_training(entry)
    }
    age = (now - last_training) / DAY
    alarms = [name for name, at in calling.items() if at > last_training]
    followed = [
        name
        for name, at in calling.items()
        if at <= last_training and age >= settings.training_least_days + (last_training - at) / DAY
    ]
    if alarms:
        reason = f"alarms {', '.join(alarms)}"
    elif followed:
        reason = f"more is there to learn from since the alarms {', '.join(followed)}"
    elif age > settings.training_most_days:
        reason = f"the last one is {age:.0f} days old"
    else:
        return TrainingDecision(False, "no alarm since the last training would be answered by another")
    requests = [dt.datetime.fromisoformat(entry.at) for entry in journal.entries() if entry.what == TRAINED]
    since = (now - max([last_training, *requests])) / DAY
    if since < settings.training_least_days:
        return TrainingDecision(False, f"{reason}; the last training is {since:.1f} days old, which is too young")
    return TrainingDecision(True, reason)

"""Alarms in plain words."""

from __future__ import annotations

from ml.monitoring.alarms import Alarm
from ml.monitoring.series import Subject
from ml.settings.operation import Severity

# Data that is lost and worse answers cannot be made good later.
_SEVERITIES: dict[Subject, Severity] = {
    Subject.FIELD: "high",
    Subject.QUALITY: "high",
    Subject.VOLUME: "medium",
    Subject.TASTE: "medium",
    Subject.INPUT: "medium",
    Subject.AUDIENCE: "low",
}
_RUNBOOK = {
    Subject.FIELD: "lost-fields",
    Subject.VOLUME: "volume",
    Subject.AUDIENCE: "audience",
    Subject.TASTE: "taste",
    Subject.INPUT: "inputs",
    Subject.QUALITY: "quality",
}
RUNBOOK_OF_CANARIES = "docs/monitoring.md#new-models"
_DIMENSIONS = {"device_type": "devices of type", "browser": "the browser", "country": "the country"}
INPUT = "input"  # the dimension of what is missed or changed in the frames of a training, not in events
UNKNOWN_ITEMS = "unknown items"
_PURCHASES, _PAGE_VIEWS = "purchase", "page_view"


def names_of(alarm: Alarm) -> dict[str, str]:
    """What an alarm is about, how urgent and how sure it is, as the table and the journal name it."""
    return {
        "subject": alarm.subject.name.lower(),
        "measure": alarm.measure,
        "dimension": alarm.dimension,
        "slice": alarm.slice,
        "severity": _SEVERITIES[alarm.subject],
        "certainty": certainty(alarm),
    }


def runbook_of(subject: Subject) -> str:
    """The section of docs/monitoring.md about a subject."""
    return f"docs/monitoring.md#{_RUNBOOK[subject]}"


def headline(alarm: Alarm) -> str:
    """Say in one sentence what changed and who carries it."""
    where = _where(alarm)
    if alarm.subject is Subject.INPUT:
        return _input_headline(alarm)
    if alarm.subject is Subject.FIELD:
        rows = "values are there" if alarm.dimension == INPUT else "events have it"
        have = f"{_share(alarm.observed)} of {rows}, not {_share(alarm.usual)}"
        return f"{alarm.measure} is missing{where}: {have}"
    if alarm.subject is Subject.VOLUME:
        what = {_PURCHASES: "Purchases", _PAGE_VIEWS: "Page views"}.get(alarm.measure, alarm.measure)
        return f"{what} {_moved(alarm)} to {alarm.observed:,.0f} a day, from the usual {alarm.usual:,.0f}"
    if alarm.subject is Subject.QUALITY:
        return (
            f"Clicked answers {_moved(alarm)} to {_share(alarm.observed)} of answers{where}, "
            f"from the usual {_share(alarm.usual)}"
        )
    if alarm.subject is Subject.TASTE:
        toward = f" toward {alarm.slice}" if alarm.dimension == "category" else ""
        return (
            f"What people view has changed{toward}: {alarm.measure} "
            f"{_moved(alarm)} to {_share(alarm.observed)}, from the usual {_share(alarm.usual)}"
        )
    share = f"{_share(alarm.observed)} of all, from the usual {_share(alarm.usual)}"
    return f"Page views{where} {_moved(alarm)} to {share}"


def certainty(alarm: Alarm) -> str:
    """Say how sure an alarm is."""
    if alarm.odds_of_chance >= 0.001:
        return f"chance alone would show a change this large on at most {alarm.odds_of_chance:.1%} of quiet days"
    return "chance alone would show a change this large on fewer than 1 of 1,000 quiet days"


def _input_headline(alarm: Alarm) -> str:
    if alarm.measure == UNKNOWN_ITEMS:
        return f"{_share(alarm.observed)} of interactions are with items that the model does not know"
    share = f"{_share(alarm.observed)}, from {_share(alarm.usual)} in the training"
    return f"What models read in {alarm.measure} has changed: {alarm.slice} {_moved(alarm)} to {share}"


def _where(alarm: Alarm) -> str:
    if alarm.dimension == INPUT:
        return " in what models read"
    if alarm.dimension == "everything":
        return ""
    if alarm.dimension == "model_version":
        return f" since the model {alarm.slice} answers"
    if alarm.dimension == "slot":
        return f" in the slot {alarm.slice}"
    name = alarm.slice or "unknown"
    return f" on {_DIMENSIONS.get(alarm.dimension, alarm.dimension)} {name}"


def _moved(alarm: Alarm) -> str:
    return "fell" if alarm.observed < alarm.usual else "rose"


def _share(value: float) -> str:
    return f"{value:.1%}" if value < 0.1 else f"{value:.0%}"

"""What a message about alarms says."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

from ml.monitoring.journal import NOTICES, Entry


def title_of(group: Sequence[Entry]) -> str:
    """The headline of a message about some alarms."""
    if len(group) == 1:
        return group[0].text
    kind = "messages" if any(entry.what in NOTICES for entry in group) else "alarms"
    return f"{len(group)} {kind}: {group[0].text.rstrip('.')}, and others"


def text_of(group: Sequence[Entry]) -> str:
    """What, since when, how sure, what helps and where to read on, for each alarm."""
    return "\n\n".join("\n".join(_lines(entry)) for entry in group)


def calls_for_training(entry: Entry) -> bool:
    """Whether a training may help: people, taste, inputs or quality changed, on data that is whole."""
    return entry.facts["subject"] in ("taste", "audience", "input", "quality")


def _lines(entry: Entry) -> list[str]:
    if entry.what in NOTICES:
        return [entry.text, f"What to do: {entry.facts['runbook']}"]
    lines = [
        entry.text + ".",
        f"Since {_moment(entry.facts['since'])}; certain since {_moment(entry.facts['detected_at'])}.",
        f"How sure: {entry.facts['certainty']}.",
        f"Also changed: {entry.facts['follows']}." if entry.facts["follows"] else "",
        "A training may help; the sensor training_after_alarms starts one."
        if calls_for_training(entry)
        else "A training on such data would not help.",
        f"What to do: {entry.facts['runbook']}",
        f"Acknowledge: tessera alerts acknowledge {entry.alarm}",
    ]
    return [line for line in lines if line]


def _moment(text: str) -> str:
    return f"{dt.datetime.fromisoformat(text):%Y-%m-%d %H:%M} UTC"

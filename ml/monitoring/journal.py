"""The journal: all that monitoring saw and did, a line each, in a file of the home that is only appended to."""

from __future__ import annotations

import datetime as dt
import json
import os
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field

from ml.errors import DamagedFileError
from ml.home import Home, locked, make_folder, open_private
from ml.monitoring.alarms import Alarm
from ml.monitoring.words import RUNBOOK_OF_CANARIES, headline, names_of, runbook_of
from ml.settings.operation import MonitoringSettings

OPENED, CLOSED, ACKNOWLEDGED, EXPLAINED = "opened", "closed", "acknowledged", "explained"
SENT, UNDELIVERED, TRAINED = "sent", "undelivered", "training_started"
TRIED, PROMOTED, ROLLED_BACK = "canary_started", "canary_promoted", "canary_rolled_back"
NOTICES = {TRIED: "low", PROMOTED: "low", ROLLED_BACK: "medium"}
"""What was done without anybody asking, and how urgently people are told."""
FIELDS = ("subject", "measure", "dimension", "slice")


@dataclass(frozen=True)
class Entry:
    """One line.

    Attributes:
        at: When it was written, UTC, ISO 8601.
        what: `opened`, `closed`, `acknowledged`, `explained`, `sent`, `undelivered`, `training_started`,
            `canary_started`, `canary_promoted` or `canary_rolled_back`.
        alarm: Name of the alarm or the notice; empty for none.
        text: What happened, in words.
        facts: What an opened alarm says: subject, measure, dimension, slice, since, detected_at, severity,
            certainty, runbook and follows; of an explained change, the column. What a notice says: severity and
            runbook.
    """

    at: str
    what: str
    alarm: str
    text: str
    facts: dict[str, str] = field(default_factory=dict)


class Journal:
    """The journal of a home."""

    def __init__(self, home: Home) -> None:
        self.file = home.path / "monitoring" / "journal.jsonl"

    def entries(self) -> list[Entry]:
        """All lines, the oldest first.

        Raises:
            DamagedFileError: A line is no entry.
        """
        if not self.file.exists():
            return []
        entries = []
        for number, line in enumerate(self.file.read_text(encoding="utf-8").splitlines(), start=1):
            try:
                entries.append(Entry(**json.loads(line)))
            except (ValueError, TypeError) as error:
                raise DamagedFileError(
                    self.file, f"line {number} is not an entry of the journal", "remove the line"
                ) from error
        return entries

    def open_alarms(self) -> list[Entry]:
        """The entries that opened alarms which are not closed, the oldest first."""
        opened: dict[str, Entry] = {}
        for entry in self.entries():
            if entry.what == OPENED:
                opened[entry.alarm] = entry
            elif entry.what == CLOSED:
                opened.pop(entry.alarm, None)
        return list(opened.values())

    def unacknowledged(self) -> list[Entry]:
        """The entries of the open alarms that nobody acknowledged, the oldest first."""
        acknowledged = self.with_mark(ACKNOWLEDGED)
        return [entry for entry in self.open_alarms() if entry.alarm not in acknowledged]

    def notices(self, since: dt.datetime) -> list[Entry]:
        """The entries about what was done without anybody asking, since a moment (UTC), the oldest first."""
        return [
            entry
            for entry in self.entries()
            if entry.what in NOTICES and dt.datetime.fromisoformat(entry.at) >= since
        ]

    def note(self, what: str, version: int, text: str, now: dt.datetime) -> None:
        """Note what was done: one of NOTICES, with which version of the model, a sentence, and when (UTC)."""
        facts = {"severity": NOTICES[what], "runbook": RUNBOOK_OF_CANARIES}
        self.append([Entry(now.isoformat(), what, f"{what}-{version}", text, facts)])

    def with_mark(self, what: str) -> set[str]:
        """Names of the alarms that have an entry of a kind, such as those that were acknowledged."""
        return {entry.alarm for entry in self.entries() if entry.what == what}

    def record(self, alarms: Iterable[Alarm], now: dt.datetime, settings: MonitoringSettings) -> list[Entry]:
        """Open what is new among the alarms that a run found, and close what has become the usual.

        What began within `same_cause_days` of an alarm is that alarm, even if late events give it another name,
        and so is what an open alarm says already. An alarm closes once what is usual has been learned anew
        from the days since it was found.

        Returns:
            The entries of the new alarms.
        """
        opened = [entry for entry in self.entries() if entry.what == OPENED]
        still_open = {entry.alarm for entry in self.open_alarms()}
        rest = dt.timedelta(days=settings.reference_days + settings.lag_days)
        fresh = []
        for alarm in alarms:
            entry = _opened(alarm, now)
            is_known = any(
                _began_with(entry, other, settings) or (other.alarm in still_open and _says_the_same(entry, other))
                for other in opened
            )
            if now - alarm.detected_at < rest and not is_known:
                fresh.append(entry)
                opened.append(entry)
                still_open.add(entry.alarm)
        over = [
            Entry(now.isoformat(), CLOSED, entry.alarm, "It has become the new normal.")
            for entry in self.open_alarms()
            if now - dt.datetime.fromisoformat(entry.facts["detected_at"]) >= rest
        ]
        self.append([*over, *fresh])
        return fresh

    def open(self, alarms: Iterable[Alarm], now: dt.datetime) -> list[Entry]:
        """Open alarms, whatever the journal holds already, and return their entries."""
        entries = [_opened(alarm, now) for alarm in alarms]
        self.append(entries)
        return entries

    def append(self, entries: Iterable[Entry]) -> None:
        """Write entries, each a line."""
        lines = "".join(json.dumps(asdict(entry), ensure_ascii=False) + "\n" for entry in entries)
        if not lines:
            return
        make_folder(self.file.parent)
        with (
            locked(self.file.with_suffix(".lock")),
            open(self.file, "a", opener=open_private, encoding="utf-8") as log,
        ):
            log.write(lines)
            log.flush()
            os.fsync(log.fileno())


def _opened(alarm: Alarm, now: dt.datetime) -> Entry:
    facts = {
        **names_of(alarm),
        "since": alarm.since.isoformat(),
        "detected_at": alarm.detected_at.isoformat(),
        "runbook": runbook_of(alarm.subject),
        "follows": ", ".join(alarm.follows),
    }
    name = "-".join(filter(None, (facts["subject"], alarm.measure, alarm.slice, f"{alarm.since:%Y%m%d}")))
    return Entry(now.isoformat(), OPENED, name.replace(" ", "_").lower(), headline(alarm), facts)


def _began_with(entry: Entry, other: Entry, settings: MonitoringSettings) -> bool:
    began = [dt.datetime.fromisoformat(each.facts["since"]) for each in (entry, other)]
    return abs(began[0] - began[1]) <= dt.timedelta(days=settings.same_cause_days)


def _says_the_same(entry: Entry, other: Entry) -> bool:
    return all(entry.facts[name] == other.facts[name] for name in FIELDS)

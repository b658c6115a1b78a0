"""The state of a home in ten lines, from its files alone, so that it can be asked while a run is at work."""

from __future__ import annotations

import datetime as dt
import shutil
from dataclasses import dataclass
from pathlib import Path

from ml.bundle.versions import find_current
from ml.events.dead_letters import DeadLetters
from ml.events.log import EventLog
from ml.home import Home
from ml.integrity.named_lock import NamedLock
from ml.monitoring.alerts import AlertAddressError, read_addresses
from ml.monitoring.journal import NOTICES, OPENED, SENT, TRAINED, UNDELIVERED, Entry, Journal
from ml.settings import Settings

STALE_HOURS = 30  # the daily run and some hours more
LEAST_FREE_SHARE = 0.05
MOST_DEAD_SHARE = 0.02


@dataclass(frozen=True)
class HealthLine:
    """One line.

    Attributes:
        subject: What it is about, in one or two words.
        text: What there is to say.
        is_well: Whether no person is needed.
    """

    subject: str
    text: str
    is_well: bool


def measure_health(home: Home, settings: Settings, now: dt.datetime) -> list[HealthLine]:
    """Return ten lines about a home.

    Raises:
        DamagedFileError: The log, the dead letters or the journal are damaged.
    """
    journal = Journal(home)
    entries = journal.entries()
    return [
        _events(home, now),
        _dead_letters(home, now),
        _age("tables", home.warehouse, now, "the tables were written", "run `tessera materialize`"),
        _bundle(home, now),
        _alarms(journal),
        _last(entries, (OPENED,), "alarm", "no alarm yet"),
        _alerts(home, entries, settings),
        _last(entries, (TRAINED,), "training", "alarms have started no training yet"),
        _last(entries, tuple(NOTICES), "canary", "no new model was tried yet"),
        _disk(home),
    ]


def _events(home: Home, now: dt.datetime) -> HealthLine:
    parts = EventLog(home).parts()
    if not parts:
        return HealthLine("events", "none have arrived yet", False)
    newest = max(dt.datetime.fromisoformat(part.received_max) for part in parts)
    age = _hours(now - newest)
    return HealthLine("events", f"the newest arrived {age:.1f} hours ago", age <= STALE_HOURS)


def _dead_letters(home: Home, now: dt.datetime) -> HealthLine:
    """Compare the rejected rows of the last day with the events that were taken in."""
    begin = (now - dt.timedelta(days=1)).date()
    letters = DeadLetters(home)
    recent = [file for file in letters.files() if file.parent.name.partition("=")[2] >= begin.isoformat()]
    tables = [letters.read_file(file) for file in recent]
    rejected = sum(table.num_rows for table in tables)
    taken = sum(part.rows for part in EventLog(home).parts() if part.received_max >= begin.isoformat())
    share = rejected / max(rejected + taken, 1)
    text = f"{rejected:,} rows were rejected since yesterday, {share:.1%} of all that arrived"
    return HealthLine("dead letters", text, share <= MOST_DEAD_SHARE)


def _age(subject: str, file: Path, now: dt.datetime, text: str, remedy: str) -> HealthLine:
    if not file.exists():
        return HealthLine(subject, f"there are none yet: {remedy}", False)
    age = _hours(now - dt.datetime.fromtimestamp(file.stat().st_mtime, dt.UTC))
    return HealthLine(subject, f"{text} {age:.1f} hours ago", age <= STALE_HOURS)


def _bundle(home: Home, now: dt.datetime) -> HealthLine:
    bundle = find_current([home.published])
    if bundle is None:
        return HealthLine("bundle", "none is published yet: run `tessera materialize`", False)
    age = _hours(now - dt.datetime.fromtimestamp(bundle.stat().st_mtime, dt.UTC))
    return HealthLine("bundle", f"{bundle.name} was published {age:.1f} hours ago", age <= STALE_HOURS)


def _alarms(journal: Journal) -> HealthLine:
    waiting = journal.unacknowledged()
    acknowledged = len(journal.open_alarms()) - len(waiting)
    if not waiting:
        return HealthLine("alarms", f"none needs attention; {acknowledged} are acknowledged", True)
    return HealthLine("alarms", f"{len(waiting)} open: {'; '.join(entry.alarm for entry in waiting)}", False)


def _last(entries: list[Entry], kinds: tuple[str, ...], subject: str, none: str) -> HealthLine:
    matching = [entry for entry in entries if entry.what in kinds]
    if not matching:
        return HealthLine(subject, none, True)
    last = matching[-1]
    return HealthLine(subject, f"{last.at[:16].replace('T', ' ')} {last.text}", True)


def _alerts(home: Home, entries: list[Entry], settings: Settings) -> HealthLine:
    try:
        addresses = read_addresses(home, settings.alerts)
    except AlertAddressError as error:
        return HealthLine("alerts", str(error), False)
    if not addresses:
        return HealthLine("alerts", "nobody is notified: alerts.addresses_file names no file", True)
    attempts = [entry for entry in entries if entry.what in (SENT, UNDELIVERED)]
    failed = [entry.text for entry in attempts if entry.what == UNDELIVERED and entry.at == attempts[-1].at]
    if failed:
        return HealthLine("alerts", f"{' '.join(failed)} Try tessera alerts test", False)
    sent = sum(entry.what == SENT for entry in attempts)
    notified = "1 address is notified" if len(addresses) == 1 else f"{len(addresses)} addresses are notified"
    return HealthLine("alerts", f"{notified}; alarms sent so far: {sent}", True)


def _disk(home: Home) -> HealthLine:
    folder = home.path if home.path.exists() else home.path.parent
    usage = shutil.disk_usage(folder)
    holder = NamedLock(home.warehouse.with_suffix(".lock")).holder() if home.warehouse.exists() else None
    at_work = f"; {holder} is at work" if holder else ""
    free = usage.free / usage.total
    return HealthLine(
        "disk", f"{usage.free / 2**30:,.1f} GiB are free, {free:.0%}{at_work}", free >= LEAST_FREE_SHARE
    )


def _hours(age: dt.timedelta) -> float:
    return age.total_seconds() / 3600

"""Puts dead letters and quarantined events through validation into the log again, as they are or repaired."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ml.events.dead_letters import DeadLetters
from ml.events.live_dead_letters import recover_dead_letters
from ml.events.live_log import read_all_events
from ml.events.log import EventLog
from ml.events.quarantine import Quarantine
from ml.events.rejected.rejections import EVERYTHING, RejectionFilter
from ml.events.rejected.repair import RepairRules, UnrepairedError
from ml.events.removal import ID_COLUMNS, name_event
from ml.events.validation import validate_records
from ml.home import Home

SOURCE = "replay"
COLLECTED_SOURCES = frozenset({"json", "segment", "snowplow"})
"""Sources of the collector, whose events say who vouches for them."""
NOT_WHOLE = "the payload is not kept whole"
NO_AUTHORITY = "nobody vouches for it"


@dataclass
class ReplayReport:
    """What a replay did, or would do.

    Attributes:
        replayed: Events that went into the log.
        already_in_log: Letters whose event the log has already, from an earlier replay or another submission.
        retried: Quarantined events that the log still holds; the next rebuild of each fold tries them again.
        left: Letters and quarantined events that stay, by reason.
    """

    replayed: int = 0
    already_in_log: int = 0
    retried: int = 0
    left: Counter[str] = field(default_factory=Counter)


def replay(
    home: Home,
    now: dt.datetime,
    max_future: dt.timedelta,
    chosen: RejectionFilter = EVERYTHING,
    rules: RepairRules | None = None,
    is_dry_run: bool = False,
) -> ReplayReport:
    """Validate dead letters and quarantined events again, and write those that pass into the log.

    What went into the log, or was there already, leaves the dead letters and the quarantine; what does not pass
    stays as it was. A replay that is killed can be repeated: an event is known by its id and sender.

    Args:
        home: The home.
        now: The present time.
        max_future: How far `occurred_at` may lie in the future.
        chosen: Which of them.
        rules: How each is repaired first. What the rules do not fit stays.
        is_dry_run: Count alone.
    """
    if not is_dry_run:
        recover_dead_letters(home)
    letters, replayed = DeadLetters(home), _Replayed(EventLog(home), now, max_future, is_dry_run)
    for file in letters.files():
        table = letters.read_file(file)
        rows = table.to_pylist()
        numbers = [number for number, letter in enumerate(rows) if chosen.accepts(letter)]
        records = [_read_letter(rows[number], rules) for number in numbers]
        done = {numbers[place] for place in replayed.write(records)}
        if done and not is_dry_run:
            letters.rewrite(file, table.filter(pa.array([number not in done for number in range(len(rows))])))
    _replay_quarantine(Quarantine(home), replayed, chosen, rules)
    return replayed.report


@dataclass(frozen=True)
class _Replayed:
    """Writes records that pass into the log, and counts what became of each."""

    log: EventLog
    now: dt.datetime
    max_future: dt.timedelta
    is_dry_run: bool
    report: ReplayReport = field(default_factory=ReplayReport)

    def write(self, records: Sequence[dict[str, Any] | str]) -> list[int]:
        """Write the records that pass; a text in place of a record says why it cannot be one.

        Returns:
            The positions of the records that the log has now.
        """
        positions = [position for position, record in enumerate(records) if not isinstance(record, str)]
        self.report.left.update(record for record in records if isinstance(record, str))
        if not positions:
            return []
        valid, places = validate_records([records[position] for position in positions], self.now, self.max_future)
        for row in valid.rejected.to_pylist():
            self.report.left[f"{row['field']} {row['reason']}"] += 1
        events, in_log = valid.accepted, _names_in_log(self.log, valid.accepted)
        is_new = np.zeros(len(events), dtype=bool)
        for row, name in enumerate(_names(events)):
            is_new[row] = name not in in_log
            in_log.add(name)
        self.report.replayed += int(is_new.sum())
        self.report.already_in_log += int((~is_new).sum())
        if is_new.any() and not self.is_dry_run:
            with self.log.ingest(SOURCE) as writer:
                writer.write(events.filter(pa.array(is_new)))
        return [positions[place] for place in places.tolist()]


def _replay_quarantine(
    quarantine: Quarantine, replayed: _Replayed, chosen: RejectionFilter, rules: RepairRules | None
) -> None:
    entries = [entry for entry in quarantine.entries() if chosen.accepts_entry(entry)]
    still_in_log = [entry for entry in entries if entry.event is None and not rules]
    replayed.report.retried += len(still_in_log)
    taken_out = [entry for entry in entries if entry.event is not None]
    records = [_repaired(dict(entry.event or {}), rules) for entry in taken_out]
    done = [taken_out[place] for place in replayed.write(records)]
    if not replayed.is_dry_run:
        gone = {(entry.event_id, entry.where) for entry in (*still_in_log, *done)}
        quarantine.remove(lambda entry: (entry.event_id, entry.where) in gone)


def _repaired(record: dict[str, Any] | str, rules: RepairRules | None) -> dict[str, Any] | str:
    """Return the record that the rules make, or why there is none."""
    if isinstance(record, str) or not rules:
        return record
    try:
        return rules.apply(record)
    except UnrepairedError as error:
        return str(error)


def _read_letter(letter: Mapping[str, Any], rules: RepairRules | None) -> dict[str, Any] | str:
    """Return the record of a letter, repaired, or why it cannot be replayed."""
    try:
        record = json.loads(letter["payload"])
    except (ValueError, RecursionError):
        return NOT_WHOLE
    if not isinstance(record, dict):
        return NOT_WHOLE
    if letter["source"] in COLLECTED_SOURCES and "authority" not in record:
        return NO_AUTHORITY
    repaired = _repaired(record, rules)
    if isinstance(repaired, str):
        return repaired
    received_at = letter["received_at"].isoformat()
    digest = hashlib.blake2b(f"{letter['source']} {received_at} {letter['payload']}".encode(), digest_size=16)
    defaults = {
        "source": letter["source"],
        "received_at": received_at,
        "event_id": f"replayed-{digest.hexdigest()}",
    }
    return {**defaults, **{name: value for name, value in repaired.items() if value is not None}}


def _names(events: pa.Table | pa.RecordBatch) -> Iterator[str]:
    columns = (events[name].to_pylist() for name in ID_COLUMNS)
    for event_id, anonymous_id, authority in zip(*columns, strict=True):
        yield name_event(event_id, anonymous_id, authority)


def _names_in_log(log: EventLog, events: pa.Table) -> set[str]:
    """Return the names of the log's events that have the id of one of these events."""
    has_id = pc.field("event_id").isin(events["event_id"].combine_chunks())
    return {name for batch in read_all_events(log, ID_COLUMNS, has_id) for name in _names(batch)}

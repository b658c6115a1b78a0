"""Puts dead letters and quarantined events through validation into the log again."""

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
from ml.events.live_log import read_open_parts
from ml.events.log import EventLog
from ml.events.quarantine import Quarantine
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
    field_name: str | None = None,
    reason: str | None = None,
    is_dry_run: bool = False,
) -> ReplayReport:
    """Validate dead letters and quarantined events again, and write those that pass into the log.

    What went into the log, or was there already, leaves the dead letters and the quarantine. A replay that is
    killed can be repeated: an event is known by its id and sender.

    Args:
        home: The home.
        now: The present time.
        max_future: How far `occurred_at` may lie in the future.
        field_name: Only letters about this field; quarantined events, which have none, are left out.
        reason: Only what has this text in its reason.
        is_dry_run: Count alone.
    """
    report, log = ReplayReport(), EventLog(home)
    if not is_dry_run:
        recover_dead_letters(home)
    letters = DeadLetters(home)
    for file in letters.files():
        table = letters.read_file(file)
        rows = table.to_pylist()
        chosen = [number for number, letter in enumerate(rows) if _is_chosen(letter, field_name, reason)]
        records = [_read_letter(rows[number]) for number in chosen]
        done = {chosen[place] for place in _replay_records(log, records, now, max_future, is_dry_run, report)}
        if done and not is_dry_run:
            letters.rewrite(file, table.filter(pa.array([number not in done for number in range(len(rows))])))
    if field_name is None:
        _replay_quarantine(Quarantine(home), log, now, max_future, reason, is_dry_run, report)
    return report


def _replay_quarantine(
    quarantine: Quarantine,
    log: EventLog,
    now: dt.datetime,
    max_future: dt.timedelta,
    reason: str | None,
    is_dry_run: bool,
    report: ReplayReport,
) -> None:
    entries = [entry for entry in quarantine.entries() if reason is None or reason in entry.reason]
    still_in_log = [entry for entry in entries if entry.event is None]
    report.retried += len(still_in_log)
    taken_out = [entry for entry in entries if entry.event is not None]
    records = [dict(entry.event or {}) for entry in taken_out]
    done = [taken_out[place] for place in _replay_records(log, records, now, max_future, is_dry_run, report)]
    if not is_dry_run:
        gone = {(entry.event_id, entry.where) for entry in (*still_in_log, *done)}
        quarantine.remove(lambda entry: (entry.event_id, entry.where) in gone)


def _replay_records(
    log: EventLog,
    records: Sequence[dict[str, Any] | str],
    now: dt.datetime,
    max_future: dt.timedelta,
    is_dry_run: bool,
    report: ReplayReport,
) -> list[int]:
    """Write the records that pass; a text in place of a record says why it cannot be one.

    Returns:
        The positions of the records that the log has now.
    """
    positions = [position for position, record in enumerate(records) if not isinstance(record, str)]
    report.left.update(record for record in records if isinstance(record, str))
    if not positions:
        return []
    valid, places = validate_records([records[position] for position in positions], now, max_future)
    for row in valid.rejected.to_pylist():
        report.left[f"{row['field']} {row['reason']}"] += 1
    events, in_log = valid.accepted, _names_in_log(log, valid.accepted)
    is_new = np.zeros(len(events), dtype=bool)
    for row, name in enumerate(_names(events)):
        is_new[row] = name not in in_log
        in_log.add(name)
    report.replayed += int(is_new.sum())
    report.already_in_log += int((~is_new).sum())
    if is_new.any() and not is_dry_run:
        with log.ingest(SOURCE) as writer:
            writer.write(events.filter(pa.array(is_new)))
    return [positions[place] for place in places.tolist()]


def _is_chosen(letter: Mapping[str, Any], field_name: str | None, reason: str | None) -> bool:
    is_of_field = field_name is None or letter["field"] == field_name
    return is_of_field and (reason is None or reason in letter["reason"])


def _read_letter(letter: Mapping[str, Any]) -> dict[str, Any] | str:
    """Return the record of a letter, or why it cannot be replayed."""
    try:
        record = json.loads(letter["payload"])
    except (ValueError, RecursionError):
        return NOT_WHOLE
    if not isinstance(record, dict):
        return NOT_WHOLE
    if letter["source"] in COLLECTED_SOURCES and "authority" not in record:
        return NO_AUTHORITY
    received_at = letter["received_at"].isoformat()
    digest = hashlib.blake2b(f"{letter['source']} {received_at} {letter['payload']}".encode(), digest_size=16)
    defaults = {
        "source": letter["source"],
        "received_at": received_at,
        "event_id": f"replayed-{digest.hexdigest()}",
    }
    return {**defaults, **{name: value for name, value in record.items() if value is not None}}


def _names(events: pa.Table | pa.RecordBatch) -> Iterator[str]:
    columns = (events[name].to_pylist() for name in ID_COLUMNS)
    for event_id, anonymous_id, authority in zip(*columns, strict=True):
        yield name_event(event_id, anonymous_id, authority)


def _names_in_log(log: EventLog, events: pa.Table) -> set[str]:
    """Return the names of the log's events that have the id of one of these events."""
    ids = events["event_id"].combine_chunks()
    batches = [*log.read(columns=ID_COLUMNS), *(batch.select(ID_COLUMNS) for batch in read_open_parts(log))]
    return {name for batch in batches for name in _names(batch.filter(pc.is_in(batch["event_id"], value_set=ids)))}

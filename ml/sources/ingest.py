"""From a source into the event log: all of it or nothing, and the same input only once."""

from __future__ import annotations

import datetime as dt
import errno
import hashlib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ml.events.contract import CONSENT_PURPOSES, EVENT_SCHEMA, TIMESTAMP
from ml.events.dead_letters import DeadLetters, reason_without_value
from ml.events.log import EventLog
from ml.events.normalization.fields import WORD_FIELDS, normalize_currencies, normalize_words
from ml.events.normalization.item_addresses import ItemAddresses
from ml.events.records import REJECTED_SCHEMA
from ml.events.validation import EARLIEST_OF_FILES, validate_events
from ml.home import Home
from ml.settings.collector import CollectorSettings
from ml.sources.catalogue import ITEM_SCHEMA, Catalogue
from ml.sources.source import ROW_NUMBER, Source, SourceBatch, SourceError
from ml.tables.chunks import TableError

HASH_BLOCK_BYTES = 1 << 20
MOST_EXAMPLES = 3  # of the values that were rejected for one reason
MAX_REJECTED_ROWS = 1_000_000  # they are held in memory until all is read, so that nothing is half-visible

Progress = Callable[[int, int | None], None]


@dataclass
class IngestReport:
    """What came of it.

    `rejected` counts rows by "field reason", and `examples` holds some of the values that were rejected for it;
    `outside` rows lay outside since/until; `erased` ones are of people
    who were erased, and were left out. `placeholders` counts ids that name nobody, such as `user_id 'NULL'`, and
    were removed. `unreadable` counts values by field that name nothing the contract knows, such as the region
    `(not set)`; they stay in `properties`.
    """

    source: str
    fingerprint: str
    rows: int = 0
    accepted: int = 0
    outside: int = 0
    erased: int = 0
    items: int = 0
    already_ingested: bool = False
    rejected: Counter[str] = field(default_factory=Counter)
    examples: dict[str, list[str]] = field(default_factory=dict)
    placeholders: Counter[str] = field(default_factory=Counter)
    unreadable: Counter[str] = field(default_factory=Counter)


def ingest(
    source: Source,
    path: Path,
    home: Home,
    now: dt.datetime,
    *,
    since: dt.datetime | None = None,
    until: dt.datetime | None = None,
    item_url_pattern: str | None = None,
    progress: Progress | None = None,
) -> IngestReport:
    """Read a source into the log, its rejected rows into the dead letters, its items into the catalogue.

    Args:
        source: what reads the files.
        path: where the files are.
        home: where the log is.
        now: the clock; `received_at` of every event.
        since: only events that occurred at this time or later.
        until: only events that occurred before this time.
        item_url_pattern: setting `collector.item_url_pattern`, which finds the items that addresses name; its
            default if absent.
        progress: called with rows read so far, and all rows where known.

    Raises:
        SourceError: the input cannot be read, nothing of it is an event, or the disk is full. Nothing was written.
    """
    with _errors_of_ingest(home):
        return _ingest(source, path, home, now, since, until, item_url_pattern, progress)


@contextmanager
def _errors_of_ingest(home: Home) -> Iterator[None]:
    """Say of what went wrong that nothing came of it.

    Raises:
        SourceError: A file cannot be read, or the disk is full.
    """
    try:
        yield
    except TableError as error:
        raise SourceError(f"{error}. Nothing was ingested") from error
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise SourceError(
                f"{home.path}: the disk is full. No event was ingested; free some space and run the command again"
            ) from error
        raise


def _ingest(
    source: Source,
    path: Path,
    home: Home,
    now: dt.datetime,
    since: dt.datetime | None,
    until: dt.datetime | None,
    item_url_pattern: str | None,
    progress: Progress | None,
) -> IngestReport:
    print_of_input = fingerprint(source, path, since, until)
    report = IngestReport(source.name, print_of_input)
    log = EventLog(home)
    if log.has(print_of_input):
        report.already_ingested = True
        return report
    total = source.count(path)
    addresses = ItemAddresses(
        CollectorSettings().item_url_pattern if item_url_pattern is None else item_url_pattern
    )
    rejected: list[pa.Table] = []
    with log.ingest(source.name, print_of_input) as writer:
        for batch in source.batches(path):
            events, rejects = _checked(batch, source.name, now, report, addresses)
            rejected.append(rejects)
            _count(report, batch.rows, rejects)
            kept = _window(events, since, until)
            report.outside += len(events) - len(kept)
            report.accepted += len(kept)
            writer.write(kept)
            if progress:
                progress(report.rows, total)
        report.erased = writer.left_out
        report.accepted -= writer.left_out
        _write_dead_letters(rejected, source.name, home, now, print_of_input)
        report.items = _write_items(source, path, home, now)
    return report


def fingerprint(
    source: Source, path: Path, since: dt.datetime | None = None, until: dt.datetime | None = None
) -> str:
    """SHA-256 of what is read: the source, the content of its files, and the window of time."""
    digest = hashlib.sha256(f"{source.name}|{since}|{until}".encode())
    for file in source.files(path):
        with open(file, "rb") as opened:
            while block := opened.read(HASH_BLOCK_BYTES):
                digest.update(block)
    return digest.hexdigest()


def _checked(
    batch: SourceBatch, source: str, now: dt.datetime, report: IngestReport, addresses: ItemAddresses
) -> tuple[pa.Table, pa.Table]:
    """Events that keep the contract, and all rejected rows of the batch, numbered as in the input."""
    events = batch.events
    numbers = np.asarray(events[ROW_NUMBER])
    events = events.drop_columns([ROW_NUMBER])
    for name, column in (
        ("source", pa.repeat(source, len(events))),
        ("received_at", pa.repeat(pa.scalar(now, TIMESTAMP), len(events))),
        ("consent", _every_purpose(len(events))),
    ):
        # file sources come with every purpose granted, unless the file says otherwise
        if name not in events.column_names:
            events = events.append_column(name, column)
    readable = normalize_words(events)
    for name in (*WORD_FIELDS, "region"):
        if name in events.column_names and name != "event_type":  # without one a row is rejected
            report.unreadable[name] += readable[name].null_count - events[name].null_count
    events = normalize_currencies(addresses.fill(readable))
    valid = validate_events(events, now, check_json=source == "files", earliest=EARLIEST_OF_FILES)
    broken = valid.rejected.set_column(0, "row", pa.array(numbers[np.asarray(valid.rejected["row"])], pa.int64()))
    report.placeholders += valid.placeholders
    return valid.accepted, pa.concat_tables([batch.rejected, broken.cast(REJECTED_SCHEMA)])


def _every_purpose(rows: int) -> pa.Array:
    purposes = pa.scalar(list(CONSENT_PURPOSES), pa.list_(pa.string()))
    return pa.repeat(purposes, rows) if rows else pa.array([], purposes.type)  # Arrow repeats no list zero times


def _count(report: IngestReport, rows: int, rejects: pa.Table) -> None:
    report.rows += rows
    for name, reason in zip(rejects["field"].to_pylist(), rejects["reason"].to_pylist(), strict=True):
        without_value = reason_without_value(reason)
        about = f"{name}: {without_value}"
        report.rejected[about] += 1
        value = reason.removesuffix(without_value).rstrip()
        examples = report.examples.setdefault(about, [])
        if value and len(examples) < MOST_EXAMPLES and value not in examples:
            examples.append(value)
    if sum(report.rejected.values()) > MAX_REJECTED_ROWS:
        worst, count = report.rejected.most_common(1)[0]
        raise SourceError(
            f"more than {MAX_REJECTED_ROWS:,} rows are no events, {count:,} of them because {worst}. "
            "Nothing was ingested; check the mapping"
        )


def _window(events: pa.Table, since: dt.datetime | None, until: dt.datetime | None) -> pa.Table:
    if since is not None:
        events = events.filter(pc.greater_equal(events["occurred_at"], pa.scalar(since, TIMESTAMP)))
    if until is not None:
        events = events.filter(pc.less(events["occurred_at"], pa.scalar(until, TIMESTAMP)))
    return events.select(EVENT_SCHEMA.names)


def _write_dead_letters(
    rejected: list[pa.Table], source: str, home: Home, now: dt.datetime, print_of_input: str
) -> None:
    table = pa.concat_tables(rejected) if rejected else REJECTED_SCHEMA.empty_table()
    DeadLetters(home).write(table, source, now, batch_id=f"{source}-{print_of_input[:16]}")


def _write_items(source: Source, path: Path, home: Home, now: dt.datetime) -> int:
    """Append what a source says of items to the catalogue; return the number of items, each counted once."""
    ids: set[str] = set()
    for items in source.items(path):
        if len(items):
            Catalogue(home).append(_whole_items(items, now))
            ids.update(items["item_id"].to_pylist())
    return len(ids)


def _whole_items(items: pa.Table, now: dt.datetime) -> pa.Table:
    columns: Mapping[str, pa.ChunkedArray] = {name: items[name] for name in items.column_names}
    stamp = pa.repeat(pa.scalar(now, TIMESTAMP), len(items))
    full = [
        columns[f.name] if f.name in columns else stamp if f.name == "updated_at" else pa.nulls(len(items), f.type)
        for f in ITEM_SCHEMA
    ]
    return pa.table(full, names=ITEM_SCHEMA.names)

"""From records to the event log: a bounded queue, one writer thread, one fsync for all that wait."""

from __future__ import annotations

import asyncio
import datetime as dt
import errno
import logging
import queue
import threading
import uuid
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

from ml.event_log import EventLog
from ml.event_records import events_from_records
from ml.event_validation import validate_events
from ml.home import Home
from ml.live_log import LiveWriter, recover
from ml.settings import Settings
from serving.collector.rejections import RejectionLog

log = logging.getLogger(__name__)

IDLE_SECONDS = 1.0
Subscriber = Callable[[pa.Table], None]


class QueueFullError(Exception):
    """More events wait for the disk than the queue may hold: the client should come back later."""


class DiskFullError(Exception):
    """The disk takes no more events; nothing of the request was stored."""


@dataclass(frozen=True)
class Rejection:
    """Why the event at `index` of a submission was not taken."""

    index: int
    field: str
    reason: str


@dataclass
class _Submission:
    records: Sequence[Any]
    source: str
    received_at: dt.datetime
    done: asyncio.Future[list[Rejection]] | None
    rejected: list[Rejection] = field(default_factory=list)


class Collector:
    """Takes records and answers when they are on disk.

    Args:
        home: where the event log is.
        settings: the sections `collector` and `privacy` are read.
    """

    def __init__(self, home: Home, settings: Settings) -> None:
        self.home = home
        self.settings = settings
        self._limits = settings.collector
        self._log = EventLog(home)
        self._queue: queue.SimpleQueue[_Submission | None] = queue.SimpleQueue()
        self._queued = 0
        self._counting = threading.Lock()
        self._subscribers: list[Subscriber] = []
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self.counts = {"accepted": 0, "rejected": 0, "refused": 0, "commits": 0}

    async def start(self) -> None:
        """Seal what a killed collector left behind and begin to take events. A second call changes nothing."""
        if self._thread is not None:
            return
        self._loop = asyncio.get_running_loop()
        await asyncio.to_thread(recover, self._log)
        self._thread = threading.Thread(target=self._write, name="collector-writer", daemon=True)
        self._thread.start()

    async def close(self) -> None:
        """Write what is queued, seal the open part, stop. A second call changes nothing."""
        if self._thread is None:
            return
        thread, self._thread = self._thread, None
        self._queue.put(None)
        await asyncio.to_thread(thread.join)

    def subscribe(self, subscriber: Subscriber) -> None:
        """Have every accepted batch (EVENT_SCHEMA) shown to `subscriber`, on the event loop, before the answer."""
        self._subscribers.append(subscriber)

    async def record(self, records: Sequence[Any], source: str = "service") -> list[Rejection]:
        """Store records (JSON-like dicts with the contract's fields) and return once they are on disk.

        `event_id`, `occurred_at` and `received_at` are filled in where absent.

        Returns:
            What was not taken and why; an empty list means that all of them are durable.

        Raises:
            QueueFullError: too many events wait already.
            DiskFullError: the disk is full; nothing was stored.
        """
        done: asyncio.Future[list[Rejection]] = asyncio.get_running_loop().create_future()
        self._enqueue(records, source, done)
        return await done

    def record_soon(self, records: Sequence[Any], source: str = "service") -> None:
        """Store records without waiting for the disk.

        Raises:
            QueueFullError: too many events wait already.
        """
        self._enqueue(records, source, None)

    @property
    def queued(self) -> int:
        """Events that wait for the disk."""
        return self._queued

    def _enqueue(self, records: Sequence[Any], source: str, done: asyncio.Future[list[Rejection]] | None) -> None:
        if self._thread is None:
            raise RuntimeError("the collector is not started")
        with self._counting:
            if self._queued and self._queued + len(records) > self._limits.max_queued_events:
                self.counts["refused"] += len(records)
                raise QueueFullError(f"{self._queued} events wait for the disk")
            self._queued += len(records)
        self._queue.put(_Submission(records, source, dt.datetime.now(dt.UTC), done))

    def _write(self) -> None:
        """The writer thread: take what waits, make it durable with one fsync, answer all of it."""
        parts = _Parts(self._log, self._limits.part_rows, self._limits.part_age_seconds)
        rejections = RejectionLog(self.home)
        running = True
        while running:
            group, running = self._next_group()
            if group:
                self._commit(group, parts, rejections)
            try:
                parts.rotate_if_old()
                rejections.seal_if_old()
            except OSError:
                log.exception("sealing failed; the events stay in the open part and it is tried again")
        parts.close()
        rejections.close()

    def _next_group(self) -> tuple[list[_Submission], bool]:
        try:
            first = self._queue.get(timeout=IDLE_SECONDS)
        except queue.Empty:
            return [], True
        if first is None:
            return [], False
        group, events = [first], len(first.records)
        while events < self._limits.group_events:
            try:
                following = self._queue.get_nowait()
            except queue.Empty:
                break
            if following is None:
                return group, False
            group.append(following)
            events += len(following.records)
        return group, True

    def _commit(self, group: Sequence[_Submission], parts: _Parts, rejections: RejectionLog) -> None:
        error: Exception | None = None
        accepted: pa.Table | None = None
        try:
            accepted, rejected = self._validate(group)
            rejections.append(rejected)
            if len(accepted):
                parts.append(accepted)
            self.counts["accepted"] += len(accepted)
            self.counts["rejected"] += len(rejected)
            self.counts["commits"] += 1
        except OSError as failure:
            error = failure
            if failure.errno in (errno.ENOSPC, errno.EDQUOT):
                error = DiskFullError("the disk is full")
            log.error("a group of events was not stored: %s", failure)
        except Exception as failure:
            error = failure
            log.exception("a group of events was not stored")
        with self._counting:
            self._queued -= sum(len(submission.records) for submission in group)
        assert self._loop is not None
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._answer, group, accepted, error)

    def _validate(self, group: Sequence[_Submission]) -> tuple[pa.Table, list[dict[str, Any]]]:
        """Accepted events, and dead letters: REJECTED_SCHEMA's fields, source and received_at."""
        records: list[Any] = []
        owners: list[tuple[_Submission, int]] = []
        for submission in group:
            for index, record in enumerate(submission.records):
                records.append(_completed(record, submission))
                owners.append((submission, index))
        table, malformed = events_from_records(records)
        places = table["row"].to_numpy()
        latest = dt.timedelta(seconds=self._limits.max_future_seconds)
        valid = validate_events(table.drop_columns(["row"]), dt.datetime.now(dt.UTC), latest, check_json=False)
        broken = valid.rejected.set_column(0, "row", pa.array(places[valid.rejected["row"].to_numpy()]))
        rejected = pa.concat_tables([malformed, broken.cast(malformed.schema)])
        letters = []
        for row in rejected.to_pylist():
            submission, index = owners[row["row"]]
            submission.rejected.append(Rejection(index, row["field"], row["reason"]))
            letters.append(
                {**row, "row": index, "source": submission.source, "received_at": submission.received_at}
            )
        return valid.accepted, letters

    def _answer(self, group: Sequence[_Submission], accepted: pa.Table | None, error: Exception | None) -> None:
        if accepted is not None and error is None and len(accepted):
            for subscriber in self._subscribers:
                subscriber(accepted)
        for submission in group:
            if submission.done is None or submission.done.done():
                continue
            if error is not None:
                submission.done.set_exception(error)
            else:
                submission.done.set_result(sorted(submission.rejected, key=lambda rejection: rejection.index))


def _completed(record: Any, submission: _Submission) -> Any:
    if not isinstance(record, dict):
        return record
    return {
        "event_id": uuid.uuid4().hex,
        "occurred_at": submission.received_at,
        "source": submission.source,
        **{name: value for name, value in record.items() if value is not None},
        "received_at": submission.received_at,
    }


class _Parts:
    """Open parts in turn: while a full one is turned into Parquet in the background, the next takes events."""

    def __init__(self, event_log: EventLog, max_rows: int, max_age_seconds: float) -> None:
        self._log = event_log
        self._max_rows = max_rows
        self._max_age_seconds = max_age_seconds
        self._sealer = ThreadPoolExecutor(1, thread_name_prefix="collector-sealer")
        self._open_new()

    def append(self, events: pa.Table) -> None:
        """Durable when it returns."""
        if not self._rows:
            self._opened = dt.datetime.now(dt.UTC)
        self._writer.append(events)
        self._rows += len(events)
        if self._rows >= self._max_rows:
            self._rotate()

    def rotate_if_old(self) -> None:
        """Give an old part to the sealer."""
        age = dt.datetime.now(dt.UTC) - self._opened
        if self._rows and age.total_seconds() >= self._max_age_seconds:
            self._rotate()

    def close(self) -> None:
        """Seal everything."""
        self._rotate()
        self._sealer.shutdown(wait=True)

    def _rotate(self) -> None:
        self._sealer.submit(_seal, self._writer)
        self._open_new()

    def _open_new(self) -> None:
        never = float("inf")
        self._writer = LiveWriter(self._log, "collector", max_rows=2**62, max_age_seconds=never)
        self._rows = 0
        self._opened = dt.datetime.now(dt.UTC)


def _seal(writer: LiveWriter) -> None:
    try:
        writer.seal()
    except OSError:
        # the open part stays on disk, complete; `recover` seals it when its lock is free
        log.exception("a part could not be sealed; the next start or materialization does it")

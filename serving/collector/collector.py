"""From records to the event log: a bounded queue, one writer thread, one fsync for all that wait."""

from __future__ import annotations

import asyncio
import datetime as dt
import errno
import logging
import queue
import threading
import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

from ml.event_log import EventLog
from ml.event_records import events_from_records
from ml.event_validation import validate_events
from ml.home import Home
from ml.live_log import recover
from ml.settings import Settings
from serving.access import Keys
from serving.collector.door import Door
from serving.collector.facts import Facts
from serving.collector.keys import KeyRing, Sender
from serving.collector.open_parts import OpenParts
from serving.collector.privacy.pseudonyms import Pseudonyms
from serving.collector.protocols.translation import Untranslatable
from serving.collector.rate_limits import RateLimit
from serving.collector.rejections import RejectionLog, recover_rejections
from serving.collector.totals import WithheldTotals

log = logging.getLogger(__name__)

NO_KEYS = Keys()
IDLE_SECONDS = 1.0
Subscriber = Callable[[pa.Table], None]


class TooManyError(Exception):
    """More events than may come now; the client should come back after `seconds`."""

    def __init__(self, message: str, seconds: float) -> None:
        super().__init__(message)
        self.seconds = seconds


class DiskFullError(Exception):
    """The disk takes no more events; nothing of the request was stored."""


@dataclass(frozen=True)
class Rejection:
    """Why the event at `index` of a submission was not taken."""

    index: int
    field: str
    reason: str


@dataclass(frozen=True)
class Outcome:
    """What became of a request's events. `withheld` were counted and not kept, for want of consent."""

    accepted: int
    rejected: list[Rejection]
    withheld: int = 0


@dataclass
class _Submission:
    records: Sequence[Any]
    places: Sequence[int]
    source: str
    received_at: dt.datetime
    done: asyncio.Future[list[Rejection]] | None
    letters: list[dict[str, Any]] = field(default_factory=list)
    rejected: list[Rejection] = field(default_factory=list)

    def reject(self, place: int, at: str, reason: str, payload: str) -> dict[str, Any]:
        """Note a rejection, and return the dead letter of it."""
        self.rejected.append(Rejection(place, at, reason))
        letter = {"row": place, "field": at, "reason": reason, "payload": payload}
        return {**letter, "source": self.source, "received_at": self.received_at}


class Collector:
    """Takes records and answers when they are on disk.

    Args:
        home: where the event log is.
        settings: the sections `collector` and `privacy` are read.
        keys: who may send; without any, whoever is on this machine.
    """

    def __init__(self, home: Home, settings: Settings, keys: Keys = NO_KEYS) -> None:
        self.home = home
        self.settings = settings
        self.keys = KeyRing(keys)
        self._limits = settings.collector
        self._browser_rate = RateLimit(self._limits.browser_events_per_second, self._limits.browser_burst_events)
        secret_rate = self._limits.secret_events_per_second
        self._secret_rate = RateLimit(secret_rate, max(secret_rate, self._limits.max_batch_events))
        self._totals = WithheldTotals(home)
        self._door = Door(settings, Pseudonyms(home.path), self._totals)
        self._log = EventLog(home)
        self._queue: queue.SimpleQueue[_Submission | None] = queue.SimpleQueue()
        self._queued = 0
        self._counting = threading.Lock()
        self._subscribers: list[Subscriber] = []
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self.counts = {"accepted": 0, "rejected": 0, "refused": 0, "withheld": 0, "commits": 0}

    async def start(self) -> None:
        """Seal what a killed collector left behind and begin to take events. A second call changes nothing."""
        if self._thread is not None:
            return
        self._loop = asyncio.get_running_loop()
        await asyncio.to_thread(recover, self._log)
        await asyncio.to_thread(recover_rejections, self.home)
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
            TooManyError: too many events wait already.
            DiskFullError: the disk is full; nothing was stored.
        """
        return await self._stored(_Submission(records, range(len(records)), source, dt.datetime.now(dt.UTC), None))

    def record_soon(self, records: Sequence[Any], source: str = "service") -> None:
        """Store records without waiting for the disk.

        Raises:
            TooManyError: too many events wait already.
        """
        self._enqueue(_Submission(records, range(len(records)), source, dt.datetime.now(dt.UTC), None))

    async def take(
        self,
        records: Sequence[Any],
        places: Sequence[int],
        untranslatable: Sequence[tuple[int, Untranslatable]],
        *,
        source: str,
        sender: Sender,
        facts: Facts,
    ) -> Outcome:
        """Take the records of a request through the door and store what comes through.

        Args:
            records: events in the contract's fields, as a protocol translates them.
            places: which event of the request each record comes from.
            untranslatable: events of the request that are none, with their place.
            source: name of the protocol.
            sender: whose key it was.
            facts: what the request told by itself.

        Raises:
            TooManyError: the sender sent more than it may, or too many events wait already.
            DiskFullError: the disk is full; nothing was stored.
        """
        limit, who = (self._browser_rate, f"{sender.key_id} {facts.address}")
        if not sender.is_browser:
            limit, who = (self._secret_rate, sender.key_id)
        wait = limit.wait(who, len(records) + len(untranslatable)) if sender.kind != "open" else 0.0
        if wait:
            self.counts["refused"] += len(records)
            raise TooManyError("this key sends more than it may", wait)
        admitted = self._door.admit(records, facts, sender.is_browser)
        submission = _Submission(
            admitted.records, [places[place] for place in admitted.places], source, facts.received_at, None
        )
        for place, failure in untranslatable:
            payload = self._door.cleaned_payload(failure.payload)
            submission.letters.append(submission.reject(place, failure.field, failure.reason, payload))
        for refused in admitted.refused:
            place = places[refused.index]
            submission.letters.append(submission.reject(place, refused.field, refused.reason, ""))
        rejected = await self._stored(submission) if submission.records or submission.letters else []
        self.counts["withheld"] += admitted.withheld
        accepted = len(admitted.records) - (len(rejected) - len(untranslatable) - len(admitted.refused))
        return Outcome(accepted, rejected, admitted.withheld)

    async def _stored(self, submission: _Submission) -> list[Rejection]:
        submission.done = asyncio.get_running_loop().create_future()
        self._enqueue(submission)
        return await submission.done

    @property
    def queued(self) -> int:
        """Events that wait for the disk."""
        return self._queued

    def _enqueue(self, submission: _Submission) -> None:
        if self._thread is None:
            raise RuntimeError("the collector is not started")
        events = len(submission.records)
        with self._counting:
            if self._queued and self._queued + events > self._limits.max_queued_events:
                self.counts["refused"] += events
                raise TooManyError(f"{self._queued} events wait for the disk", self._limits.retry_after_seconds)
            self._queued += events
        self._queue.put(submission)

    def _write(self) -> None:
        """The writer thread: take what waits, make it durable with one fsync, answer all of it."""
        parts = OpenParts(self._log, self._limits.part_rows, self._limits.part_age_seconds)
        rejections = RejectionLog(self.home)
        running = True
        while running:
            group, running = self._next_group()
            if group:
                self._commit(group, parts, rejections)
            try:
                parts.rotate_if_old()
                rejections.seal_if_old()
                self._totals.flush_if_old()
            except OSError:
                log.exception("sealing failed; the events stay in the open part and it is tried again")
        parts.close()
        rejections.close()
        self._totals.flush()

    def _next_group(self) -> tuple[list[_Submission], bool]:
        try:
            first = self._queue.get(timeout=IDLE_SECONDS)
        except queue.Empty:
            return [], True
        if first is None:
            return [], False
        time.sleep(self._limits.group_wait_ms / 1_000)
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

    def _commit(self, group: Sequence[_Submission], parts: OpenParts, rejections: RejectionLog) -> None:
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
        letters = [letter for submission in group for letter in submission.letters]
        for row in rejected.to_pylist():
            submission, index = owners[row["row"]]
            letters.append(
                submission.reject(submission.places[index], row["field"], row["reason"], row["payload"])
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

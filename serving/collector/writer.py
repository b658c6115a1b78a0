"""The writer: a thread that commits waiting submissions in groups and answers each group together."""

from __future__ import annotations

import datetime as dt
import errno
import logging
import queue
import threading
import time
import uuid
from collections.abc import Callable, Sequence
from typing import Any

import pyarrow as pa

from ml.events.live_dead_letters import RejectionLog
from ml.events.validation import validate_records
from ml.privacy.erased_ids import ErasedIds
from ml.settings.collector import CollectorSettings
from serving.collector.sinks import Sink
from serving.collector.submissions import (
    CommittedGroup,
    EventCounters,
    SinkUnavailableError,
    StorageUnavailableError,
    Submission,
    TooManyEventsError,
)
from serving.collector.withheld_totals import WithheldTotals

logger = logging.getLogger(__name__)
IDLE_SECONDS = 1.0
Owner = tuple[Submission, int]


class Writer:
    """A bounded queue of submissions and the thread that empties it.

    Args:
        limits: section `collector`.
        sink: where accepted events go.
        rejections: where rejected ones go.
        totals: counts of withheld events, flushed once a minute.
        erased: people whose events are left out; whoever was erased after the intake let an event in, too.
        answer: called in the thread with each group once it is durable, or failed.
    """

    def __init__(
        self,
        limits: CollectorSettings,
        sink: Sink,
        rejections: RejectionLog,
        totals: WithheldTotals,
        erased: ErasedIds,
        answer: Callable[[CommittedGroup], None],
    ) -> None:
        self.counts = EventCounters()
        self.queued = 0
        self._limits = limits
        self._sink = sink
        self._rejections = rejections
        self._totals = totals
        self._erased = erased
        self._answer = answer
        self._queue: queue.SimpleQueue[Submission | None] = queue.SimpleQueue()
        self._counting = threading.Lock()
        self._thread = threading.Thread(target=self._run, name="collector-writer", daemon=True)

    def start(self) -> None:
        """Begin to write."""
        self._thread.start()

    def close(self) -> None:
        """Write what is queued, close the sink, stop."""
        self._queue.put(None)
        self._thread.join()

    def put(self, submission: Submission) -> None:
        """Queue a submission.

        Raises:
            TooManyEventsError: too many events wait already.
        """
        events = len(submission.records)
        with self._counting:
            if self.queued and self.queued + events > self._limits.max_queued_events:
                self.counts.add("refused", events)
                raise TooManyEventsError(
                    f"{self.queued} events wait to be stored", self._limits.retry_after_seconds
                )
            self.queued += events
        self._queue.put(submission)

    def _run(self) -> None:
        running = True
        while running:
            group, running = self._next_group()
            if group:
                written = self._commit(group)
                if any(submission.seal_after for submission in group):
                    self._seal(group)
                self._answer(written)
            _run_due(self._sink.maintain, self._rejections.seal_if_old, self._totals.flush_if_old)
        self._sink.close()
        self._rejections.close()
        self._totals.flush()

    def _seal(self, group: Sequence[Submission]) -> None:
        _run_due(self._rejections.seal)
        sealed = self._sink.seal()
        for submission in group:
            submission.sealed = sealed

    def _next_group(self) -> tuple[list[Submission], bool]:
        try:
            first = self._queue.get(timeout=IDLE_SECONDS)
        except queue.Empty:
            return [], True
        if first is None:
            return [], False
        group, events = [first], len(first.records)
        until = self._latest_commit(first)
        while events < self._limits.group_events:
            try:
                following = self._queue.get(timeout=max(0.0, until - time.monotonic()))
            except queue.Empty:
                break
            if following is None:
                return group, False
            group.append(following)
            events += len(following.records)
            until = min(until, self._latest_commit(following))
        return group, True

    def _latest_commit(self, submission: Submission) -> float:
        """Return when a submission is committed at the latest: what nobody waits for fills larger groups."""
        is_awaited = submission.done is not None or submission.seal_after
        wait_ms = self._limits.group_wait_ms if is_awaited else self._limits.own_group_wait_ms
        return time.monotonic() + wait_ms / 1_000

    def _commit(self, group: Sequence[Submission]) -> CommittedGroup:
        accepted: pa.Table | None = None
        error: Exception | None = None
        try:
            accepted = self._stored(group)
        except OSError as failure:
            error = failure
            if failure.errno in (errno.ENOSPC, errno.EDQUOT):
                error = StorageUnavailableError("the disk is full", self._limits.retry_after_seconds)
            logger.error("a group of events was not stored: %s", failure)
        except SinkUnavailableError as failure:
            error = StorageUnavailableError(str(failure), self._limits.retry_after_seconds)
            logger.error("a group of events was not stored: %s", failure)
        except Exception as failure:
            error = failure
            logger.exception("a group of events was not stored")
        with self._counting:
            self.queued -= sum(len(submission.records) for submission in group)
        return CommittedGroup(group, accepted, error)

    def _stored(self, group: Sequence[Submission]) -> pa.Table:
        """Events of the group that are durable now; the others are rejected, with dead letters."""
        events, owners, letters = self._validated(group)
        events, owners = self._without_erased(events, owners)
        self._rejections.append(letters)
        began = time.perf_counter()
        refused = self._sink.append(events) if len(events) else {}
        self.counts.commit_seconds += time.perf_counter() - began
        if refused:
            rows = events.take(list(refused)).to_pylist()
            more = [
                _rejected(owners[row], "event", refused[row], str(event))
                for row, event in zip(refused, rows, strict=True)
            ]
            self._rejections.append(more)
            letters += more
            events = events.filter(pa.array([row not in refused for row in range(len(events))]))
        self.counts.add("accepted", len(events))
        self.counts.add_letters(letters)
        self.counts.commits += 1
        return events

    def _without_erased(self, events: pa.Table, owners: list[Owner]) -> tuple[pa.Table, list[Owner]]:
        """The events without those of people whom this worker or another has erased, and their owners."""
        self._erased.refresh()
        if not self._erased:
            return events, owners
        numbered = events.append_column("row", pa.array(range(len(events)), pa.int64()))
        kept = self._erased.without(numbered)
        return kept.drop_columns(["row"]), [owners[row] for row in kept["row"].to_pylist()]

    def _validated(self, group: Sequence[Submission]) -> tuple[pa.Table, list[Owner], list[dict[str, Any]]]:
        """Events that keep the contract with their owners, and dead letters of the rest.

        The letters have REJECTED_SCHEMA's fields, `source` and `received_at`.
        """
        records: list[Any] = []
        owners: list[Owner] = []
        for submission in group:
            for index, record in enumerate(submission.records):
                if isinstance(record, dict):
                    _complete(record, submission)
                records.append(record)
                owners.append((submission, index))
        latest = dt.timedelta(seconds=self._limits.max_future_seconds)
        valid, accepted_rows = validate_records(records, dt.datetime.now(dt.UTC), latest, check_ids=False)
        letters = [letter for submission in group for letter in submission.letters]
        for row in valid.rejected.to_pylist():
            letters.append(_rejected(owners[row["row"]], row["field"], row["reason"], row["payload"]))
        return valid.accepted, [owners[row] for row in accepted_rows], letters


def _run_due(*tasks: Callable[[], object]) -> None:
    for task in tasks:
        try:
            task()
        except OSError:
            logger.exception("maintenance failed; nothing is lost and it is retried")


def _rejected(owner: Owner, field: str, reason: str, payload: str) -> dict[str, Any]:
    submission, index = owner
    return submission.reject(submission.event_indexes[index], field, reason, payload)


def _complete(record: dict[str, Any], submission: Submission) -> None:
    if "event_id" not in record:
        record["event_id"] = uuid.uuid4().hex
    record.setdefault("occurred_at", submission.received_at)
    record.setdefault("source", submission.source)
    record["received_at"] = submission.received_at

"""Submissions to the writer, their results, and the errors that refuse them."""

from __future__ import annotations

import asyncio
import datetime as dt
from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any, Literal

import pyarrow as pa

from ml.errors import TesseraError
from ml.events.contract import EVENT_SCHEMA
from serving.errors import ApiError
from serving.observability.metrics import COLLECTED, DEAD_LETTERS

FIELDS = frozenset(EVENT_SCHEMA.names)
NO_FIELD = "event"  # what no field of the contract is at fault for; names that senders made up are no labels


class TooManyEventsError(ApiError):
    """More events than may come now; the client can send them again after some seconds."""

    def __init__(self, message: str, retry_after_seconds: float) -> None:
        super().__init__(429, f"{message}; come back later", retry_after_seconds=retry_after_seconds)


class SinkUnavailableError(TesseraError):
    """Events cannot be stored now, because the disk is full or the broker is away."""


class StorageUnavailableError(ApiError):
    """Events cannot be stored now; the client can send them again after some seconds."""

    def __init__(self, message: str, retry_after_seconds: float) -> None:
        super().__init__(503, f"{message}; send it again later", retry_after_seconds=retry_after_seconds)


@dataclass(frozen=True)
class Rejection:
    """Why the event at `index` of a submission was not taken."""

    index: int
    field: str
    reason: str


@dataclass(frozen=True)
class SubmissionResult:
    """Result of a request's events.

    `withheld` events were counted but not stored, for want of consent. `warnings` say what was not taken at its
    word.
    """

    accepted: int
    rejected: list[Rejection]
    withheld: int = 0
    warnings: Sequence[str] = ()


@dataclass
class Submission:
    """Events of one request.

    Attributes:
        records: events in the contract's fields, none of them null, with the ids that `restore_ids_of` leaves; the
            writer completes them in place.
        event_indexes: position of each record's event in the request.
        source: source of the events that name none.
        received_at: when the request came.
        seal_after: seal the open files after this submission, including all that was queued before it.
        done: resolves to the rejections once the events are durable; None if no caller waits.
        sealed: resolves once the files are sealed, if `seal_after`.
        letters: dead letters so far.
        rejected: rejections so far.
    """

    records: Sequence[Any]
    event_indexes: Sequence[int]
    source: str
    received_at: dt.datetime
    seal_after: bool = False
    done: asyncio.Future[list[Rejection]] | None = None
    sealed: Future[None] | None = None
    letters: list[dict[str, Any]] = field(default_factory=list)
    rejected: list[Rejection] = field(default_factory=list)

    def reject(self, event_index: int, field_name: str, reason: str, payload: str) -> dict[str, Any]:
        """Record a rejection and return its dead letter."""
        self.rejected.append(Rejection(event_index, field_name, reason))
        letter = {"row": event_index, "field": field_name, "reason": reason, "payload": payload}
        return {**letter, "source": self.source, "received_at": self.received_at}


@dataclass(frozen=True)
class CommittedGroup:
    """A group of submissions after their commit: the events that are durable now, or why nothing is."""

    group: Sequence[Submission]
    accepted: pa.Table | None
    error: Exception | None = None


@dataclass
class EventCounters:
    """Events since the start, and the number and duration of commits, each a single wait for disk or broker."""

    accepted: int = 0
    rejected: int = 0
    refused: int = 0
    withheld: int = 0
    commits: int = 0
    commit_seconds: float = 0.0

    def add(self, outcome: Literal["accepted", "rejected", "refused", "withheld"], events: int) -> None:
        """Count events here and in the metrics of the process."""
        if not events:
            return
        setattr(self, outcome, getattr(self, outcome) + events)
        COLLECTED.labels(outcome).inc(events)

    def add_letters(self, letters: Sequence[Mapping[str, Any]]) -> None:
        """Count dead letters, here and by the field at fault in the metrics of the process."""
        self.add("rejected", len(letters))
        for name, count in Counter(letter["field"] for letter in letters).items():
            DEAD_LETTERS.labels(name if name in FIELDS else NO_FIELD).inc(count)

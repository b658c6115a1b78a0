"""Takes single events out of the log and into the quarantine, so that no reader meets them any more."""

from __future__ import annotations

import datetime as dt
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ml.arrays import Bools
from ml.errors import TesseraError
from ml.events.contract import EVENT_SCHEMA
from ml.events.live_log import read_open_parts, recover_parts
from ml.events.log import EventLog
from ml.events.quarantine import BY_HAND, Quarantine, QuarantinedEvent

CLAIMED = ("browser", "signed")
"""Authorities of senders that choose their event ids themselves, so that an id counts for one device alone."""
ID_COLUMNS = ("event_id", "anonymous_id", "authority")


class EventNotInLogError(TesseraError, KeyError):
    """No event of the log has this id."""

    def __str__(self) -> str:
        return str(self.args[0])


class EventStillOpenError(TesseraError):
    """A running collector still writes the file that holds the event."""


def name_event(event_id: str, anonymous_id: str | None, authority: str | None) -> str:
    """Return the name that tells an event from those of other senders, as `staging.stg_events` shows it."""
    return f"browser:{anonymous_id}:{event_id}" if authority in CLAIMED else event_id


def take_out(log: EventLog, quarantine: Quarantine, event_id: str, reason: str) -> int:
    """Move an event from the log into the quarantine. Its copies, from senders that tried again, go with it.

    The quarantine has the event on disk before the log loses it.

    Args:
        log: The event log. The caller sees to it that nothing else rewrites its parts meanwhile.
        quarantine: The quarantine.
        event_id: The id that the sender gave, or the name that `staging.stg_events` shows.
        reason: Why it is taken out.

    Returns:
        The number of events that were taken out, copies included.

    Raises:
        EventNotInLogError: There is no such event.
        EventStillOpenError: The event is in a file that a running collector still writes.
    """
    recover_parts(log)
    removed = 0
    for part in log.parts():
        if not any(_find(batch, event_id).any() for batch in log.read([part], ID_COLUMNS)):
            continue
        events = pa.Table.from_batches(log.read([part]), schema=EVENT_SCHEMA)
        is_gone = _find(events, event_id)
        quarantine.add([_quarantined(row, reason) for row in events.filter(pa.array(is_gone)).to_pylist()])
        log.replace(part, events.filter(pa.array(~is_gone)).to_batches())
        removed += int(is_gone.sum())
    if any(_find(batch, event_id).any() for batch in read_open_parts(log)):
        raise EventStillOpenError(f"{event_id!r} is in a file that a running collector still writes")
    if not removed:
        raise EventNotInLogError(f"there is no event {event_id!r} in {log.folder}")
    return removed


def _find(events: pa.Table | pa.RecordBatch, event_id: str) -> Bools:
    """Mark the events with this id or name, bool (n,)."""
    is_named = pc.equal(events["event_id"], event_id)
    if event_id.startswith("browser:"):
        name = pc.binary_join_element_wise("browser", events["anonymous_id"], events["event_id"], ":")
        is_claimed = pc.is_in(events["authority"], pa.array(CLAIMED))
        is_named = pc.or_(is_named, pc.and_(is_claimed, pc.fill_null(pc.equal(name, event_id), False)))
    return np.asarray(pc.fill_null(is_named, False))


def _quarantined(event: dict[str, Any], reason: str) -> QuarantinedEvent:
    fields = {
        name: value.isoformat() if isinstance(value, dt.datetime) else value
        for name, value in event.items()
        if value is not None
    }
    name = name_event(event["event_id"], event["anonymous_id"], event["authority"])
    return QuarantinedEvent(name, reason, BY_HAND, dt.datetime.now(dt.UTC).isoformat(), fields)

"""Fills an empty store from the event log, by one worker while the others wait."""

from __future__ import annotations

import uuid
from dataclasses import dataclass

from ml.decisions.activity.event_log_changes import read_newest_changes
from ml.decisions.activity.profiles import read_profiles
from ml.events.log import EventLog
from ml.events.quarantine import Quarantine
from serving.state.store import Position, StateStore

STORE_ID = "store_id"
"""Document with a random name of the store's content, which is another one once the store lost everything."""
FILLED = "filled_with_purposes"
"""Document with the position of the last change from the log, written last. Stores of earlier versions lack it."""
APPENDED_ROWS = 50_000


@dataclass(frozen=True)
class FilledStore:
    """A store that holds what the log says.

    Attributes:
        store_id: Random name of the store's content.
        position: Position of the last change that came from the log; 0 without one.
    """

    store_id: str
    position: Position


def fill_if_empty(store: StateStore, log: EventLog, limit: int, quarantine: Quarantine) -> FilledStore:
    """Fill a store from the log if it is empty, of an earlier version, or filled in part by a killed worker.

    One worker does it; the others wait for it and then read the store.

    Args:
        store: The store.
        log: The event log.
        limit: The number of changes at most; the newest are taken.
        quarantine: Where an event that cannot be read is recorded.

    Raises:
        StoreUnavailableError: The store cannot be reached.
    """
    with store.lock():
        store_id, position = store.value(STORE_ID), store.value(FILLED)
        if store_id is None or position is None or store.newest() == 0:
            store_id = store_id or uuid.uuid4().hex
            position = _fill(store, log, limit, quarantine)
            store.put_value(STORE_ID, store_id)
            store.put_value(FILLED, position)
        return FilledStore(store_id, position)


def _fill(store: StateStore, log: EventLog, limit: int, quarantine: Quarantine) -> Position:
    """Write the newest changes and all profiles; returns the last position, 0 if the log has no changes."""
    store.trim(0)
    for user, profile in read_profiles(log, quarantine, "service").items():
        store.put_profile(user, profile)
    changes = read_newest_changes(log, limit, quarantine, "service")
    position = 0
    for start in range(0, len(changes), APPENDED_ROWS):
        position = store.append(changes[start : start + APPENDED_ROWS])
    return position

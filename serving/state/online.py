"""The online state of one worker: the store's changes reduced in memory, kept up with what other workers append."""

from __future__ import annotations

import datetime as dt
from collections import OrderedDict
from collections.abc import Sequence
from typing import Any

import pyarrow as pa

from ml.decisions.activity import Activity, ActivityLimits, Change
from ml.event_log import EventLog
from ml.live_log import read_open
from ml.settings.serving import StateSettings
from serving.state.store import StateStore

LOG_COLUMNS = (
    "user_id",
    "anonymous_id",
    "event_type",
    "occurred_at",
    "item_id",
    "session_id",
    "country",
    "device_type",
)
READ_ROWS = 50_000
PROFILES = 50_000


class OnlineState:
    """Memory in front of a store.

    Args:
        store: where changes and profiles survive.
        settings: bounds.
    """

    def __init__(self, store: StateStore, settings: StateSettings) -> None:
        self.store = store
        self.settings = settings
        self.activity = Activity(ActivityLimits(visitors=settings.max_visitors, visits=settings.max_visits))
        self._position = 0
        self._profiles: OrderedDict[str, dict[str, Any]] = OrderedDict()

    def open(self, log: EventLog) -> int:
        """Bring memory up to date: from the store, or from the event log where the store is empty.

        Returns the number of changes that were read.
        """
        if self.store.newest() == 0:
            changes = changes_of_log(log, self.settings.max_changes)
            for start in range(0, len(changes), READ_ROWS):
                self.store.append(changes[start : start + READ_ROWS])
        else:
            self.store.trim(self.settings.max_changes)
        return self.catch_up()

    def catch_up(self) -> int:
        """Take in what was appended since the last call, by this worker or another; returns how many changes."""
        taken = 0
        while True:
            changes, self._position = self.store.since(self._position, READ_ROWS)
            for change in changes:
                self._reduce(change)
            taken += len(changes)
            if len(changes) < READ_ROWS:
                return taken

    def record(self, changes: Sequence[Change]) -> None:
        """Keep new changes; the next question of any worker sees them."""
        if changes:
            self.store.append(changes)
            self.catch_up()

    def profile(self, user: str) -> dict[str, Any]:
        """What a person set. Don't change the answer; `put_profile` does."""
        found = self._profiles.get(user)
        if found is None:
            found = self._profiles[user] = self.store.profile(user)
            if len(self._profiles) > PROFILES:
                self._profiles.popitem(last=False)
        return found

    def put_profile(self, user: str, profile: dict[str, Any], at: float) -> None:
        """Replace a profile; other workers drop what they remember of it."""
        self.store.put_profile(user, profile)
        self.record([Change(user, "preference", at)])

    def forget(self, user: str, at: float) -> int:
        """Drop a person from store and memory. The note to other workers goes out without a trace in the store."""
        gone = self.store.forget(user)
        self.activity.forget(user)
        self._profiles.pop(user, None)
        return gone

    def _reduce(self, change: Change) -> None:
        if change.event_type == "preference":
            self._profiles.pop(change.user, None)
        self.activity.observe(change)


def changes_of(events: pa.Table) -> list[Change]:
    """The online state's view of canonical events, in their order."""
    columns = [events[name].to_pylist() for name in LOG_COLUMNS]
    return [
        Change(user or anonymous, event_type, at.timestamp(), item, session, country, device)
        for user, anonymous, event_type, at, item, session, country, device in zip(*columns, strict=True)
    ]


def changes_of_log(log: EventLog, limit: int) -> list[Change]:
    """The newest `limit` events of the log by `occurred_at`, oldest first; parts are read newest first."""
    tables: list[pa.Table] = []
    rows = 0
    sealed = sorted(log.parts(), key=lambda part: part.received_max, reverse=True)
    opened = list(read_open(log))
    if opened:
        tables.append(pa.Table.from_batches(opened).select(LOG_COLUMNS))
        rows += len(tables[-1])
    for part in sealed:
        if rows >= 2 * limit:
            break
        batches = list(log.read([part], LOG_COLUMNS))
        if batches:
            tables.append(pa.Table.from_batches(batches))
            rows += len(tables[-1])
    if not tables:
        return []
    table = pa.concat_tables(tables).sort_by([("occurred_at", "ascending")])
    return changes_of(table.slice(max(0, len(table) - limit)))


def unix(moment: dt.datetime) -> float:
    """Unix seconds of an aware moment."""
    return moment.timestamp()

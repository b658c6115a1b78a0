"""The online state of one worker: the changes of the store, those of other workers included, reduced in memory."""

from __future__ import annotations

import hashlib
import secrets
from collections import OrderedDict, deque
from collections.abc import Callable, Sequence
from typing import Any

from ml.decisions.activity.activity import Activity, ActivityLimits
from ml.decisions.activity.event_log_changes import read_newest_changes
from ml.decisions.activity.state_change import StateChange
from ml.events.log import EventLog
from ml.settings.serving import StateSettings
from serving.state.store import StateStore

READ_ROWS = 50_000
NOTED = 64
ERASED = "erased"
PROFILES = 50_000


class OnlineState:
    """Memory in front of a store.

    Args:
        store: Where changes and profiles survive.
        settings: Bounds of the memory.
    """

    def __init__(self, store: StateStore, settings: StateSettings) -> None:
        self.store = store
        self.settings = settings
        self.activity = Activity(ActivityLimits(visitors=settings.max_visitors, visits=settings.max_visits))
        self._position = 0
        self._noted: list[StateChange] = []
        self._reduced_ranges: deque[tuple[int, int]] = deque()
        self._subscribers: list[Callable[[StateChange], None]] = []
        self._profiles: OrderedDict[str, dict[str, Any]] = OrderedDict()

    def subscribe(self, subscriber: Callable[[StateChange], None]) -> None:
        """Call `subscriber` with every change, of this worker or another, before memory takes it in."""
        self._subscribers.append(subscriber)

    def open(self, log: EventLog) -> int:
        """Bring memory up to date from the store, or from the event log if the store is empty.

        Returns:
            The number of changes that were read.
        """
        if self.store.newest() == 0:
            changes = read_newest_changes(log, self.settings.max_changes)
            for start in range(0, len(changes), READ_ROWS):
                self.store.append(changes[start : start + READ_ROWS])
        else:
            self.store.trim(self.settings.max_changes)
        return self.catch_up()

    def catch_up(self) -> int:
        """Take in what this worker or another appended since the last call.

        Returns:
            The number of changes.
        """
        count = 0
        while True:
            changes = self.store.since(self._position, READ_ROWS)
            for position, change in changes:
                if self._reduced_ranges and self._reduced_ranges[0][0] <= position <= self._reduced_ranges[0][1]:
                    if position == self._reduced_ranges[0][1]:
                        self._reduced_ranges.popleft()
                    continue  # `note` reduced it when it was made
                self._reduce(change)
            count += len(changes)
            if changes:
                self._position = changes[-1][0]
            if len(changes) < READ_ROWS:
                return count

    def record(self, changes: Sequence[StateChange]) -> None:
        """Store new changes; the next request to any worker sees them."""
        if changes:
            self.flush()
            self.store.append(changes)
            self.catch_up()

    def note(self, change: StateChange) -> None:
        """Take a change in at once, and store it with the next `flush`; for changes that every answer makes."""
        self._reduce(change)
        self._noted.append(change)
        if len(self._noted) >= NOTED:
            self.flush()

    def flush(self) -> None:
        """Store what was noted."""
        if self._noted:
            noted, self._noted = self._noted, []
            last = self.store.append(noted)
            self._reduced_ranges.append((last - len(noted) + 1, last))

    def profile(self, user: str) -> dict[str, Any]:
        """Return what a person set. Do not change the result; `put_profile` does."""
        profile = self._profiles.get(user)
        if profile is None:
            profile = self._profiles[user] = self.store.profile(user)
            if len(self._profiles) > PROFILES:
                self._profiles.popitem(last=False)
        return profile

    def put_profile(self, user: str, profile: dict[str, Any], at: float) -> None:
        """Replace a profile; other workers drop their copy of it."""
        self.store.put_profile(user, profile)
        self.record([StateChange(user, "preference", at)])

    def forget(self, user: str) -> int:
        """Remove a person from store and memory, and announce it to other workers by a salted hash.

        Returns:
            The number of records that were removed.
        """
        self.flush()
        self.catch_up()
        removed = self.store.forget(user)
        self._drop(user)
        salt = secrets.token_hex(8)
        self.record([StateChange(_hash_user(user, salt), ERASED, 0.0, detail=salt)])
        return removed

    def _drop(self, user: str) -> None:
        self.activity.forget(user)
        self._profiles.pop(user, None)

    def _reduce(self, change: StateChange) -> None:
        if change.event_type == ERASED:
            salt = change.detail or ""
            for user in [user for user in self.activity.visitors if _hash_user(user, salt) == change.user]:
                self._drop(user)
            return
        if change.event_type == "preference":
            self._profiles.pop(change.user, None)
        for subscriber in self._subscribers:
            subscriber(change)
        self.activity.observe(change)


def _hash_user(user: str, salt: str) -> str:
    return hashlib.blake2b(user.encode(), key=salt.encode(), digest_size=16).hexdigest()

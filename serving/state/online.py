"""The online state of one worker: the store's changes reduced in memory, those of other workers too."""

from __future__ import annotations

import hashlib
import secrets
from collections import OrderedDict, deque
from collections.abc import Callable, Sequence
from typing import Any

from ml.decisions.activity.activity import Activity, ActivityLimits, Change
from ml.decisions.activity.log_changes import newest_changes
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
        store: where changes and profiles survive.
        settings: bounds.
    """

    def __init__(self, store: StateStore, settings: StateSettings) -> None:
        self.store = store
        self.settings = settings
        self.activity = Activity(ActivityLimits(visitors=settings.max_visitors, visits=settings.max_visits))
        self._position = 0
        self._noted: list[Change] = []
        self._own: deque[tuple[int, int]] = deque()
        self._subscribers: list[Callable[[Change], None]] = []
        self._profiles: OrderedDict[str, dict[str, Any]] = OrderedDict()

    def subscribe(self, subscriber: Callable[[Change], None]) -> None:
        """Have every change, of this worker or another, shown to `subscriber` before memory takes it in."""
        self._subscribers.append(subscriber)

    def open(self, log: EventLog) -> int:
        """Bring memory up to date: from the store, or from the event log where the store is empty.

        Returns the number of changes that were read.
        """
        if self.store.newest() == 0:
            changes = newest_changes(log, self.settings.max_changes)
            for start in range(0, len(changes), READ_ROWS):
                self.store.append(changes[start : start + READ_ROWS])
        else:
            self.store.trim(self.settings.max_changes)
        return self.catch_up()

    def catch_up(self) -> int:
        """Take in what was appended since the last call, by this worker or another; returns how many changes."""
        taken = 0
        while True:
            found = self.store.since(self._position, READ_ROWS)
            for position, change in found:
                if self._own and self._own[0][0] <= position <= self._own[0][1]:
                    if position == self._own[0][1]:
                        self._own.popleft()
                    continue  # reduced when it was made
                self._reduce(change)
            taken += len(found)
            if found:
                self._position = found[-1][0]
            if len(found) < READ_ROWS:
                return taken

    def record(self, changes: Sequence[Change]) -> None:
        """Keep new changes; the next question of any worker sees them."""
        if changes:
            self.flush()
            self.store.append(changes)
            self.catch_up()

    def note(self, change: Change) -> None:
        """Take a change in at once and keep it with the next `flush`: for what is made with every answer."""
        self._reduce(change)
        self._noted.append(change)
        if len(self._noted) >= NOTED:
            self.flush()

    def flush(self) -> None:
        """Keep what was noted."""
        if self._noted:
            noted, self._noted = self._noted, []
            last = self.store.append(noted)
            self._own.append((last - len(noted) + 1, last))

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

    def forget(self, user: str) -> int:
        """Drop a person from store and memory, and tell other workers by a salted hash; returns what went."""
        self.flush()
        self.catch_up()
        gone = self.store.forget(user)
        self._drop(user)
        salt = secrets.token_hex(8)
        self.record([Change(_hashed(user, salt), ERASED, 0.0, detail=salt)])
        return gone

    def _drop(self, user: str) -> None:
        self.activity.forget(user)
        self._profiles.pop(user, None)

    def _reduce(self, change: Change) -> None:
        if change.event_type == ERASED:
            salt = change.detail or ""
            for user in [user for user in self.activity.visitors if _hashed(user, salt) == change.user]:
                self._drop(user)
            return
        if change.event_type == "preference":
            self._profiles.pop(change.user, None)
        for subscriber in self._subscribers:
            subscriber(change)
        self.activity.observe(change)


def _hashed(user: str, salt: str) -> str:
    return hashlib.blake2b(user.encode(), key=salt.encode(), digest_size=16).hexdigest()

"""The online state of one worker: the changes of the store, those of other workers included, reduced in memory."""

from __future__ import annotations

import hashlib
import logging
import secrets
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Collection, Sequence
from typing import Any

from ml.decisions.activity.activity import Activity, ActivityLimits
from ml.decisions.activity.change_fold import fold_change
from ml.decisions.activity.state_change import StateChange
from ml.events.log import EventLog
from ml.events.quarantine import Quarantine
from ml.settings.serving import StateSettings
from serving.state.initial_fill import STORE_ID, FilledStore, fill_if_empty
from serving.state.profiles import read_profile
from serving.state.store import StateStore, StoreUnavailableError

logger = logging.getLogger("tessera.serving")
READ_ROWS = 5_000  # changes at a time: each takes some 2 KB while it is read
READ_AGAIN_ROWS = 50_000  # newest changes in which those are looked for that came while the store was away
NOTED = 64
ERASED = "erased"
PROFILES = 50_000
REDUCED_IDS = 50_000
LATE_SECONDS = 60.0
"""Events that other workers took in while the store was away are recognized if they are not later than this."""
SERVICE = "service"
UNREADABLE_PROFILE: dict[str, Any] = {"opt_out": True}
"""Stands for a profile that cannot be read now: the person may have opted out."""


class OnlineState:
    """Memory in front of a store.

    While the store is away, requests are answered from memory, and changes wait in memory until it is back.

    Args:
        store: Where changes and profiles survive.
        settings: Bounds of the memory.
        quarantine: Where a change that breaks a fold is recorded.
        counted_openings: Openings of an item by one person that count for its popularity.

    Attributes:
        activity: Everything that was reduced.
        fault: Why the store cannot be reached; None while it can.
        announced_erasures: Number of erasures that workers have announced through the store.
    """

    def __init__(
        self,
        store: StateStore,
        settings: StateSettings,
        quarantine: Quarantine,
        counted_openings: int = ActivityLimits.counted_openings,
    ) -> None:
        self.store = store
        self.settings = settings
        self.quarantine = quarantine
        self.activity = Activity(
            ActivityLimits(
                visitors=settings.max_visitors, visits=settings.max_visits, counted_openings=counted_openings
            )
        )
        self.fault: str | None = None
        self.announced_erasures = 0
        self._position = 0
        self._store_id: str | None = None
        self._noted_before_loss = 0
        self._was_away = False
        self._away_since: float | None = None
        self._reduced_ids: deque[str | None] = deque(maxlen=REDUCED_IDS)
        self._noted: list[StateChange] = []
        self._reduced_ranges: deque[tuple[int, int]] = deque()
        self._subscribers: list[Callable[[StateChange], None]] = []
        self._forgetters: list[Callable[[str], None]] = []
        self._profiles: OrderedDict[str, dict[str, Any]] = OrderedDict()

    @property
    def waiting(self) -> int:
        """Number of changes that wait to be stored."""
        return len(self._noted)

    def subscribe(self, subscriber: Callable[[StateChange], None]) -> None:
        """Call `subscriber` with every change, of this worker or another, before memory takes it in."""
        self._subscribers.append(subscriber)

    def subscribe_to_erasures(self, forgetter: Callable[[str], None]) -> None:
        """Call `forgetter` with every person who is erased, by this worker or another."""
        self._forgetters.append(forgetter)

    def open(self, log: EventLog) -> int:
        """Bring memory up to date from the store, which one worker fills from the event log if it is empty.

        Returns:
            The number of changes that were read.

        Raises:
            StoreUnavailableError: The store cannot be reached.
        """
        self._store_id = self.fill_store(log).store_id
        self.store.trim(self.settings.max_changes)
        count = self.catch_up()
        self.require_store()
        return count

    def catch_up(self) -> int:
        """Take in what this worker or another appended since the last call; nothing while the store is away.

        Returns:
            The number of changes.
        """
        count = 0
        while True:
            try:
                if not self._is_same_store():
                    return count
                changes = self.store.since(self._position, READ_ROWS)
            except StoreUnavailableError as error:
                self.report(error)
                return count
            if self.fault is not None:
                self.report(None)
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
        """Store new changes; the next request to any worker sees them, or as soon as the store is back."""
        if not changes:
            return
        if self.flush():
            try:
                self.store.append(changes)
            except StoreUnavailableError as error:
                self.report(error)
            else:
                self.catch_up()
                return
        for change in changes:
            self._keep(change)

    def note(self, change: StateChange) -> None:
        """Take a change in at once, and store it with the next `flush`; for changes that every answer makes."""
        self._keep(change)
        if len(self._noted) >= NOTED and self.fault is None:
            self.flush()

    def flush(self) -> bool:
        """Store what was noted; what cannot be stored now stays noted.

        Returns:
            Whether nothing is noted any more, and the store can be written.
        """
        while True:
            batch = self._noted[:READ_ROWS]
            try:
                if not self._is_same_store():
                    return False
                if not batch:
                    return True
                last = self.store.append(batch)
            except StoreUnavailableError as error:
                self.report(error)
                return False
            del self._noted[: len(batch)]
            self._reduced_ranges.append((last - len(batch) + 1, last))

    def has_lost_store(self) -> bool:
        """Return whether the store lost everything, such as a Redis that started anew.

        From then on changes wait in memory for `adopt`.

        Raises:
            StoreUnavailableError: The store cannot be reached.
        """
        self.store.reconnect_if_replaced()
        if self._store_id is not None and self.store.value(STORE_ID) != self._store_id:
            self._store_id = None
            self._noted_before_loss = len(self._noted)
        self._was_away = False
        if self._store_id is not None:
            self._away_since = None
        return self._store_id is None

    def fill_store(self, log: EventLog) -> FilledStore:
        """Fill an empty store from the log. It can run in a thread beside the answers.

        Raises:
            StoreUnavailableError: The store cannot be reached.
        """
        return fill_if_empty(self.store, log, self.settings.max_changes, self.quarantine)

    def adopt(self, filled: FilledStore) -> None:
        """Go on with a store that was filled from the log.

        Memory keeps what it holds, and takes in what other workers received while the store was away.

        Raises:
            StoreUnavailableError: The store cannot be reached.
        """
        newest = self.store.since(max(0, filled.position - READ_AGAIN_ROWS), READ_AGAIN_ROWS)
        reduced_ids = set(self._reduced_ids)
        since = (self._away_since or time.time()) - LATE_SECONDS
        for position, change in newest:
            is_new = change.at >= since and change.event_id is not None and change.event_id not in reduced_ids
            if position <= filled.position and is_new:
                self._reduce(change)
        before, after = self._noted[: self._noted_before_loss], self._noted[self._noted_before_loss :]
        # What came from an event before the filling began is in the log, and so in the store already.
        self._noted = [change for change in before if change.event_id is None] + after
        self._reduced_ranges.clear()
        self._profiles.clear()
        self._store_id, self._position, self._away_since = filled.store_id, filled.position, None
        logger.warning("the online state's store was empty: filled from the log to position %d", filled.position)

    def report(self, error: StoreUnavailableError | None) -> None:
        """Log that the store went away or came back, once each."""
        if error is not None and self.fault is None:
            logger.error("%s; answers go on from memory", error.message)
        if error is None and self.fault is not None:
            logger.warning("the online state's store answers again; %d changes waited for it", len(self._noted))
        self.fault = None if error is None else error.message
        if error is not None:
            self._was_away = True
            self._away_since = self._away_since or time.time()

    def require_store(self) -> None:
        """Check that the store can be reached, before a change of which every part must be stored.

        Raises:
            StoreUnavailableError: It cannot.
        """
        self.store.value(STORE_ID)

    def profile(self, user: str) -> dict[str, Any]:
        """Return what a person set. Do not change the result; `put_profile` does.

        Raises:
            StoreUnavailableError: Memory does not hold it, and the store cannot be reached.
        """
        profile = self._profiles.get(user)
        if profile is None:
            profile = self._profiles[user] = read_profile(self.store.profile(user))
            if len(self._profiles) > PROFILES:
                self._profiles.popitem(last=False)
        return profile

    def profile_or_opt_out(self, user: str) -> dict[str, Any]:
        """Return what a person set, or the profile of somebody who opted out while it cannot be read."""
        try:
            return self.profile(user)
        except StoreUnavailableError as error:
            self.report(error)
            return UNREADABLE_PROFILE

    def put_profile(
        self, user: str, profile: dict[str, Any], at: float, lists_personalization: bool | None = True
    ) -> None:
        """Replace a profile; other workers drop their copy of it.

        Args:
            user: Key of the person.
            profile: What the person set.
            at: Unix seconds.
            lists_personalization: Whether the caller states consent to personalization; None if an event says it.

        Raises:
            StoreUnavailableError: The store cannot be reached.
        """
        self.store.put_profile(user, profile)
        self.record(
            [StateChange(user, "preference", at, lists_personalization=lists_personalization, lists_location=None)]
        )

    def forget(self, user: str) -> int:
        """Remove a person from store and memory, and announce it to other workers by a salted hash.

        Returns:
            The number of records that were removed.

        Raises:
            StoreUnavailableError: The store cannot be reached.
        """
        self.flush()
        self.catch_up()
        removed = self.store.forget(user)
        self._drop(user)
        salt = secrets.token_hex(8)
        self.store.append(
            [
                StateChange(
                    _hash_user(user, salt),
                    ERASED,
                    0.0,
                    detail=salt,
                    lists_personalization=None,
                    lists_location=None,
                )
            ]
        )
        self.catch_up()
        return removed

    def take_out(self, events: Collection[tuple[str, str]]) -> int:
        """Remove what events of people changed, and fold the other changes of these people anew.

        Counts over all people, such as the popularity of an item, and what was learned from the events stay.

        Args:
            events: The id of each event, and the key of its person.

        Returns:
            The number of changes that the store still had of the events.

        Raises:
            StoreUnavailableError: The store cannot be reached.
        """
        self.flush()
        self.catch_up()
        removed = self.store.remove_events(events)
        changes, position = [], 0
        while batch := self.store.since(position, READ_ROWS):
            changes += [change for _, change in batch if change.event_type != ERASED]
            position = batch[-1][0]
        users = {user for _, user in events}
        people = set(users)
        for _ in range(2):  # the owner of a device, then the owner's other devices
            for change in changes:
                keys = {change.user, change.device_key} - {None}
                if keys & people:
                    people |= keys  # type: ignore[arg-type]
        self.activity.refold(people, (change for change in changes if change.user in people))
        for user in users:
            self._profiles.pop(user, None)
        return removed

    def _is_same_store(self) -> bool:
        """Return whether the store holds what this worker read of it; it is asked again after each absence."""
        return not self.has_lost_store() if self._was_away else self._store_id is not None

    def _keep(self, change: StateChange) -> None:
        """Take a change in, and keep it for the next flush; of too many the oldest go, as they do in the store."""
        self._reduce(change)
        self._noted.append(change)
        if len(self._noted) > self.settings.max_changes:
            del self._noted[: len(self._noted) - self.settings.max_changes]

    def _drop(self, user: str) -> None:
        self.activity.forget(user)
        self._profiles.pop(user, None)
        for forgetter in self._forgetters:
            forgetter(user)

    def _reduce(self, change: StateChange) -> None:
        if change.event_type == ERASED:
            self.announced_erasures += 1
            fold_change(change, [self._drop_announced], self.quarantine, SERVICE)
            return
        if change.event_type == "preference":
            self._profiles.pop(change.user, None)
        self._reduced_ids.append(change.event_id)
        fold_change(change, [*self._subscribers, self.activity.observe], self.quarantine, SERVICE)

    def _drop_announced(self, change: StateChange) -> None:
        """Drop the person whose erasure another worker announced."""
        salt = change.detail or ""
        for user in [user for user in {*self.activity.visitors, *self._profiles} if isinstance(user, str)]:
            if _hash_user(user, salt) == change.user:
                self._drop(user)


def _hash_user(user: str, salt: str) -> str:
    return hashlib.blake2b(user.encode(), key=salt.encode(), digest_size=16).hexdigest()

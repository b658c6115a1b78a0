"""The state store for several machines: a Redis stream of changes, and hashes of profiles and documents."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import MISSING, asdict, fields
from typing import Any

import orjson
import redis
from redis.backoff import ExponentialBackoff
from redis.retry import Retry

from ml.decisions.activity.state_change import StateChange
from serving.state.store import Position, StoreUnavailableError

# Takes n positions and appends n changes at them in one step, so that no other worker's changes come between.
APPEND = """
local last = redis.call('incrby', KEYS[1], #ARGV)
for i, change in ipairs(ARGV) do
  redis.call('xadd', KEYS[2], (last - #ARGV + i) .. '-0', 'c', change)
end
return last
"""
CONNECT_SECONDS = 0.5
ANSWER_SECONDS = 2.0
PAUSE_SECONDS = 0.5
"""After a failure nobody tries to connect for so long, so that requests do not wait for a server that is away."""
LOCK_SECONDS = 120.0
FIELDS = frozenset(field.name for field in fields(StateChange))
DEFAULTS = {field.name: field.default for field in fields(StateChange) if field.default is not MISSING}


class RedisStore:
    """The state in one Redis database, under keys that begin with `prefix`."""

    def __init__(self, url: str, prefix: str = "tessera") -> None:
        self._redis: Any = redis.Redis.from_url(
            url,
            socket_connect_timeout=CONNECT_SECONDS,
            socket_timeout=ANSWER_SECONDS,
            retry=Retry(ExponentialBackoff(cap=0.05, base=0.01), retries=1),
        )
        self._counter, self._changes = f"{prefix}:position", f"{prefix}:changes"
        self._profiles, self._documents = f"{prefix}:profiles", f"{prefix}:documents"
        self._lock_name = f"{prefix}:lock"
        self._append = self._redis.register_script(APPEND)
        self._fault = ""
        self._next_attempt = 0.0

    def append(self, changes: Sequence[StateChange]) -> Position:
        """See `StateStore.append`."""
        rows = [
            orjson.dumps({k: v for k, v in asdict(change).items() if v != DEFAULTS.get(k)}) for change in changes
        ]
        with self._reach():
            return int(self._append(keys=[self._counter, self._changes], args=rows))

    def since(self, position: Position, limit: int) -> list[tuple[Position, StateChange]]:
        """See `StateStore.since`."""
        with self._reach():
            entries = self._redis.xrange(self._changes, min=f"({position}-0", count=limit)
        return [
            (int(entry_id.split(b"-")[0]), _read_change(orjson.loads(entry[b"c"]))) for entry_id, entry in entries
        ]

    def newest(self) -> Position:
        """See `StateStore.newest`."""
        with self._reach():
            entries = self._redis.xrevrange(self._changes, count=1)
        return int(entries[0][0].split(b"-")[0]) if entries else 0

    def trim(self, keep: int) -> None:
        """See `StateStore.trim`."""
        with self._reach():
            self._redis.xtrim(self._changes, maxlen=keep, approximate=False)

    def profile(self, user: str) -> dict[str, Any]:
        """See `StateStore.profile`."""
        with self._reach():
            profile = self._redis.hget(self._profiles, user)
        return dict(orjson.loads(profile)) if profile else {}

    def put_profile(self, user: str, profile: Mapping[str, Any]) -> None:
        """See `StateStore.put_profile`."""
        with self._reach():
            self._redis.hset(self._profiles, user, orjson.dumps(profile))

    def forget(self, user: str) -> int:
        """See `StateStore.forget`."""
        with self._reach():
            entry_ids = [
                entry_id
                for entry_id, entry in self._redis.xrange(self._changes)
                if user in _people_of(orjson.loads(entry[b"c"]))
            ]
            removed = int(self._redis.xdel(self._changes, *entry_ids)) if entry_ids else 0
            return removed + int(self._redis.hdel(self._profiles, user))

    def remove_events(self, events: Collection[tuple[str, str]]) -> int:
        """See `StateStore.remove_events`."""
        removed = frozenset(events)
        with self._reach():
            entry_ids = [
                entry_id
                for entry_id, entry in self._redis.xrange(self._changes)
                if ((change := orjson.loads(entry[b"c"])).get("event_id"), change["user"]) in removed
            ]
            return int(self._redis.xdel(self._changes, *entry_ids)) if entry_ids else 0

    def value(self, name: str) -> Any:
        """See `StateStore.value`."""
        with self._reach():
            document = self._redis.hget(self._documents, name)
        return orjson.loads(document) if document else None

    def put_value(self, name: str, value: Any) -> None:
        """See `StateStore.put_value`."""
        with self._reach():
            self._redis.hset(self._documents, name, orjson.dumps(value))

    def change_value(self, name: str, change: Callable[[Any], Any]) -> Any:
        """See `StateStore.change_value`. All documents are one hash, so a change of any of them causes a retry."""

        def attempt(pipe: Any) -> Any:
            document = pipe.hget(self._documents, name)
            value = change(orjson.loads(document) if document else None)
            pipe.multi()
            pipe.hset(self._documents, name, orjson.dumps(value))
            return value

        with self._reach():
            return self._redis.transaction(attempt, self._documents, value_from_callable=True)

    @contextmanager
    def lock(self) -> Iterator[None]:
        """See `StateStore.lock`. The lock of a killed worker is free after LOCK_SECONDS."""
        lock = self._redis.lock(self._lock_name, timeout=LOCK_SECONDS, blocking_timeout=2 * LOCK_SECONDS)
        with self._reach(), lock:
            yield

    def reconnect_if_replaced(self) -> None:
        """See `StateStore.reconnect_if_replaced`. The client connects again by itself."""

    @contextmanager
    def _reach(self) -> Iterator[None]:
        """Run the block unless the server was away a moment ago.

        Raises:
            StoreUnavailableError: The server is away, or refuses.
        """
        if self._next_attempt and time.monotonic() < self._next_attempt:
            raise StoreUnavailableError(self._fault)
        try:
            yield
        except redis.RedisError as error:
            self._fault = f"Redis: {error}"
            self._next_attempt = time.monotonic() + PAUSE_SECONDS
            raise StoreUnavailableError(self._fault) from error
        self._next_attempt = 0.0

    def close(self) -> None:
        """See `StateStore.close`."""
        self._redis.close()


def _people_of(document: Mapping[str, Any]) -> tuple[Any, Any]:
    """Return the keys of the person and of the device that a stored change names."""
    return document["user"], document.get("device_key")


def _read_change(document: Mapping[str, Any]) -> StateChange:
    """Read a change; fields that a worker of a newer version wrote are left out."""
    return StateChange(**{name: value for name, value in document.items() if name in FIELDS})

"""The state store for several machines: a Redis stream of changes, and hashes of profiles and documents."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

import orjson
import redis

from ml.decisions.activity.state_change import StateChange
from serving.state.store import Position

# Takes n positions and appends n changes at them in one step, so that no other worker's changes come between.
APPEND = """
local last = redis.call('incrby', KEYS[1], #ARGV)
for i, change in ipairs(ARGV) do
  redis.call('xadd', KEYS[2], (last - #ARGV + i) .. '-0', 'c', change)
end
return last
"""


class RedisStore:
    """The state in one Redis database, under keys that begin with `prefix`."""

    def __init__(self, url: str, prefix: str = "tessera") -> None:
        self._redis: Any = redis.Redis.from_url(url)
        self._counter, self._changes = f"{prefix}:position", f"{prefix}:changes"
        self._profiles, self._documents = f"{prefix}:profiles", f"{prefix}:documents"
        self._append = self._redis.register_script(APPEND)

    def append(self, changes: Sequence[StateChange]) -> Position:
        """See `StateStore.append`."""
        rows = [orjson.dumps({k: v for k, v in asdict(change).items() if v is not None}) for change in changes]
        return int(self._append(keys=[self._counter, self._changes], args=rows))

    def since(self, position: Position, limit: int) -> list[tuple[Position, StateChange]]:
        """See `StateStore.since`."""
        entries = self._redis.xrange(self._changes, min=f"({position}-0", count=limit)
        return [
            (int(entry_id.split(b"-")[0]), StateChange(**orjson.loads(fields[b"c"])))
            for entry_id, fields in entries
        ]

    def newest(self) -> Position:
        """See `StateStore.newest`."""
        entries = self._redis.xrevrange(self._changes, count=1)
        return int(entries[0][0].split(b"-")[0]) if entries else 0

    def trim(self, keep: int) -> None:
        """See `StateStore.trim`."""
        self._redis.xtrim(self._changes, maxlen=keep, approximate=False)

    def profile(self, user: str) -> dict[str, Any]:
        """See `StateStore.profile`."""
        profile = self._redis.hget(self._profiles, user)
        return dict(orjson.loads(profile)) if profile else {}

    def put_profile(self, user: str, profile: Mapping[str, Any]) -> None:
        """See `StateStore.put_profile`."""
        self._redis.hset(self._profiles, user, orjson.dumps(profile))

    def forget(self, user: str) -> int:
        """See `StateStore.forget`."""
        entry_ids = [
            entry_id
            for entry_id, fields in self._redis.xrange(self._changes)
            if orjson.loads(fields[b"c"])["user"] == user
        ]
        removed = int(self._redis.xdel(self._changes, *entry_ids)) if entry_ids else 0
        return removed + int(self._redis.hdel(self._profiles, user))

    def value(self, name: str) -> Any:
        """See `StateStore.value`."""
        document = self._redis.hget(self._documents, name)
        return orjson.loads(document) if document else None

    def put_value(self, name: str, value: Any) -> None:
        """See `StateStore.put_value`."""
        self._redis.hset(self._documents, name, orjson.dumps(value))

    def change_value(self, name: str, change: Callable[[Any], Any]) -> Any:
        """See `StateStore.change_value`. All documents are one hash, so a change of any of them causes a retry."""

        def attempt(pipe: Any) -> Any:
            document = pipe.hget(self._documents, name)
            value = change(orjson.loads(document) if document else None)
            pipe.multi()
            pipe.hset(self._documents, name, orjson.dumps(value))
            return value

        return self._redis.transaction(attempt, self._documents, value_from_callable=True)

    def close(self) -> None:
        """See `StateStore.close`."""
        self._redis.close()

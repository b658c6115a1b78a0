"""The embedded state store: SQLite in WAL mode, shared by the workers of one machine."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import orjson

from ml.decisions.activity.state_change import StateChange
from ml.home import locked
from serving.state.store import Position, StoreUnavailableError

COLUMNS = (
    "user", "event_type", "at", "item", "session", "country", "region", "device", "slot", "campaign", "detail",
    "reacts_to", "event_id", "authority", "lists_personalization", "device_key", "content", "language",
    "lists_location", "element", "value",
)  # fmt: skip
SCHEMA = f"""
create table if not exists changes (position integer primary key autoincrement, {", ".join(COLUMNS)});
create index if not exists changes_user on changes (user);
create table if not exists profiles (user text primary key, profile blob not null);
create table if not exists documents (name text primary key, value blob not null);
"""
INSERT = f"insert into changes ({', '.join(COLUMNS)}) values ({', '.join('?' * len(COLUMNS))})"
SELECT = f"select position, {', '.join(COLUMNS)} from changes where position > ? order by position limit ?"
SOUND = "ok"


class SqliteStore:
    """The state in one file. Commits survive a killed process, and deleted rows are overwritten with zeros."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.path = path
        self._guard = threading.RLock()
        self._db, self._inode = _connect(path)

    def append(self, changes: Sequence[StateChange]) -> Position:
        """See `StateStore.append`."""
        rows = [tuple(getattr(change, column) for column in COLUMNS) for change in changes]
        with self._transaction():
            self._db.executemany(INSERT, rows)
            return self.newest()

    def since(self, position: Position, limit: int) -> list[tuple[Position, StateChange]]:
        """See `StateStore.since`."""
        with self._reach():
            rows = self._db.execute(SELECT, (position, limit)).fetchall()
        return [(row[0], StateChange(*row[1:])) for row in rows]

    def newest(self) -> Position:
        """See `StateStore.newest`."""
        with self._reach():
            return int(self._db.execute("select coalesce(max(position), 0) from changes").fetchone()[0])

    def trim(self, keep: int) -> None:
        """See `StateStore.trim`."""
        with self._reach():
            self._db.execute("delete from changes where position <= ?", (self.newest() - keep,))

    def profile(self, user: str) -> dict[str, Any]:
        """See `StateStore.profile`."""
        with self._reach():
            row = self._db.execute("select profile from profiles where user = ?", (user,)).fetchone()
        return dict(orjson.loads(row[0])) if row else {}

    def put_profile(self, user: str, profile: Mapping[str, Any]) -> None:
        """See `StateStore.put_profile`."""
        with self._reach():
            self._db.execute("insert or replace into profiles values (?, ?)", (user, orjson.dumps(profile)))

    def forget(self, user: str) -> int:
        """See `StateStore.forget`. The write-ahead log is truncated too."""
        with self._reach():
            removed = self._db.execute(
                "delete from changes where user = ? or device_key = ?", (user, user)
            ).rowcount
            removed += self._db.execute("delete from profiles where user = ?", (user,)).rowcount
            self._db.execute("pragma wal_checkpoint(truncate)").fetchall()
        return removed

    def remove_events(self, events: Collection[tuple[str, str]]) -> int:
        """See `StateStore.remove_events`."""
        with self._reach():
            return self._db.executemany("delete from changes where event_id = ? and user = ?", events).rowcount

    def value(self, name: str) -> Any:
        """See `StateStore.value`."""
        with self._reach():
            row = self._db.execute("select value from documents where name = ?", (name,)).fetchone()
        return orjson.loads(row[0]) if row else None

    def put_value(self, name: str, value: Any) -> None:
        """See `StateStore.put_value`."""
        with self._reach():
            self._db.execute("insert or replace into documents values (?, ?)", (name, orjson.dumps(value)))

    def change_value(self, name: str, change: Callable[[Any], Any]) -> Any:
        """See `StateStore.change_value`."""
        with self._transaction():
            value = change(self.value(name))
            self.put_value(name, value)
        return value

    @contextmanager
    def lock(self) -> Iterator[None]:
        """See `StateStore.lock`."""
        with lock_file(self.path):
            yield

    def reconnect_if_replaced(self) -> None:
        """See `StateStore.reconnect_if_replaced`."""
        with self._reach():
            if not self.path.exists() or self.path.stat().st_ino != self._inode:
                self._db.close()
                self._db, self._inode = _connect(self.path)

    def find_damage(self) -> str | None:
        """Return what is wrong with the file's structure, or None for a sound file."""
        try:
            result = str(self._db.execute("pragma quick_check(1)").fetchone()[0])
        except sqlite3.DatabaseError as error:
            return str(error)
        return None if result == SOUND else result

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        """Run the block in one transaction; other workers wait for it."""
        with self._reach():
            self._db.execute("begin immediate")
            try:
                yield
                self._db.execute("commit")
            except BaseException:
                self._db.execute("rollback")
                raise

    @contextmanager
    def _reach(self) -> Iterator[None]:
        """Run the block alone among the threads of this worker.

        Raises:
            StoreUnavailableError: The file is locked, damaged or cannot be written.
        """
        with self._guard:
            try:
                yield
            except sqlite3.DatabaseError as error:
                raise StoreUnavailableError(f"{self.path.name}: {error}") from error

    def close(self) -> None:
        """See `StateStore.close`."""
        self._db.close()


@contextmanager
def lock_file(path: Path) -> Iterator[None]:
    """Hold the lock of a state file, which one process has at a time, until the block ends."""
    with locked(path.with_name(f"{path.name}.lock")):
        yield


def _connect(path: Path) -> tuple[sqlite3.Connection, int]:
    """Open or create the file with its tables; returns the connection and the file's inode.

    Raises:
        sqlite3.DatabaseError: The file is no database, or is damaged where this reads it.
    """
    db = sqlite3.connect(path, timeout=10.0, isolation_level=None, check_same_thread=False)
    try:
        db.execute("pragma journal_mode = wal")
        db.execute("pragma synchronous = normal")
        db.execute("pragma secure_delete = on")
        db.executescript(SCHEMA)
        existing = {row[1] for row in db.execute("pragma table_info(changes)")}
        for column in COLUMNS:
            if column not in existing:  # the file of an earlier version
                db.execute(f"alter table changes add column {column}")
        return db, path.stat().st_ino
    except BaseException:
        db.close()
        raise

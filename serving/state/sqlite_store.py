"""The embedded state store: SQLite in WAL mode, shared by the workers of one machine."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import orjson

from ml.decisions.activity.state_change import StateChange
from serving.state.store import Position

COLUMNS = (
    "user", "event_type", "at", "item", "session", "country", "region", "device", "slot", "campaign", "detail",
    "reacts_to",
)  # fmt: skip
SCHEMA = f"""
create table if not exists changes (position integer primary key autoincrement, {", ".join(COLUMNS)});
create index if not exists changes_user on changes (user);
create table if not exists profiles (user text primary key, profile blob not null);
create table if not exists documents (name text primary key, value blob not null);
"""
INSERT = f"insert into changes ({', '.join(COLUMNS)}) values ({', '.join('?' * len(COLUMNS))})"
SELECT = f"select position, {', '.join(COLUMNS)} from changes where position > ? order by position limit ?"


class SqliteStore:
    """The state in one file. Commits survive a killed process, and deleted rows are overwritten with zeros."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.path = path
        self._db = sqlite3.connect(path, timeout=10.0, isolation_level=None, check_same_thread=False)
        self._db.execute("pragma journal_mode = wal")
        self._db.execute("pragma synchronous = normal")
        self._db.execute("pragma secure_delete = on")
        self._db.executescript(SCHEMA)
        existing = {row[1] for row in self._db.execute("pragma table_info(changes)")}
        for column in COLUMNS:
            if column not in existing:  # the file of an earlier version
                self._db.execute(f"alter table changes add column {column}")

    def append(self, changes: Sequence[StateChange]) -> Position:
        """See `StateStore.append`."""
        rows = [tuple(getattr(change, column) for column in COLUMNS) for change in changes]
        with self._transaction():
            self._db.executemany(INSERT, rows)
            return self.newest()

    def since(self, position: Position, limit: int) -> list[tuple[Position, StateChange]]:
        """See `StateStore.since`."""
        rows = self._db.execute(SELECT, (position, limit)).fetchall()
        return [(row[0], StateChange(*row[1:])) for row in rows]

    def newest(self) -> Position:
        """See `StateStore.newest`."""
        return int(self._db.execute("select coalesce(max(position), 0) from changes").fetchone()[0])

    def trim(self, keep: int) -> None:
        """See `StateStore.trim`."""
        self._db.execute("delete from changes where position <= ?", (self.newest() - keep,))

    def profile(self, user: str) -> dict[str, Any]:
        """See `StateStore.profile`."""
        row = self._db.execute("select profile from profiles where user = ?", (user,)).fetchone()
        return dict(orjson.loads(row[0])) if row else {}

    def put_profile(self, user: str, profile: Mapping[str, Any]) -> None:
        """See `StateStore.put_profile`."""
        self._db.execute("insert or replace into profiles values (?, ?)", (user, orjson.dumps(profile)))

    def forget(self, user: str) -> int:
        """See `StateStore.forget`. The write-ahead log is truncated too."""
        removed = self._db.execute("delete from changes where user = ?", (user,)).rowcount
        removed += self._db.execute("delete from profiles where user = ?", (user,)).rowcount
        self._db.execute("pragma wal_checkpoint(truncate)").fetchall()
        return removed

    def value(self, name: str) -> Any:
        """See `StateStore.value`."""
        row = self._db.execute("select value from documents where name = ?", (name,)).fetchone()
        return orjson.loads(row[0]) if row else None

    def put_value(self, name: str, value: Any) -> None:
        """See `StateStore.put_value`."""
        self._db.execute("insert or replace into documents values (?, ?)", (name, orjson.dumps(value)))

    def change_value(self, name: str, change: Callable[[Any], Any]) -> Any:
        """See `StateStore.change_value`."""
        with self._transaction():
            value = change(self.value(name))
            self.put_value(name, value)
        return value

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        """Run the block in one transaction; other workers wait for it."""
        self._db.execute("begin immediate")
        try:
            yield
            self._db.execute("commit")
        except BaseException:
            self._db.execute("rollback")
            raise

    def close(self) -> None:
        """See `StateStore.close`."""
        self._db.close()

"""Erases people from the online state in SQLite, where a worker may have written after the service erased them."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from ml.privacy.id_matcher import IdMatcher
from orchestration.erasure.scan import holds_in_bytes

TABLES = "select name from sqlite_master where type = 'table' and name not like 'sqlite_%'"


def remove_damaged_states(file: Path, matcher: IdMatcher) -> None:
    """Delete damaged states that are kept beside the file and mention one of the people."""
    for kept in file.parent.glob(f"{file.name}.damaged-*"):
        if holds_in_bytes(kept, matcher):
            kept.unlink()


def erase_from_state(file: Path, matcher: IdMatcher) -> int:
    """Delete the rows with one of the ids in a column, overwrite their bytes, and return their number.

    Args:
        file: The SQLite file, which the service may have open.
        matcher: The ids of the people, and the keys that the state forms of them.
    """
    if not file.exists():
        return 0
    removed = 0
    with closing(sqlite3.connect(file, timeout=30.0, isolation_level=None)) as database:
        database.execute("pragma secure_delete = on")
        for (table,) in database.execute(TABLES).fetchall():
            for column in [row[1] for row in database.execute(f'pragma table_info("{table}")')]:
                ids = sorted(matcher.ids_in(column))
                marks = ", ".join("?" * len(ids))
                deleted = database.execute(f'delete from "{table}" where "{column}" in ({marks})', ids)
                removed += deleted.rowcount
        database.execute("pragma wal_checkpoint(truncate)").fetchall()
        if holds_in_bytes(file, matcher):  # of rows that were deleted before without being overwritten
            database.execute("vacuum")
            database.execute("pragma wal_checkpoint(truncate)").fetchall()
    return removed

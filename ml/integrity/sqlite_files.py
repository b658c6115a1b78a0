"""Finds damage in SQLite files."""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from ml.errors import DamagedFileError
from ml.integrity.digests import first_line

MLFLOW_REMEDY = (
    "put mlflow.db and mlartifacts/ back from a backup; without one, delete both and run `tessera "
    "materialize --job training`"
)


def open_existing_sqlite(file: Path, timeout: float = 10.0) -> sqlite3.Connection:
    """Open a SQLite file to read it.

    A process that was killed in the middle of a transaction leaves a journal beside the file. Whoever opens the
    file next takes the transaction back by it; a read-only connection cannot, and fails. So the file is opened for
    writing wherever it can be written.

    Args:
        file: The file, which may be in use.
        timeout: Seconds to wait for a writer.

    Raises:
        sqlite3.OperationalError: There is no such file.
    """
    mode = "rw" if os.access(file, os.W_OK) and os.access(file.parent, os.W_OK) else "ro"
    return sqlite3.connect(f"{file.absolute().as_uri()}?mode={mode}", uri=True, timeout=timeout)


def require_sound_sqlite(file: Path, remedy: str) -> None:
    """Check the structure of a SQLite file that may be in use. A file that does not exist is sound.

    Args:
        file: The file.
        remedy: What to do if it is damaged.

    Raises:
        DamagedFileError: The structure is damaged.
    """
    if not file.exists():
        return
    try:
        with _reader(file) as database:
            faults = [str(row[0]) for row in database.execute("pragma quick_check(1)")]
    except (sqlite3.DatabaseError, UnicodeDecodeError) as error:
        raise DamagedFileError(file, f"the database is damaged ({first_line(error)})", remedy) from None
    if faults != ["ok"]:
        raise DamagedFileError(file, f"the database is damaged ({faults[0][:200]})", remedy)


def find_sqlite_damage(file: Path, remedy: str) -> DamagedFileError | None:
    """Check the structure, the indexes and every text of a SQLite file that may be in use.

    A text must be valid UTF-8, and JSON where it begins like an object of JSON. SQLite has no checksums, so other
    changed values cannot be recognized.

    Returns:
        The damage, or None if there is none.
    """
    try:
        with _reader(file) as database:
            faults = [str(row[0]) for row in database.execute("pragma integrity_check(3)")]
            if faults == ["ok"]:
                faults = list(_unreadable_cells(database))[:3]
    except (sqlite3.DatabaseError, UnicodeDecodeError) as error:
        faults = [first_line(error)]
    return DamagedFileError(file, f"the database is damaged ({'; '.join(faults)})", remedy) if faults else None


def _unreadable_cells(database: sqlite3.Connection) -> Iterator[str]:
    database.text_factory = bytes
    tables = database.execute("select name from sqlite_master where type = 'table' and rootpage > 0").fetchall()
    for (name,) in tables:
        table = name.decode("utf-8", "replace")
        for row in database.execute(f'select * from "{table}"'):
            for cell in row:
                if isinstance(cell, bytes) and not _is_readable(cell):
                    yield f"a text of table {table} is unreadable"


def _is_readable(cell: bytes) -> bool:
    """Return whether a text is what a program can have written. Bytes of other kinds pass."""
    if b"\x00" in cell:
        return True  # not a text, such as a pickled object
    try:
        text = cell.decode("utf-8")
        if text.startswith('{"') or text.startswith("[{"):
            json.loads(text)
    except ValueError:
        return False
    return True


def _reader(file: Path) -> closing[sqlite3.Connection]:
    database = open_existing_sqlite(file)
    database.text_factory = lambda text: text.decode("utf-8", "replace")
    return closing(database)

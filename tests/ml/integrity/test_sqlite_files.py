"""A database that a killed process left in the middle of a transaction is sound."""

import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from ml.errors import DamagedFileError
from ml.integrity.sqlite_files import find_sqlite_damage, open_existing_sqlite, require_sound_sqlite

# So many rows that SQLite has to write pages, and before them its journal, inside the transaction.
KILLED = """
import os, sqlite3, sys
database = sqlite3.connect(sys.argv[1])
database.execute("pragma cache_size = 1")
database.executemany("insert into runs values (?)", (("x" * 900,) for _ in range(2_000)))
os.kill(os.getpid(), 9)
"""


@pytest.fixture
def interrupted(tmp_path: Path) -> Path:
    """A database of one row, with the journal of a transaction that was never committed."""
    file = tmp_path / "mlflow.db"
    with closing(sqlite3.connect(file)) as database:
        database.execute("create table runs (name text)")
        database.execute("insert into runs values ('kept')")
        database.commit()
    killed = subprocess.run([sys.executable, "-c", KILLED, str(file)], check=False)
    assert killed.returncode == -signal.SIGKILL
    assert file.with_name("mlflow.db-journal").stat().st_size > 0
    return file


def test_an_interrupted_transaction_is_taken_back_and_is_no_damage(interrupted: Path) -> None:
    require_sound_sqlite(interrupted, "remedy")
    assert find_sqlite_damage(interrupted, "remedy") is None
    with closing(open_existing_sqlite(interrupted)) as database:
        assert database.execute("select name from runs").fetchall() == [("kept",)]


def test_a_file_that_is_absent_is_not_made(tmp_path: Path) -> None:
    with pytest.raises(sqlite3.OperationalError):
        open_existing_sqlite(tmp_path / "state.db").execute("select 1")
    assert list(tmp_path.iterdir()) == []


def test_a_broken_page_is_damage(interrupted: Path) -> None:
    require_sound_sqlite(interrupted, "remedy")
    interrupted.write_bytes(interrupted.read_bytes()[:4_096] + b"\xff" * 4_096)
    with pytest.raises(DamagedFileError, match="damaged"):
        require_sound_sqlite(interrupted, "remedy")

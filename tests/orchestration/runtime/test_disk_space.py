"""A full disk is named, whatever the library that met it says."""

import sqlite3
import subprocess
from contextlib import closing

import pytest

from ml.home import Home
from orchestration.runtime.disk_space import FullDiskError, telling_of_full_disk


@pytest.fixture
def tiny_disk(tmp_path):
    """A file system of 64 KiB, or a skip where this user may mount none."""
    folder = tmp_path / "disk"
    folder.mkdir()
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", folder], capture_output=True, check=False
    )
    if done.returncode:
        pytest.skip(f"needs the right to mount a tmpfs: {done.stderr.decode().strip()}")
    yield folder
    subprocess.run(["umount", folder], check=True)


def test_what_a_library_says_of_a_full_disk_is_said_in_plain_words(tiny_disk):
    with (
        pytest.raises(FullDiskError, match=r"disk: the disk is full\. Free some space and run"),
        telling_of_full_disk(Home(tiny_disk)),
        closing(sqlite3.connect(tiny_disk / "runs.db")) as database,
        database,
    ):
        database.execute("create table runs (body blob)")
        database.execute("insert into runs values (zeroblob(200000))")


def test_another_failure_stays_what_it_is(tmp_path):
    with (
        pytest.raises(sqlite3.OperationalError, match="no such table"),
        telling_of_full_disk(Home(tmp_path)),
        closing(sqlite3.connect(tmp_path / "runs.db")) as database,
    ):
        database.execute("select * from runs")

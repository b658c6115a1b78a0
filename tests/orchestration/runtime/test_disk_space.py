"""A full disk is named, whatever the library that met it says."""

import sqlite3
from contextlib import closing

import pytest

from ml.home import Home
from orchestration.runtime.disk_space import FullDiskError, telling_of_full_disk
from tests.tiny_disk import tiny_disk


def test_what_a_library_says_of_a_full_disk_is_said_in_plain_words(tmp_path):
    with (
        tiny_disk(tmp_path, "64k") as disk,
        pytest.raises(FullDiskError, match=r"disk: the disk is full\. Free some space and run"),
        telling_of_full_disk(Home(disk)),
        closing(sqlite3.connect(disk / "runs.db")) as database,
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

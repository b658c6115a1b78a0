"""What is erased from the online state is in no byte of its file."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from ml.privacy.id_matcher import IdMatcher, with_namespaces
from orchestration.erasure.state import erase_from_state

PERSON = "person-00007"


@pytest.mark.parametrize("is_gone", [False, True], ids=["rows that are there", "rows that were deleted before"])
def test_no_byte_of_a_person_is_left_in_the_file(tmp_path: Path, is_gone: bool) -> None:
    file = tmp_path / "state.db"
    with closing(sqlite3.connect(file, isolation_level=None)) as database:
        database.execute("pragma journal_mode = wal")
        database.execute("create table changes (person text, detail text)")
        rows = [(f"person-{number % 50:05d}", " x" * (number % 60)) for number in range(2_000)]
        database.executemany("insert into changes values (?, ?)", rows)
        if is_gone:
            database.execute("pragma secure_delete = off")
            database.execute("delete from changes where person = ?", (PERSON,))
    matcher = IdMatcher(with_namespaces([PERSON]), [])
    assert erase_from_state(file, matcher) == (0 if is_gone else 40)
    assert PERSON.encode() not in file.read_bytes()
    with closing(sqlite3.connect(file)) as database:
        assert database.execute("select count(*) from changes").fetchone() == (1_960,)

from __future__ import annotations

from pathlib import Path

import pytest

from ml.erasure.tables import erase_from_tables
from ml.privacy.id_matcher import IdMatcher


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_a_person_is_erased_whatever_separates_the_cells(tmp_path: Path, delimiter: str) -> None:
    rows = [["user_id", "city"], ["ann", "Köln"], ["bob", "Zürich"]]
    file = tmp_path / "people.csv"
    file.write_text("\n".join(delimiter.join(row) for row in rows) + "\n", encoding="utf-8")
    assert erase_from_tables(tmp_path, IdMatcher(["ann"])) == 1
    kept = file.read_text(encoding="utf-8").splitlines()
    assert kept == [delimiter.join(rows[0]), delimiter.join(rows[2])]


def test_a_table_of_a_single_column_keeps_its_other_people(tmp_path: Path) -> None:
    file = tmp_path / "people.csv"
    file.write_text("user_id\nann\nbob\n", encoding="utf-8")
    assert erase_from_tables(tmp_path, IdMatcher(["ann"])) == 1
    assert file.read_text(encoding="utf-8").splitlines() == ["user_id", "bob"]

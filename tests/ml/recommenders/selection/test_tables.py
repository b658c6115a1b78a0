from __future__ import annotations

from pathlib import Path

import pytest

from ml.recommenders.selection.tables import read_table


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_the_delimiter_is_read_from_the_header(tmp_path: Path, delimiter: str) -> None:
    file = tmp_path / "likes.csv"
    file.write_text(f"user_id{delimiter}item_id{delimiter}rating\n007{delimiter}b{delimiter}4.5\n")
    assert read_table(file, ("user_id", "item_id")).to_pylist() == [
        {"user_id": "007", "item_id": "b", "rating": 4.5}
    ]

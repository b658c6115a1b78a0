"""Names of items from the tables that describe them, by the ids that the interactions have."""

from pathlib import Path

import pyarrow as pa
import pyarrow.csv as pa_csv
import pytest

from ml.dataset.item_names import read_item_names
from ml.tables.column_roles import ColumnChoice


@pytest.mark.parametrize("column", ["title", "Name", "Product Name", "Título"])
def test_names_come_from_a_column_of_titles(tmp_path: Path, column: str) -> None:
    file = tmp_path / "items.csv"
    pa_csv.write_csv(pa.table({"item_id": ["1", "2"], column: ["Alien", ""], "genre": ["horror", "drama"]}), file)
    assert read_item_names(file) == {"1": "Alien"}
    assert read_item_names(None) == {}


def test_ids_are_read_as_those_of_the_features_are(tmp_path: Path) -> None:
    file = tmp_path / "items.csv"
    file.write_text("movieId,title\n1.0,Alien\n 2.0,Brazil\nNULL,Nobody\n")
    for choice in (ColumnChoice(), ColumnChoice(item="movieid"), ColumnChoice(item="clicked")):
        assert read_item_names(file, choice) == {"1": "Alien", "2": "Brazil"}


def test_a_title_may_be_the_id(tmp_path: Path) -> None:
    file = tmp_path / "items.csv"
    file.write_text("title,genre\nAlien,horror\n")
    assert read_item_names(file) == {"Alien": "Alien"}

"""No cell of a CSV file runs as a formula."""

import pyarrow as pa
import pyarrow.csv
import pytest

from ml.spreadsheet_cells import escape_formulas, unescape_formulas
from ml.tables.output_files import write_table
from ml.tables.table_files import open_table

HOSTILE = ["=HYPERLINK(1)", "+1", "-1+1", "@sum(a1)", "\tx", "\rx", "'quoted", "''", "plain", "a=b", ""]


@pytest.mark.parametrize("text", HOSTILE)
def test_a_cell_that_begins_like_a_formula_gets_a_quote(text):
    (escaped,) = escape_formulas(pa.table({"user_id": [text]}))["user_id"].to_pylist()
    assert escaped == ("'" + text if text[:1] in tuple("=+-@\t\r'") else text)
    assert unescape_formulas(pa.table({"user_id": [escaped]}))["user_id"].to_pylist() == [text]


def test_names_of_columns_are_escaped_and_numbers_are_not():
    table = escape_formulas(
        pa.table({"=1": [-1.5], "name": [None]}, schema=pa.schema([("=1", pa.float64()), ("name", pa.string())]))
    )
    assert table.to_pylist() == [{"'=1": -1.5, "name": None}]


def test_a_table_of_recommendations_is_escaped_and_read_back_as_it_was(tmp_path):
    table = pa.table({"user_id": ["=cmd|' /C calc'!A0", "u"], "item_id": ["@i", "j"]})
    write_table(table, tmp_path / "recommended.csv")
    cells = pyarrow.csv.read_csv(tmp_path / "recommended.csv")
    assert cells["user_id"].to_pylist() == ["'=cmd|' /C calc'!A0", "u"]
    assert open_table(tmp_path / "recommended.csv").read().table.to_pylist() == table.to_pylist()

"""Tables of users with natural names: which column is good for what, and what is said of a cell that is wrong."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from ml.segmentation.user_table import read_user_table
from ml.tables.chunks import TableError

ROWS = 30


def write(tmp_path: Path, header: str, row: Callable[[int], str], rows: int = ROWS) -> Path:
    file = tmp_path / "customers.csv"
    file.write_text("\n".join([header, *map(row, range(rows))]) + "\n")
    return file


def read(file: Path, **options: Any) -> tuple[pa.Table, list[str], list[str]]:
    said: list[str] = []
    table, categories = read_user_table(file, log=said.append, **options)
    return table, categories, said


def test_numbers_texts_keys_and_times_are_told_apart(tmp_path: Path) -> None:
    file = write(
        tmp_path,
        "CUST_ID,Income,[item],Member,City,zip,Order_ID,Joined,Note",
        lambda n: (
            f'C{n:03d},"{n + 1},234.50",{n % 3},{"True" if n % 2 else "False"},{"AB"[n % 2]},0{n % 5}123,'
            f"{700 + n},{1 + n % 12}/13/2014,text {n}"
        ),
    )
    table, categories, said = read(file)
    assert table.column_names == ["user_id", "Income", "[item]", "Member", "City", "zip"]
    assert table.slice(3, 1).to_pylist() == [
        {"user_id": "C003", "Income": 4234.5, "[item]": 0, "Member": 1, "City": "B", "zip": "03123"}
    ]
    assert categories == []
    assert said == [
        "customers.csv: reading CUST_ID as user",
        "customers.csv: features: Income, [item], Member",
        "customers.csv: describing the segments, but not forming them: City, zip",
        "customers.csv: not used, being ids, times, empty, or nearly all different: Order_ID, Joined, Note",
        "customers.csv: reading Income with a comma between thousands",
        'customers.csv: columns of few values may be categories, which form segments with --categorical "[item]" '
        "--categorical City --categorical zip",
    ]


def test_categories_are_text_and_columns_are_left_out(tmp_path: Path) -> None:
    file = write(
        tmp_path, "id,Channel,Region,Sales, Name", lambda n: f"{n},{n % 2 + 1},{n % 3}.0,{n},{'xy'[n % 2]}"
    )
    table, categories, said = read(file, categorical=["channel,Region"], exclude=["Name"])
    assert categories == ["Channel", "Region"]
    assert table.slice(4, 1).to_pylist() == [{"user_id": "4", "Channel": "1", "Region": "1.0", "Sales": 4}]
    assert "customers.csv: features: Channel (categorical), Region (categorical), Sales" in said


def test_rows_are_numbered_where_no_column_is_an_id(tmp_path: Path) -> None:
    table, _, said = read(write(tmp_path, "Fresh,Milk", lambda n: f"{n},{2 * n}", 3))
    assert table["user_id"].to_pylist() == ["1", "2", "3"]
    assert said[0] == "customers.csv: no ids; the rows are numbered"
    table, _, _ = read(write(tmp_path, "CustomerID,Milk", lambda n: f"{n // 2},{n}", 4), user="none")
    assert table["user_id"].to_pylist() == ["1", "2", "3", "4"]


def test_columns_of_a_file_without_a_header_are_called_by_number(tmp_path: Path) -> None:
    table, _, said = read(write(tmp_path, "7|24|M", lambda n: f"{n + 8}|{20 + n}|{'MF'[n % 2]}"), user="1")
    assert table.slice(0, 1).to_pylist() == [{"user_id": "7", "2": 24, "3": "M"}]
    assert said[0] == "customers.csv: the file has no header, so that columns are called by their number"


@pytest.mark.parametrize(
    ("header", "row", "options", "message"),
    [
        (
            "CustomerID,a", lambda n: f"{n % 20},{n}", {},
            r"column 'CustomerID', row 21: '0' has an earlier row already; 30 rows have 20 .*add --user none",
        ),
        ("uid,a", lambda n: f"{n if n != 4 else ''},{n}", {}, r"column 'uid', row 5: there is no id\."),
        ("id,a", lambda n: f"{n},{n if n != 7 else 'many'}", {}, r"row 8: 'many' is not a number, as 29 of 30"),
        ("id,a", lambda n: f"{n},{n if n != 7 else 'inf'}", {}, r"'a', row 8: 'inf' is not a number, as 29 of 30"),
        ("id;a", lambda n: f"{n};{'12.5' if n % 2 else '12,5'}", {}, r"row 2: '12.5' has another decimal mark"),
        ("id,a", lambda n: f"{n},{n}", {"categorical": ["b"]}, r"no column 'b' for --categorical; there are"),
        ("id,a", lambda n: f"{n},{n}", {"exclude": ["A "], "categorical": ["a"]}, r"'a' cannot be both"),
        ("id,a", lambda n: f"{n},{n}", {"user": "who"}, r"no column 'who' for --user; there are id, a"),
        ("a,a", lambda n: f"{n},{n}", {}, r"more than one column 'a'"),
    ],
)  # fmt: skip
def test_what_cannot_be_used_is_named(
    tmp_path: Path, header: str, row: Callable[[int], str], options: dict[str, Any], message: str
) -> None:
    with pytest.raises(TableError, match=message):
        read(write(tmp_path, header, row), **options)

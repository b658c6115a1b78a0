"""Numbers as people write them, worked out by hand."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from ml.tables.chunks import TableError
from ml.tables.number_columns import CellPlace, parse_numbers, read_numbers


@pytest.mark.parametrize(
    ("cells", "delimiter", "expected"),
    [
        (["1,234.56", "2"], ",", [1234.56, 2]),
        (["1.234,56", "3,5"], ";", [1234.56, 3.5]),
        (["3,5", "1.234"], ",", [3.5, 1234]),  # the column has a decimal comma, so its points separate thousands
        (["1,234", "5"], ",", [1234, 5]),
        (["1,234", "5"], ";", [1.234, 5]),
        (["0,234", "5"], ",", [0.234, 5]),
        (["1.234", "0.5"], ",", [1.234, 0.5]),
        (["1.234.567", "5"], ",", [1234567, 5]),
        (["1,234,567", "-5"], ";", [1234567, -5]),
        (["1 234", "1'234.5", "1\u00a0234"], ",", [1234, 1234.5, 1234]),
        (["$1,234.50", "-€5", "5 %", "7 EUR"], ",", [1234.5, -5, 5, 7]),
        (["1e5", "1E-2", "+3", ".5", "5."], ",", [1e5, 0.01, 3, 0.5, 5]),
        (["NA", "?", "nan", "", "3"], ",", [None, None, None, None, 3]),
    ],
)
def test_a_number_is_read_as_it_is_meant(cells: list[str], delimiter: str, expected: list[float]) -> None:
    numbers = parse_numbers(pa.array([cell or None for cell in cells]), delimiter)
    assert numbers.values.to_pylist() == expected
    assert not numbers.is_bad.any()


@pytest.mark.parametrize("text", ["A12", "1,2,3", "12,34.5", "1 2 3", "12-5", "inf", "1.2.3", "2024-01-01", "[1]"])
def test_what_is_no_number_is_marked(text: str) -> None:
    assert parse_numbers(pa.array([text, "7"])).is_bad.tolist() == [True, False]


def test_a_column_of_two_decimal_marks_is_refused_with_the_cell() -> None:
    place = CellPlace("shop.csv", "net [EUR]", np.array([0, 1, 5]))
    with pytest.raises(TableError, match=r"shop.csv: column 'net \[EUR\]', row 6: '12,5' is not a number"):
        read_numbers(pa.array(["12.5", "13.5", "12,5"]), place)
    with pytest.raises(TableError, match=r"row 2: there is no number, nor in 1 other row"):
        read_numbers(pa.array(["1", None, "n/a"]), place)


@pytest.mark.parametrize("column", [pa.array(["True", "FALSE ", "true"]), pa.array([True, False, True])])
def test_truth_values_are_one_and_zero_where_numbers_are_needed(column: pa.Array) -> None:
    assert read_numbers(column, CellPlace("a.csv", "liked", np.arange(3))).values.to_pylist() == [1, 0, 1]


def test_a_truth_value_among_numbers_is_no_number() -> None:
    with pytest.raises(TableError, match="row 1: 'true' is not a number"):
        read_numbers(pa.array(["true", "5"]), CellPlace("a.csv", "liked", np.arange(2)))

"""Lists in cells of text, as programs of several languages print them."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from ml.tables.chunks import TableError
from ml.tables.list_cells import parse_list, read_lists
from ml.tables.number_columns import CellPlace


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("['genre:A', 'id:i3']", ["genre:A", "id:i3"]),
        ('["genre:A", "it\'s"]', ["genre:A", "it's"]),
        ("('a', 'b')", ["a", "b"]),
        ("{'b', 'a'}", ["a", "b"]),
        ("['a' 'b']", ["a", "b"]),
        ("array(['a', 'b'], dtype=object)", None),
        ("array(['a', 'b'])", ["a", "b"]),
        ("[1, 2.5, null]", ["1", "2.5"]),
        ("[{'id': 28, 'name': 'Action'}, {'id': 12, 'name': 'Drama'}]", ["Action", "Drama"]),
        ('{"genre": "Drama", "year": 1990}', ["genre:Drama", "year:1990"]),
        ("[]", []),
        ("a | b|", ["a", "b"]),
        ("genre:Drama", ["genre:Drama"]),
        ("[live] in Paris", ["[live] in Paris"]),
        ("(no genres listed)", ["(no genres listed)"]),
    ],
)
def test_a_list_is_read_in_every_spelling(text: str, expected: list[str] | None) -> None:
    if expected is None:
        assert len(parse_list(text)) == 1  # a word that no list is written as
    else:
        assert parse_list(text) == expected


@pytest.mark.parametrize("text", ["[1 2 3]", "[classic]", "[['a'], ['b']]", "{'a': }", "[a|b]", "['a', "])
def test_what_looks_like_a_list_and_is_none_is_refused_with_its_row(text: str) -> None:
    place = CellPlace("films.csv", "tags", np.arange(2))
    with pytest.raises(TableError, match=r"films.csv: column 'tags', row 2: .*looks like a list") as refused:
        read_lists(pa.array(["a|b", text]), place)
    assert text[:5] in str(refused.value)


def test_lists_keep_their_rows_and_an_empty_cell_is_no_list() -> None:
    place = CellPlace("films.csv", "tags", np.arange(4))
    assert read_lists(pa.array(["a|b", None, "['c']", "a|b"]), place).to_pylist() == [
        ["a", "b"], None, ["c"], ["a", "b"],
    ]  # fmt: skip

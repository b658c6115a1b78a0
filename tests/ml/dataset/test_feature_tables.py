"""Features from tables of items and users as they lie in public: worked out by hand."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ml.dataset.feature_matrix import FeatureMatrix
from ml.dataset.feature_tables import read_features
from ml.tables.chunks import TableError
from ml.tables.column_roles import ColumnChoice


def write(tmp_path: Path, text: str) -> Path:
    file = tmp_path / "movies.csv"
    file.write_text(text)
    return file


def features_of(matrix: FeatureMatrix | None) -> dict[str, set[str]]:
    assert matrix is not None
    names = matrix.names.to_list()
    return {
        name: {names[column] for column in matrix.matrix[row].indices}
        for row, name in enumerate(matrix.ids.to_list())
    }


@pytest.mark.parametrize(
    "cell",
    [
        "['genre:A', 'id:i3']",
        '["genre:A", "id:i3"]',
        "genre:A|id:i3",
        " genre:A | id:i3 |",
        "('genre:A', 'id:i3')",
    ],
)
def test_a_list_in_a_cell_is_several_features(tmp_path: Path, cell: str) -> None:
    quoted = '"' + cell.replace('"', '""') + '"'
    file = write(tmp_path, f"item_id,features\ni1,{quoted}\ni2,\n")
    assert features_of(read_features(file, "item")) == {"i1": {"genre:A", "id:i3"}, "i2": set()}


def test_features_between_commas_are_recognized_by_being_shared(tmp_path: Path) -> None:
    cells = ["g:A, y:1", "g:A, y:2", "g:B, y:1", "g:B, y:2", "g:A, g:B", "y:1, g:A", "y:2, g:B", "y:1, g:B"]
    rows = [f'{n},"{cell}"' for n, cell in enumerate(cells)]
    features = features_of(read_features(write(tmp_path, "\n".join(["item_id,Features", *rows])), "item"))
    assert (features["0"], features["4"]) == ({"g:A", "y:1"}, {"g:A", "g:B"})


def test_a_list_that_cannot_be_read_is_refused_with_its_row(tmp_path: Path) -> None:
    file = write(tmp_path, "item_id,features\ni1,a|b\ni2,\"['a', b]\"\n")
    with pytest.raises(
        TableError, match=r"column 'features', row 2: \"\['a', b\]\" looks like a list, but cannot"
    ):
        read_features(file, "item")


def test_natural_columns_become_features_and_titles_do_not(tmp_path: Path) -> None:
    rows = [
        f"{n},Film {n},{'Drama|Crime' if n % 2 else 'Drama'},{1950 + n},{n % 2},{'US' if n < 20 else 'FR'},"
        f"{n % 3 + 1},en"
        for n in range(30)
    ]
    file = write(tmp_path, "\n".join(["movieId,title,genres,year,is_new,country,stars,language", *rows]))
    said: list[str] = []
    features = features_of(read_features(file, "item", log=said.append))
    assert features["0"] == {"genres:Drama", "year:1950 to 1955", "country:US", "stars:1"}
    assert features["29"] == {
        "genres:Drama", "genres:Crime", "year:1974 to 1979", "is_new:1", "country:FR", "stars:3",
    }  # fmt: skip
    assert said == [
        "movies.csv: reading movieId as item; features from genres (2 elements), year (in 5 groups), is_new "
        "(where it is 1), country (2 values), stars (3 values); not used, since their values are nearly all "
        "different or all alike: title, language"
    ]


def test_a_value_that_one_row_has_is_no_feature(tmp_path: Path) -> None:
    file = write(tmp_path, "ISBN,Book-Author\n1,Ann\n2,Ann\n3,Bob\n4,Cem\n5,Ann\n")
    assert features_of(read_features(file, "item")) == {
        "1": {"Book-Author:Ann"}, "2": {"Book-Author:Ann"}, "3": set(), "4": set(), "5": {"Book-Author:Ann"},
    }  # fmt: skip


def test_elements_between_commas_are_recognized_by_being_shared(tmp_path: Path) -> None:
    genres = ["Action, Comedy", "Action, Drama", "Comedy, Drama", "Action", "Drama, Action", "Comedy, Action"]
    rows = [f'{n},"{genre}","Tale {n}, The"' for n, genre in enumerate(genres)]
    features = features_of(read_features(write(tmp_path, "\n".join(["anime_id,genre,name", *rows])), "item"))
    assert features["0"] == {"genre:Action", "genre:Comedy"}
    assert features["3"] == {"genre:Action"}


@pytest.mark.parametrize(
    ("cells", "first"),
    [
        (["even;x", "odd;x", "even;y", "odd;y"], {"tags:even", "tags:x"}),
        (["New York, NY", "Buffalo, NY", "New York, NY", "Buffalo, NY"], {"tags:New York, NY"}),
    ],
)
def test_few_different_lists_are_recognized_if_each_element_is_shared(
    cells: list[str], first: set[str], tmp_path: Path
) -> None:
    rows = [f'{n},"{cell}"' for n, cell in enumerate(cells * 2)]
    features = features_of(read_features(write(tmp_path, "\n".join(["item_id,tags", *rows])), "item"))
    assert features["0"] == first


def test_parquet_keeps_its_lists_and_flags(tmp_path: Path) -> None:
    columns = {"asin": ["a", "b"], "tags": [["x"], ["x", "y"]], "new": [True, False], "sold": [{"n": 1}, {"n": 2}]}
    pq.write_table(pa.table(columns), tmp_path / "items.parquet")
    assert features_of(read_features(tmp_path / "items.parquet", "item")) == {
        "a": {"tags:x", "new:1"}, "b": {"tags:x"},
    }  # fmt: skip


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("movieId,genres\n1,a|b\n2,a\n1,b\n", r"column 'movieId', row 3: '1' has an earlier row already; 3 rows"),
        ("movieId,genres\n1,a|b\n,a\n", r"column 'movieId', row 2: there is no id"),
        ("movieId,title\n1,Heat\n2,Alien\n", r"what several items have in common. Add a column features"),
        ("name of it,genres\n1,a|b\n", r"no column is called like the item.*Add --item"),
    ],
)  # fmt: skip
def test_a_table_that_gives_no_features_says_what_is_needed(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(TableError, match=message):
        read_features(write(tmp_path, text), "item")


def test_the_column_of_the_interactions_need_not_be_there_under_that_name(tmp_path: Path) -> None:
    file = write(tmp_path, "id,colour\n1,red\n2,red\n3,blue\n4,blue\n")
    assert features_of(read_features(file, "item", ColumnChoice(item="clicked")))["4"] == {"colour:blue"}
    assert features_of(read_features(file, "item", ColumnChoice(item="ID")))["1"] == {"colour:red"}
    file = write(tmp_path, "id,色\n1,red\n2,red\n3,blue\n4,blue\n")
    assert features_of(read_features(file, "item", ColumnChoice(item="商品")))["1"] == {"色:red"}


def test_a_table_without_a_header_has_its_ids_first(tmp_path: Path) -> None:
    file = write(tmp_path, "1|24|M|technician\n2|53|F|other\n3|23|M|other\n4|24|F|technician\n")
    assert features_of(read_features(file, "user", ColumnChoice(user="2")))["1"] == {"2:24", "3:M", "4:technician"}


def test_of_several_columns_of_ids_the_one_that_joins_is_taken(tmp_path: Path) -> None:
    rows = [f"{n},{n + 900},{n:09d},{'ab'[n % 2]}" for n in range(1, 9)]
    file = write(tmp_path, "\n".join(["id,book_id,isbn,author", *rows]))
    for ids, first in ((["1", "2", "901"], "1"), (["901", "902", "1"], "901"), (["000000001"], "000000001")):
        matrix = read_features(file, "item", interaction_ids=pa.array(ids))
        assert matrix is not None
        assert matrix.ids.values[0].as_py() == first
    with pytest.raises(TableError, match="several columns might be the item: book_id, isbn"):
        read_features(file, "item", interaction_ids=pa.array(["x"]))


def test_a_column_of_features_that_nothing_shares_yields_to_columns_that_say_more(tmp_path: Path) -> None:
    items = [
        {"asin": f"B{n}", "features": [f"bullet {n}"], "images": [{"thumb": "x"}], "store": "ab"[n % 2]}
        for n in range(6)
    ]
    file = tmp_path / "meta.jsonl"
    file.write_text("\n".join(map(json.dumps, items)))
    said: list[str] = []
    assert features_of(read_features(file, "item", log=said.append))["B1"] == {"store:b"}
    assert said[0].endswith("not used, since their values are nearly all different or all alike: features, images")
    shared = tmp_path / "shared.jsonl"
    shared.write_text("\n".join(json.dumps({**item, "features": ["soap"]}) for item in items))
    said.clear()
    assert features_of(read_features(shared, "item", log=said.append))["B1"] == {"store:b"}
    listed = tmp_path / "listed.jsonl"
    listed.write_text("\n".join(json.dumps({**item, "features": [item["store"], "soap"]}) for item in items))
    said.clear()
    assert features_of(read_features(listed, "item", log=said.append))["B1"] == {"b", "soap"}
    assert said == ["listed.jsonl: reading asin as item, features; not used: images, store"]

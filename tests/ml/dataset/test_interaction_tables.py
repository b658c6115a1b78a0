"""Interactions from files with natural names: what is read, what is said, and what is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ml.dataset.ids import Ids
from ml.dataset.interaction_tables import read_exclusions, read_id_list, read_interactions
from ml.tables.chunks import TableError
from ml.tables.column_roles import ColumnChoice


def write(tmp_path: Path, text: str, name: str = "a.csv") -> Path:
    file = tmp_path / name
    file.write_text(text)
    return file


def test_every_signal_of_a_file_is_read_and_said(tmp_path: Path) -> None:
    file = write(tmp_path, 'User-ID;ISBN;Plays;Date;Note\n0012;X;"1.234,5";13.01.2024;a\n1e5;Y;2;14.01.2024;b\n')
    said: list[str] = []
    pairs = read_interactions(file, log=said.append)
    assert pairs.users.to_list() == ["0012", "1e5"]
    assert pairs.items.to_list() == ["X", "Y"]
    assert pairs.weights.tolist() == [1234.5, 2]
    assert pairs.timestamps is not None
    assert pairs.timestamps.tolist() == [1705104000, 1705190400]
    assert said == [
        "a.csv: reading User-ID as user, ISBN as item, Date as time, Plays as weight; not used: Note",
        "a.csv: reading Date with dates as day/month, Plays with a comma as the decimal mark",
    ]


def test_a_column_without_a_value_is_not_used_and_said(tmp_path: Path) -> None:
    file = write(tmp_path, "user_id,item_id,timestamp,rating,weight\na,x,,NULL,1\nb,y,,,2\n")
    said: list[str] = []
    pairs = read_interactions(file, log=said.append)
    assert (pairs.timestamps, pairs.ratings) == (None, None)
    assert pairs.weights.tolist() == [1, 2]
    assert said[1:] == ["a.csv: timestamp is empty and not used", "a.csv: rating is empty and not used"]
    with pytest.raises(TableError, match="there is no number"):
        read_interactions(file, ColumnChoice(rating="rating"))


def test_milliseconds_become_seconds_and_are_said(tmp_path: Path) -> None:
    said: list[str] = []
    pairs = read_interactions(
        write(tmp_path, "user,item,ts\na,x,1433221332117\nb,y,1433221333000\n"), log=said.append
    )
    assert pairs.timestamps is not None
    assert pairs.timestamps.tolist() == [1433221332, 1433221333]
    assert said[1] == "a.csv: reading ts with numbers as milliseconds since 1970"


def test_rows_without_an_id_are_left_out_and_counted(tmp_path: Path) -> None:
    file = write(tmp_path, "user,item\na,x\n,y\nNULL,z\n b ,x\nb,\n")
    said: list[str] = []
    pairs = read_interactions(file, log=said.append)
    assert list(zip(pairs.users.take(pairs.rows).to_pylist(), pairs.items.take(pairs.columns).to_pylist(),
                    strict=True)) == [("a", "x"), ("b", "x")]  # fmt: skip
    assert said[1:] == [
        "a.csv: 2 of 5 rows have no user and are left out; the first is row 2",
        "a.csv: 1 of 5 rows have no item and are left out; the first is row 5",
    ]
    with pytest.raises(TableError, match="no row has 'user' and 'item'"):
        read_interactions(write(tmp_path, "user,item\n,y\nnan,z\n"))


@pytest.mark.parametrize(
    ("ids", "expected"),
    [
        (
            pa.array([2**63 + 1, 2**64 - 1, 2**63 + 1], pa.uint64()),
            ["9223372036854775809", "18446744073709551615"],
        ),
        (pa.array([2**63, 2**63 + 1, 2**63 + 3], pa.uint64()), [str(2**63 + n) for n in (0, 1, 3)]),
        (pa.array([-128, 127, -128], pa.int8()), ["-128", "127"]),
        (pa.array([17850.0, None, 2.0], pa.float64()), ["17850", "2"]),
        (pa.array([b"a", b"b", b"a"]), ["a", "b"]),
        (pa.array([b"\x01" * 16, b"\xff" * 16, b"\x01" * 16], pa.binary(16)), ["01" * 16, "ff" * 16]),
        (pa.array([b"\xff\x00", b"a", None]), ["ff00", "61"]),
        (pa.array(["0012", "12", "0012"]).dictionary_encode(), ["0012", "12"]),
    ],
)
def test_an_id_of_every_type_stays_what_it_is(tmp_path: Path, ids: pa.Array, expected: list[str]) -> None:
    pq.write_table(pa.table({"user_id": ids, "item_id": ["x", "y", "z"]}), tmp_path / "a.parquet")
    assert sorted(read_interactions(tmp_path / "a.parquet").users.to_list()) == sorted(expected)


@pytest.mark.parametrize(("other", "users"), [("7", ["7"]), ("AT", ["AT", "NA"])])
def test_na_is_no_id_where_all_others_are_numbers(other: str, users: list[str], tmp_path: Path) -> None:
    pairs = read_interactions(write(tmp_path, f"user_id,item_id\n{other},x\nNA,y\n"))
    assert pairs.users.to_list() == users


def test_integers_that_lie_close_keep_their_rows() -> None:
    ids, rows = Ids.encode(pa.array([2**64 - 1, 2**64 - 3, 2**64 - 1], pa.uint64()))
    assert ids.take(rows).to_pylist() == [str(2**64 - 1), str(2**64 - 3), str(2**64 - 1)]
    ids, rows = Ids.encode(pa.array(np.tile(np.arange(-128, 128), 2).astype(np.int8)))
    assert (len(ids), ids.take(rows[:2]).to_pylist()) == (256, ["-128", "-127"])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("user,item,rating\na,x,5\nb,y,good\n", r"column 'rating', row 2: 'good'"
        r" is not a number.*add --rating none"),
        ("user,item,rating\na,x,5\nb,y,\n", r"column 'rating', row 2: there is no number.*add --rating none"),
        ("user,item,weight\na,x,inf\n", r"column 'weight', row 1: 'inf' is not a number"),
        ("user,item,weight\na,x,1.5\nb,y,\"2,5\"\n", r"column 'weight', row 2: '2,5' is not a number"),
        ("user,item,time\na,x,2024-01-01\nb,y,soon\n", r"column 'time', row 2: 'soon' is not a time"),
        ("user,item,time,date\na,x,0,20170801\nb,y,31924,20170802\n", r"no times.*--time none .* or --time date"),
        ("user,thing\na,x\n", r"no column is called like the item. Its columns are user, thing. Add --item"),
    ],
)  # fmt: skip
def test_a_cell_that_cannot_be_used_is_named_with_what_to_do(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(TableError, match=message):
        read_interactions(write(tmp_path, text))


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        (
            "visits.jsonl",
            '{"session": 1, "item": [{"aid": 7}, {"aid": 8}]}\n{"session": 2, "item": [{"aid": 7}]}\n',
            r"column 'item', row 1: '\[{\"aid\":7.* holds several ids, and 1 other cell does too. Write a row",
        ),
        (
            "behaviors.tsv",
            "user\titem\nU1\tN5\nU2\tN5 N19639\nU3\tN7 N8 N9\n",
            r"column 'item', row 2: 'N5 N19639' holds several ids",
        ),
        ("orders.csv", "user,items\n1,\"['a', 'b']\"\n", r"column 'items', row 1: .*holds several ids"),
    ],
)  # fmt: skip
def test_a_cell_of_several_ids_is_not_taken_for_one(tmp_path: Path, name: str, text: str, message: str) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(TableError, match=message):
        read_interactions(tmp_path / name, ColumnChoice(item="items" if "items" in text else None))


@pytest.mark.parametrize(
    "ids",
    [
        ["The Elder Scrolls V", "DOTA 2", "Half-Life 2"],
        ["030 123 456", "030 123 457"],
        ["[item]", "[/b]", "{x}"],
        ["[7]", "[8]"],
        ["N5 N7", "N5", "N6", "N7"],  # one odd name among many
    ],
)
def test_a_name_of_several_words_is_one_id(tmp_path: Path, ids: list[str]) -> None:
    rows = "".join(f"u{place},{name}\n" for place, name in enumerate(ids))
    assert len(read_interactions(write(tmp_path, f"user,item\n{rows}")).items) == len(ids)


def test_a_column_that_is_said_to_be_none_is_not_read(tmp_path: Path) -> None:
    file = write(tmp_path, "user,item,rating\na,x,5\nb,y,good\n")
    assert read_interactions(file, ColumnChoice(rating="none")).ratings is None


def test_one_column_cannot_have_two_roles(tmp_path: Path) -> None:
    with pytest.raises(TableError, match="'user' cannot be both the user and the item"):
        read_interactions(write(tmp_path, "user,x\na,x\n"), ColumnChoice(item="user"))


def test_ids_are_a_set_and_a_single_column_needs_no_name(tmp_path: Path) -> None:
    assert read_id_list(write(tmp_path, "who\na\nb\na\n\n"), "user").to_pylist() == ["a", "b"]
    assert read_id_list(write(tmp_path, "7\n8\n007\n"), "user").to_pylist() == ["7", "8", "007"]
    with pytest.raises(TableError, match="no column is called like the user"):
        read_id_list(write(tmp_path, "who,age\na,5\n"), "user")


def test_what_is_excluded_is_items_or_pairs(tmp_path: Path) -> None:
    assert read_exclusions(write(tmp_path, "sku\n7\n8\n")).to_pydict() == {"item_id": ["7", "8"]}
    assert read_exclusions(write(tmp_path, "movieId,title\n7,a\n")).to_pydict() == {"item_id": ["7"]}
    pairs = read_exclusions(write(tmp_path, "userId,movieId\na,7\nb,8\n"))
    assert pairs.to_pydict() == {"user_id": ["a", "b"], "item_id": ["7", "8"]}


def test_kinds_of_rows_that_count_alike_are_said_unless_a_weight_tells_them_apart(tmp_path: Path) -> None:
    file = tmp_path / "events.csv"
    said: list[str] = []
    for header, rest in (("visitorid,itemid,event", ""), ("visitorid,itemid,event,weight", ",1")):
        file.write_text(f"{header}\n1,2,view{rest}\n1,3,transaction{rest}\n")
        said.clear()
        read_interactions(file, log=said.append)
        assert any("rows of every event count alike" in line for line in said) == (not rest)


def test_weights_that_show_no_interest_are_counted(tmp_path: Path) -> None:
    said: list[str] = []
    file = write(tmp_path, "user,item,weight\na,x,-1\na,y,2\nb,x,0\nb,y,-0.5\n")
    assert read_interactions(file, log=said.append).weights.tolist() == [-1, 2, 0, -0.5]
    assert said[1:] == [
        "a.csv: 2 of 4 pairs weigh less than 0, which rejects the item",
        "a.csv: 1 of 4 pairs weigh 0, which shows no interest",
    ]


@pytest.mark.parametrize(
    ("times", "rating", "which"),
    [
        ((), 5, "the highest rating counts"),
        ((",1700000000", ",1800000000", ",1700000000"), 2, "the newest rating counts"),
    ],
)
def test_items_that_are_rated_again_are_counted_and_one_rating_is_kept(
    tmp_path: Path, times: tuple[str, ...], rating: float, which: str
) -> None:
    rows = [row + time for row, time in zip(("u,i,5", "u,i,2", "u,j,3"), times or ("", "", ""), strict=True)]
    file = tmp_path / "ratings.csv"
    file.write_text("\n".join(["user,item,rating" + (",time" if times else ""), *rows, ""]))
    lines: list[str] = []
    pairs = read_interactions(file, log=lines.append)
    assert pairs.ratings is not None
    assert pairs.ratings.tolist() == [rating, 3]
    assert lines[-1] == f"ratings.csv: 1 of 3 rows rate again what the user has rated; {which}"

"""Files of every format and layout, and the line that is said of a file which is no table."""

from __future__ import annotations

import bz2
import gzip
import json
import lzma
import pickle
import zipfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ml.tables.chunks import TableError
from ml.tables.output_files import check_output_file, write_table
from ml.tables.table_files import open_table

ROWS = [{"user": "007", "item": 'Café; "b"', "n": "1,5"}, {"user": "1e5", "item": "x|y", "n": "2,5"}]


def as_csv(delimiter: str, ending: str = "\n") -> str:
    def quoted(text: str) -> str:
        return '"' + text.replace('"', '""') + '"'

    lines = [delimiter.join(ROWS[0]), *(delimiter.join(map(quoted, row.values())) for row in ROWS)]
    return "".join(line + ending for line in lines)


def zstd(content: bytes) -> bytes:
    return pa.Codec("zstd").compress(content, asbytes=True)


def read(path: Path) -> list[dict[str, object]]:
    return open_table(path).read().table.to_pylist()


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|", "^", "~", "\x01"])
@pytest.mark.parametrize("ending", ["\n", "\r\n"])
def test_a_table_of_text_is_read_whatever_separates_its_cells(tmp_path: Path, delimiter: str, ending: str) -> None:
    file = tmp_path / "likes"
    file.write_bytes(as_csv(delimiter, ending).encode())
    assert read(file) == ROWS


@pytest.mark.parametrize(
    "encoding", ["utf-8", "utf-8-sig", "latin-1", "cp1252", "utf-16", "utf-16-le", "utf-16-be", "utf-32"]
)
def test_a_table_of_text_is_read_whatever_its_encoding(tmp_path: Path, encoding: str) -> None:
    file = tmp_path / "likes.csv"
    file.write_bytes(as_csv(";").encode(encoding))
    assert read(file) == ROWS


@pytest.mark.parametrize(
    ("encoding", "words"),
    [
        ("cp1251", "Привет мир"),
        ("cp932", "日本語の商品名"),
        ("euc_jp", "日本語の商品名"),
        ("gb18030", "中文商品名称"),
        ("big5", "中文商品名稱"),
        ("cp949", "한국어 상품 이름"),
        ("cp1253", "Καλημέρα κόσμε"),
        ("cp1256", "مرحبا بالعالم"),
    ],
)
def test_words_of_other_scripts_are_read_and_their_encoding_said(
    tmp_path: Path, encoding: str, words: str
) -> None:
    file = tmp_path / "likes.csv"
    file.write_bytes(("user,item\n" + "".join(f"{row},{words} {row}\n" for row in range(60))).encode(encoding))
    said: list[str] = []
    items = open_table(file).read(log=said.append).table["item"].to_pylist()
    assert items == [f"{words} {row}" for row in range(60)]
    assert said == [f"likes.csv: reading text in {encoding}; save it as UTF-8 if words look wrong"]


def test_text_that_its_encoding_does_not_know_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "likes.csv"
    file.write_bytes(b"user,item\n" + b"1,K\xe4se\n" * 50 + b"2,\x81\n")
    with pytest.raises(TableError, match=r"is text neither in UTF-8 nor in cp1252\. Save it as UTF-8"):
        open_table(file).read()


@pytest.mark.parametrize("pack", [gzip.compress, zstd, bz2.compress, lzma.compress])
def test_a_compressed_table_is_read_whatever_its_name(tmp_path: Path, pack) -> None:
    file = tmp_path / "likes.csv"
    file.write_bytes(pack(as_csv(",").encode("latin-1")))
    assert read(file) == ROWS


def test_an_archive_of_one_file_is_read_and_one_of_two_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("likes.csv", as_csv(","))
    assert read(tmp_path / "a.zip") == ROWS
    with zipfile.ZipFile(tmp_path / "a.zip", "a") as archive:
        archive.writestr("films.csv", "a,b\n")
    with pytest.raises(TableError, match=r"archive of 2 files \(likes.csv, films.csv\)"):
        open_table(tmp_path / "a.zip")


def test_arrays_of_numpy_are_not_to_be_unpacked(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", users=np.arange(3), items=np.arange(3))
    with pytest.raises(TableError, match=r"holds 2 arrays of NumPy\. Save the table as Parquet or CSV"):
        open_table(tmp_path / "a.npz")


def test_objects_of_json_are_rows_and_nested_fields_columns(tmp_path: Path) -> None:
    file = tmp_path / "likes.json"
    lines = [{"user": {"id": 7}, "item": "a"}, {"user": {"id": "x"}, "item": "b", "stars": 5}]
    file.write_text("\n".join(map(json.dumps, lines)))
    expected = [{"user.id": "7", "item": "a", "stars": None}, {"user.id": "x", "item": "b", "stars": 5}]
    assert read(file) == expected
    file.write_text(json.dumps(lines, indent=1))
    assert read(file) == expected
    (tmp_path / "likes").write_text("\n".join(map(json.dumps, lines)))
    assert read(tmp_path / "likes") == expected


def test_a_quote_inside_a_cell_is_doubled_or_has_a_backslash_before_it(tmp_path: Path) -> None:
    file = tmp_path / "books.csv"
    plain = '"1";"a"\n' * 300
    file.write_text(f'"id";"title"\n{plain}"2";"Clara \\"Cal\\"; lan"\n')
    assert read(file)[-1] == {"id": "2", "title": 'Clara "Cal"; lan'}
    file.write_text(f'"id";"title"\n{plain}"2";"C:\\"\n"3";"say ""so"""\n')
    assert [row["title"] for row in read(file)[-2:]] == ["C:\\", 'say "so"']


def test_blanks_before_quotes_are_no_part_of_a_cell(tmp_path: Path) -> None:
    file = tmp_path / "a.csv"
    file.write_text('user, "item"\n"1", "a, b"\n"2", "c"\n"3", "d", "e"\n' + '"4", "f"\n' * 150)
    said: list[str] = []
    rows = open_table(file).read(log=said.append).table.to_pylist()
    assert rows[:3] == [{"user": "1", "item": "a, b"}, {"user": "2", "item": "c"}, {"user": "4", "item": "f"}]
    assert said == ["a.csv: 1 of 153 rows are malformed and left out; row 3 has 3 cells, not 2: 3,d,e"]


def test_cells_of_any_length_are_read(tmp_path: Path) -> None:
    file = tmp_path / "a.csv"
    file.write_text('user,text\na,"' + "x" * 500_000 + '"\nb,y\n')
    assert [len(str(row["text"])) for row in read(file)] == [500_000, 1]


def test_ids_of_any_size_and_kind_stay_in_json(tmp_path: Path) -> None:
    file = tmp_path / "a.jsonl"
    file.write_text('{"user": 18446744073709551621}\n{"user": 7}\n{"user": 8.0}\n{"user": "0012"}\n')
    assert [row["user"] for row in read(file)] == ["18446744073709551621", "7", "8", "0012"]
    (tmp_path / "a.json").write_text('[{"user": 18446744073709551621}, {"user": "é"}]')
    assert [row["user"] for row in read(tmp_path / "a.json")] == ["18446744073709551621", "é"]


def test_a_folder_of_parquet_files_is_one_table(tmp_path: Path) -> None:
    for part in range(2):
        pq.write_table(pa.table({"user": [part], "item": ["a"]}), tmp_path / f"part-{part}.parquet")
    assert read(tmp_path) == [{"user": 0, "item": "a"}, {"user": 1, "item": "a"}]


@pytest.mark.parametrize(
    ("text", "columns", "rows"),
    [
        ("196\t242\t3\t881250949\n186\t302\t3\t891717742\n", ["1", "2", "3", "4"], 2),
        ("1::1193::5::978300760\n1::661::3::978302109\n", ["1", "2", "3", "4"], 2),
        ("00001 19970101  1   11.77\n00002 19970112  1   12.00\n", ["1", "2", "3", "4"], 2),
        ("ann,5\nbob,4\n", ["1", "2"], 2),
        ("user_1\t2009-05-04T23:08:57Z\tx\nuser_1\t2009-05-04T13:54:10Z\ty\n", ["1", "2", "3"], 2),
        ("id,2019,2020\nann,4,5\n", ["id", "2019", "2020"], 1),
        (",0,1,2\n0,.5,.1,.3\n1,.2,.2,.9\n", ["column 1", "0", "1", "2"], 2),
        ("user_id\nann smith\nbob\n", ["user_id"], 2),
        ("sep=;\nuser;item\na;b\n", ["user", "item"], 1),
        ("\n\nuser;item\na;b\n", ["user", "item"], 1),
        ("id;price, net\n1;3,5\n2;4,5\n", ["id", "price, net"], 2),
        ("user,tags\n1,a|b\n2,c|d\n", ["user", "tags"], 2),
        ('user,"two\nlines"\n1,a\n', ["user", "two\nlines"], 1),
        ("# made by\n# a program\nuser,item\na,b\nc,d\n", ["user", "item"], 2),
        ("#user\titem\na\tb\n", ["#user", "item"], 1),
        ("#channel\n#general\n#random\n", ["#channel"], 2),
        ("user,item\ra,b\rc,d\r", ["user", "item"], 2),
        ('user, "item"\n"1", "a, b"\n"2", "c"\n', ["user", "item"], 2),
    ],
)  # fmt: skip
def test_whether_there_is_a_header_is_seen_from_the_rows(
    tmp_path: Path, text: str, columns: list[str], rows: int
) -> None:
    file = tmp_path / "ratings.dat"
    file.write_text(text)
    table = open_table(file)
    assert table.columns == columns
    assert table.has_header == (columns != [str(n + 1) for n in range(len(columns))])
    assert len(table.read().table) == rows


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.csv", b"", "the file is empty"),
        ("a.csv", b"\n \n", "the file has no lines"),
        ("a.csv.gz", gzip.compress(b"", mtime=0), "the file is empty"),
        ("a.csv", b"user,item\n", "header but no rows"),
        ("a.csv", b"user,item,user\na,b,c\n", "more than one column 'user'"),
        (
            "a.csv",
            b"user,item\n" + b"a,b\n" * 50 + b"a,b,c\n" * 3,
            r"3 of 53 rows are malformed; row 51 has 3 cells",
        ),
        ("a.csv", b"user,item\na,b\nc", "the file ends inside row"),
        ("a.csv.gz", gzip.compress(as_csv(",").encode() * 99, mtime=0)[:60], "cut short or damaged"),
        ("a.csv", b"<!DOCTYPE html><html>", "is a web page or XML"),
        ("a.csv", np.random.default_rng(0).bytes(3000), "is not a table"),
        ("a.parquet", b"user,item\na,b\n", "no Parquet file"),
        ("a.parquet", b"PAR1" + b"\0" * 90, "cut short or damaged"),
        ("a.xlsx", b"PK\x03\x04" + b"\0" * 26 + b"[Content_Types].xml" + b"x" * 99, "Save the sheet as CSV"),
        ("a.xls", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 99, "Save the sheet as CSV"),
        ("a.npy", b"\x93NUMPY\x01\x00" + b"\0" * 99, "is an array of NumPy"),
        ("a.pkl", pickle.dumps({"user": [1]}), "is a pickle of Python"),
        ("a.orc", b"ORC" + b"\0" * 99, "is an ORC file"),
        ("a.jsonl", b'{"user": 1}\n{"us', "the file ends inside row 1"),
        ("a.jsonl", b'{"user": 1}\noops\n', "1 of 2 rows are malformed; row 2 is not JSON"),
        ("a.json", b"{}\n", "no objects with fields"),
        (
            "a.json",
            b'{"user": {"0": 1}, "item": {"0": 5}}',
            "one object of columns. Expected one object for each row",
        ),
        ("a.csv", b"x" * 200_000 + b",y\na,b\n", "a cell of the first row has more than 131,072 characters"),
    ],
)
def test_a_file_that_is_no_table_is_refused_in_one_line(
    tmp_path: Path, name: str, content: bytes, message: str
) -> None:
    file = tmp_path / name
    file.write_bytes(content)
    with pytest.raises(TableError, match=message) as refused:
        open_table(file).read()
    assert str(file) in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_few_malformed_rows_are_left_out_and_said(tmp_path: Path) -> None:
    file = tmp_path / "a.csv"
    file.write_text("user,item\n" + "a,b\n" * 150 + "a,b,[/c]\n" + "c,d\n" * 50)
    said: list[str] = []
    chunk = open_table(file).read(log=said.append)
    assert len(chunk.table) == 200
    assert chunk.numbers[[0, 149, 150]].tolist() == [0, 149, 151]
    assert said == ["a.csv: 1 of 201 rows are malformed and left out; row 151 has 3 cells, not 2: a,b,[/c]"]


def test_a_header_between_rows_is_no_row(tmp_path: Path) -> None:
    file = tmp_path / "a.csv"
    file.write_text("user,item\na,b\nuser,item\nuser,b\nuser,item\n")
    said: list[str] = []
    chunk = open_table(file).read(log=said.append)
    assert chunk.table.to_pylist() == [{"user": "a", "item": "b"}, {"user": "user", "item": "b"}]
    assert chunk.numbers.tolist() == [0, 2]
    assert said == ["a.csv: 2 of 4 rows repeat the header and are left out; the first is row 2"]
    file.write_text("user,item\nuser,item\n")
    with pytest.raises(TableError, match="there are no rows but headers"):
        open_table(file).read()


def test_a_missing_file_and_a_folder_without_tables_are_named(tmp_path: Path) -> None:
    for path, message in ((tmp_path / "none.csv", "no such file"), (tmp_path, "is a folder")):
        with pytest.raises(TableError, match=message):
            open_table(path)


def test_where_a_table_is_written_is_checked_beforehand(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "folder.csv").mkdir()
    for path, message in (
        (tmp_path / "a.txt", r"ends in .parquet or .csv"),
        (tmp_path / "folder.csv", "is a folder"),
        (tmp_path / "file" / "a.csv", "is a file"),
    ):
        with pytest.raises(TableError, match=message):
            check_output_file(path)
    if Path("/proc/self").exists():  # a folder that says it is writable and takes no file
        with pytest.raises(TableError, match="because /proc is not writable"):
            check_output_file(Path("/proc/new.csv"))
    write_table(pa.table({"a": [1]}), tmp_path / "new" / "a.csv")
    assert read(tmp_path / "new" / "a.csv") == [{"a": "1"}]

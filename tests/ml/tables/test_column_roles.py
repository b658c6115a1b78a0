"""Names of columns as public tables have them, and what is said where they leave something open."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from ml.tables.chunks import TableError
from ml.tables.column_roles import ColumnChoice, find_column, has_column, open_with_roles, require_column
from ml.tables.usual_names import ID_ROLES, VALUE_ROLES

ROLES = (*ID_ROLES, *VALUE_ROLES)


def file_of(tmp_path: Path, header: str, row: str | None = None) -> Path:
    file = tmp_path / "a.csv"
    file.write_text(f"{header}\n{row or ','.join('x' for _ in header.split(','))}\n")
    return file


@pytest.mark.parametrize(
    ("header", "roles"),
    [
        ("user_id,item_id,timestamp,rating,weight", ["user_id", "item_id", "timestamp", "rating", "weight"]),
        ("userId,movieId,rating,timestamp", ["userId", "movieId", "timestamp", "rating", None]),
        ("User-ID,ISBN,Book-Rating", ["User-ID", "ISBN", None, "Book-Rating", None]),
        ("userID,artistID,weight", ["userID", "artistID", None, None, "weight"]),
        (
            "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country",
            ["CustomerID", "StockCode", "InvoiceDate", None, "Quantity"],
        ),
        ("timestamp,visitorid,event,itemid,datetime", ["visitorid", "itemid", "timestamp", None, None]),
        (
            "reviewerID,asin,overall,unixReviewTime,reviewTime",
            ["reviewerID", "asin", "unixReviewTime", "overall", None],
        ),
        (
            "user_id,click_article_id,click_timestamp",
            ["user_id", "click_article_id", "click_timestamp", None, None],
        ),
        ("t_dat,customer_id,article_id,price", ["customer_id", "article_id", "t_dat", None, None]),
        ("uid,sku,plays", ["uid", "sku", None, None, "plays"]),
        ("customer_id,product_id,qty,order date", ["customer_id", "product_id", "order date", None, "qty"]),
        ("user_id,customer_id,item_id", ["user_id", "item_id", None, None, None]),
        (
            "Kundennummer,Artikelnummer,Bestelldatum,Menge,Umsatz",
            ["Kundennummer", "Artikelnummer", "Bestelldatum", None, "Menge"],
        ),
        ("id_cliente,id_producto,fecha,cantidad", ["id_cliente", "id_producto", "fecha", None, "cantidad"]),
        (
            "Cliente,Codice articolo,Data ordine,Quantità",
            ["Cliente", "Codice articolo", "Data ordine", None, "Quantità"],
        ),
        ("usuário,produto,avaliação", ["usuário", "produto", None, "avaliação", None]),
        ("klantnummer,artikelnummer,aantal", ["klantnummer", "artikelnummer", None, None, "aantal"]),
        ("User (ID),Movie ID,Rating (1-5)", ["User (ID)", "Movie ID", None, "Rating (1-5)", None]),
        ("user_id,joke_id,rating", ["user_id", "joke_id", None, "rating", None]),
        ("review_id,customer_id,merchantId,category_id", ["customer_id", "merchantId", None, None, None]),
        ("student_id,course_id,clicked", ["student_id", "course_id", None, None, "clicked"]),
        ("user,video,liked", ["user", "video", None, "liked", None]),
        ("listener,episode.id,played_at,seconds", ["listener", "episode.id", "played_at", None, "seconds"]),
        ("member_id,isbn,borrowed_on,returned_on", ["member_id", "isbn", "borrowed_on", None, None]),
        ("Kunde,Artikel,Ausleihdatum,Rückgabedatum", ["Kunde", "Artikel", "Ausleihdatum", None, None]),
        ("userId,songId,listenedAt,releaseDate", ["userId", "songId", "listenedAt", None, None]),
        ("user_id,item_id,birthdate,format,update", ["user_id", "item_id", None, None, None]),
        ("user_id,item_id,viewed_at,ordered_at", ["user_id", "item_id", None, None, None]),
    ],
)
def test_usual_names_are_recognized(tmp_path: Path, header: str, roles: list[str | None]) -> None:
    table = open_with_roles(file_of(tmp_path, header))
    assert [find_column(table, role) for role in ROLES] == roles


def test_two_names_that_fit_alike_are_listed_with_the_option(tmp_path: Path) -> None:
    table = open_with_roles(file_of(tmp_path, "uid,Customer ID,item_id"))
    with pytest.raises(TableError, match=r"might be the user: uid, Customer ID. Choose one, such as --user uid"):
        find_column(table, "user")
    assert find_column(table, "user", ColumnChoice(user="Customer ID")) == "Customer ID"


def test_a_name_is_the_same_with_and_without_accents_and_in_letters_of_its_own(tmp_path: Path) -> None:
    table = open_with_roles(file_of(tmp_path, "item_id,名前,Catégorie"))
    assert has_column(table, "categorie")
    assert has_column(table, "名前")
    assert not has_column(table, "商品")  # nor does any name in other letters count as the same


def test_a_column_that_is_missing_or_misspelt_is_said_with_those_that_are_there(tmp_path: Path) -> None:
    table = open_with_roles(file_of(tmp_path, "purchaser,[/b],plays"))
    with pytest.raises(TableError, match=r"like the user. Its columns are purchaser, \[/b\], plays. Add --user"):
        require_column(table, "user")
    with pytest.raises(TableError, match=r"no column 'purchasre' for --user; .*did you mean 'purchaser'"):
        find_column(table, "user", ColumnChoice(user="purchasre"))
    assert find_column(table, "weight", ColumnChoice(weight="none")) is None
    assert find_column(table, "user", ColumnChoice(user="Purchaser")) == "purchaser"


def test_a_file_without_a_header_says_which_numbers_to_name(tmp_path: Path) -> None:
    file = tmp_path / "u.data"
    file.write_text("196\t242\t3\t881250949\n186\t302\t5\t891717742\n")
    message = r"its first row is 196, 242, 3, 881250949.*add --user 1 --item 2 --rating 3 --time 4"
    with pytest.raises(TableError, match=message):
        require_column(open_with_roles(file), "user")
    chosen = ColumnChoice(user="1", item="2", rating="3", time="4")
    assert [find_column(open_with_roles(file, chosen), role, chosen) for role in ROLES] == [
        "1",
        "2",
        "4",
        "3",
        None,
    ]


def test_numbers_say_that_a_file_of_words_has_no_header_unless_it_has_usual_names(tmp_path: Path) -> None:
    chosen = ColumnChoice(user="1", item="2")
    words = open_with_roles(file_of(tmp_path, "ann,lamp", "bob,desk"), chosen)
    assert (words.has_header, len(words.read().table)) == (False, 2)
    named = open_with_roles(file_of(tmp_path, "user,thing", "bob,desk"), chosen)
    assert (named.has_header, len(named.read().table)) == (True, 1)
    assert find_column(named, "item", chosen) == "thing"


@pytest.mark.parametrize(
    ("header", "role", "remedy"),
    [
        (
            "order_id,product_id,reordered",
            "user",
            "or join this file first with the one that says whose order_id it is",
        ),
        (
            "order_id,user_id,order_dow",
            "item",
            "or join this file .* the one that says what belongs to each order_id",
        ),
    ],
)
def test_orders_and_their_lines_in_two_files_are_to_be_joined(
    tmp_path: Path, header: str, role: str, remedy: str
) -> None:
    with pytest.raises(TableError, match=remedy):
        require_column(open_with_roles(file_of(tmp_path, header, "1,2,3")), role)


def test_items_that_are_named_on_a_line_above_their_ratings_are_to_be_written_beside_each(tmp_path: Path) -> None:
    file = tmp_path / "combined.txt"
    file.write_text("1:\n1488844,3,2005-09-06\n822109,5,2005-05-13\n2:\n885013,4,2005-10-19\n")
    with pytest.raises(TableError) as refused:
        require_column(open_with_roles(file), "user")
    command = str(refused.value).split("write it beside each: ")[1]
    subprocess.run(command.replace("> ratings.csv", f"> {tmp_path / 'ratings.csv'}"), shell=True, check=True)
    assert (tmp_path / "ratings.csv").read_text().splitlines() == [
        "1,1488844,3,2005-09-06",
        "1,822109,5,2005-05-13",
        "2,885013,4,2005-10-19",
    ]


@pytest.mark.parametrize(
    ("rows", "flags"),
    [
        # Clicks of visits: the last column is the same in all rows.
        (["7,2014-04-07T10:51:09Z,214536502,0", "7,2014-04-07T10:54:09Z,214536500,0",
          "9,2014-04-07T10:57:00Z,214536506,0"], "--user 1 --item 3 --time 2"),
        # The first column numbers the rows.
        (["1\tU7\tN3\t2019-11-11 09:05:58", "2\tU7\tN5\t2019-11-12 09:05:58", "3\tU8\tN3\t2019-11-13 06:11:00"],
         "--user 2 --item 3 --time 4"),
        # Clicks of visits with a category at the end, which may be a letter.
        (["7,2014-04-07T10:51:09.277Z,214536502,0", "7,2014-04-07T10:54:09.868Z,214536500,S",
          "9,2014-04-07T10:57:00.306Z,214536506,3"], "--user 1 --item 3 --time 2"),
        # What people did: item and category are codes, the fourth column is what was done.
        (["1,2268318,2520377,pv,1511544070", "1,2333346,2520771,buy,1511561733", "4,2576651,149192,pv,1511572885"],
         "--user 1 --item 2 --time 5"),
        # Plays of artists, most of them few.
        (["00000c\t3bd73256\tbetty blowtorch\t2137", "00000d\tf2fb0ff0\tdie Ärzte\t1099", "0f\tb3ae82c2\tx\t7"],
         "--user 1 --item 2 --weight 4"),
    ],
)  # fmt: skip
def test_a_column_that_says_nothing_is_not_taken_for_a_role(tmp_path: Path, rows: list[str], flags: str) -> None:
    file = tmp_path / "clicks.dat"
    file.write_text("\n".join(rows) + "\n")
    with pytest.raises(TableError, match=f"add {flags}$"):
        require_column(open_with_roles(file), "user")


def test_a_matrix_of_users_and_items_is_not_taken_for_a_table_of_interactions(tmp_path: Path) -> None:
    file = tmp_path / "jester.csv"
    file.write_text("\n".join(",".join(f"{row - column / 3:.2f}" for column in range(20)) for row in range(5)))
    with pytest.raises(
        TableError, match=r"20 columns of numbers, .*Make a row of each cell: user_id, item_id, rating"
    ):
        require_column(open_with_roles(file), "user")

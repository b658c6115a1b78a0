"""Tables in the shape of ten public data sets, under their natural names: what the first command says of each.

The rows are made here; only the names, the separators, the encodings and the habits are those of the originals.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import yaml
from typer.testing import CliRunner, Result

from ml.recommenders.models.zoo import load_recommender
from orchestration.cli import app

USERS, ITEMS = 40, 30
Rows = list[tuple[int, int]]


@pytest.fixture(autouse=True)
def quick_site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Settings with fewer repetitions of the search for segments."""
    choice = {"algorithms": ["kmeans"], "segments_max": 5, "null_references": 4, "resamples": 2}
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "settings.yaml").write_text(yaml.safe_dump({"segmentation": {"choice": choice}}))
    monkeypatch.setenv("TESSERA_SITE", str(tmp_path / "site"))
    monkeypatch.setenv("TESSERA_HOME", str(tmp_path / "home"))
    for name in ("DAGSTER_HOME", "BENTOML_HOME", "TESSERA_SETTINGS"):
        monkeypatch.setenv(name, "")


def tessera(*arguments: object) -> Result:
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert "Traceback" not in result.output
    return result


def pairs() -> Rows:
    """Even users take even items, odd ones odd items: twelve each."""
    random = np.random.default_rng(1)
    return [
        (u, int(i)) for u in range(USERS) for i in random.choice(np.arange(u % 2, ITEMS, 2), 12, replace=False)
    ]


def movielens(rows: Rows) -> bytes:
    lines = [f"{u + 1},{i + 1},{1 + (u + i) % 9 / 2},{964982703 + 60 * n}" for n, (u, i) in enumerate(rows)]
    return "\n".join(["userId,movieId,rating,timestamp", *lines]).encode() + b"\n"


def movielens_100k(rows: Rows) -> bytes:
    return "".join(f"{u + 1}\t{i + 1}\t{1 + i % 5}\t{881250949 + n}\n" for n, (u, i) in enumerate(rows)).encode()


def movielens_1m(rows: Rows) -> bytes:
    return "".join(f"{u + 1}::{i + 1}::{1 + i % 5}::{978300760 + n}\n" for n, (u, i) in enumerate(rows)).encode()


def book_crossing(rows: Rows) -> bytes:
    lines = [f'"{276725 + u}";"03454{i:05d}X";"{i % 11}"' for u, i in rows]
    return (
        "\r\n".join(['"User-ID";"ISBN";"Book-Rating"', *lines, '"9";"Bücher\xdf";"0"']).encode("latin-1") + b"\r\n"
    )


def last_fm(rows: Rows) -> bytes:
    lines = [f"{u + 2}\t{i + 51}\t{13883 - u * i}" for u, i in rows]
    return "\r\n".join(["userID\tartistID\tweight", *lines]).encode() + b"\r\n"


def online_retail(rows: Rows) -> bytes:
    header = "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country"
    lines = [
        f'{536365 + n},{85123 + i}A,"LANTERN, WHITE",{-1 if n % 50 == 7 else 1 + i % 6},12/{1 + n % 28}/2010 8:26,'
        f"2.55,{'' if n % 40 == 3 else f'{17850 + u}.0'},United Kingdom"
        for n, (u, i) in enumerate(rows)
    ]
    return "\n".join([header, *lines]).encode() + b"\n"


def retail_rocket(rows: Rows) -> bytes:
    lines = [f"{1433221332117 + 1000 * n},{257597 + u},view,{355908 + i}," for n, (u, i) in enumerate(rows)]
    return "\n".join(["timestamp,visitorid,event,itemid,transactionid", *lines]).encode() + b"\n"


def amazon(rows: Rows) -> bytes:
    return "".join(
        json.dumps({
            "reviewerID": f"A{u:05d}QZ", "asin": f"00001{i:05d}", "reviewerName": "J", "helpful": [0, 0],
            "overall": 1.0 + i % 5, "unixReviewTime": 1252800000 + 86400 * n, "reviewTime": "09 13, 2009",
        }) + "\n"
        for n, (u, i) in enumerate(rows)
    ).encode()  # fmt: skip


def test_the_first_command_on_a_public_table_fits_a_model(tmp_path: Path) -> None:
    rows = pairs()
    n_lost = sum(n % 40 == 3 for n in range(len(rows)))
    for name, write, said, n_pairs, ids in (
        ("ratings.csv", movielens, "reading userId as user, movieId as item, timestamp as time, rating",
         len(rows), ("1", "2")),
        ("BX-Book-Ratings.csv", book_crossing, "reading User-ID as user, ISBN as item, Book-Rating as rating",
         len(rows) + 1, ("276725", "0345400001X")),
        ("user_artists.dat", last_fm, "reading userID as user, artistID as item, weight", len(rows), ("2", "52")),
        ("OnlineRetail.csv", online_retail,
         "reading CustomerID as user, StockCode as item, InvoiceDate as time, Quantity as weight",
         len(rows) - n_lost, ("17850", "85124A")),
        ("events.csv", retail_rocket, "reading visitorid as user, itemid as item, timestamp as time; not used",
         len(rows), ("257597", "355909")),
        ("Reviews_5.json", amazon, "reading reviewerID as user, asin as item, unixReviewTime as time, overall as",
         len(rows), ("A00000QZ", "0000100001")),
    ):  # fmt: skip
        file, model = tmp_path / name, tmp_path / f"model of {name}"
        file.write_bytes(write(rows))
        fitted = tessera("fit", "--interactions", file, "--model", "item_neighbours", "--out", model)
        assert fitted.exit_code == 0, fitted.output
        assert f"{name}: {said}" in fitted.output
        assert f"from {n_pairs:,} interactions" in fitted.output
        recommender = load_recommender(model)
        assert ids[0] in recommender.user_ids_.to_list()
        assert ids[1] in recommender.item_ids_.to_list()


def test_films_with_their_natural_columns_are_features(tmp_path: Path) -> None:
    (tmp_path / "ratings.csv").write_bytes(movielens(pairs()))
    genres = ("Drama", "Comedy|Drama", "(no genres listed)")
    rows = [f'{i + 1},"Film, The {i} (19{50 + i})",{genres[i % 3]}' for i in range(ITEMS)]
    (tmp_path / "movies.csv").write_text("\n".join(["movieId,title,genres", *rows]))
    fitted = tessera(
        "fit", "--interactions", tmp_path / "ratings.csv", "--items", tmp_path / "movies.csv",
        "--model", "content_affinity", "--out", tmp_path / "model",
    )  # fmt: skip
    assert fitted.exit_code == 0, fitted.output
    assert "movies.csv: reading movieId as item; features from genres (3 elements); not used" in fitted.output


def test_lines_without_a_customer_are_said_and_dates_are_read(tmp_path: Path) -> None:
    file = tmp_path / "OnlineRetail.csv"
    file.write_bytes(online_retail(pairs()))
    fitted = tessera(
        "fit",
        "--interactions",
        tmp_path / "OnlineRetail.csv",
        "--model",
        "popularity",
        "--out",
        tmp_path / "model",
    )
    assert "12 of 480 rows have no CustomerID and are left out; the first is row 4" in fitted.output
    assert "InvoiceDate with dates as month/day" in fitted.output


@pytest.mark.parametrize(("name", "write"), [("u.data", movielens_100k), ("ratings.dat", movielens_1m)])
def test_the_line_about_a_missing_header_says_what_to_add(
    tmp_path: Path, name: str, write: Callable[[Rows], bytes]
) -> None:
    rows = pairs()
    (tmp_path / name).write_bytes(write(rows))
    command = ("fit", "--interactions", tmp_path / name, "--model", "popularity", "--out", tmp_path / "model")
    refused = tessera(*command)
    assert refused.exit_code == 1
    advice = re.search(r"the file has no header.* add (--user 1 --item 2 --rating 3 --time 4)", refused.output)
    assert advice is not None, refused.output
    assert not (tmp_path / "model").exists()
    followed = tessera(*command, *advice[1].split())
    assert followed.exit_code == 0, followed.output
    assert f"from {len(rows):,} interactions" in followed.output


def mall(random: np.random.Generator, kind: np.ndarray) -> str:
    lines = [
        f"{n + 1:04d},{'Male' if random.random() < 0.44 else 'Female'},{random.integers(18, 70)},"
        f"{25 + 60 * (k // 2) + random.integers(-8, 8)},{20 + 60 * (k % 2) + random.integers(-8, 8)}"
        for n, k in enumerate(kind)
    ]
    return "\n".join(["CustomerID,Gender,Age,Annual Income (k$),Spending Score (1-100)", *lines])


def wholesale(random: np.random.Generator, kind: np.ndarray) -> str:
    lines = [
        f"{1 + k % 2},{random.integers(1, 4)},{int(random.lognormal(7 + k % 2 * 2, 0.3))},"
        f"{int(random.lognormal(7 + k // 2 * 2, 0.3))},{int(random.lognormal(8, 0.5))}"
        for k in kind
    ]
    return "\n".join(["Channel,Region,Fresh,Milk,Grocery", *lines])


def credit_cards(random: np.random.Generator, kind: np.ndarray) -> str:
    lines = [
        f"C1{n:04d},{random.lognormal(4 + k % 2 * 3, 0.4):.6f},{k // 2 * 0.8 + random.random() * 0.1:.6f},"
        f"{'' if n % 30 == 4 else f'{random.lognormal(6, 0.5):.6f}'},12"
        for n, k in enumerate(kind)
    ]
    return "\n".join(["CUST_ID,BALANCE,PURCHASES_FREQUENCY,MINIMUM_PAYMENTS,TENURE", *lines])


def marketing(random: np.random.Generator, kind: np.ndarray) -> str:
    lines = [
        f"{5524 + 7 * n}\t{random.integers(1950, 1995)}\t{('Graduation', 'PhD', 'Master')[n % 3]}\t"
        f"{'' if n % 60 == 10 else 20000 + 50000 * (k % 2) + random.integers(-5000, 5000)}\t"
        f"{1 + n % 28:02d}-09-2012\t{30 + 600 * (k // 2) + random.integers(0, 60)}\t3\t11"
        for n, k in enumerate(kind)
    ]
    header = "ID\tYear_Birth\tEducation\tIncome\tDt_Customer\tMntWines\tZ_CostContact\tZ_Revenue"
    return "\n".join([header, *lines])


@pytest.mark.parametrize(
    ("name", "write", "said"),
    [
        (
            "Mall_Customers.csv", mall,
            ["reading CustomerID as user", "features: Age, Annual Income (k$), Spending Score (1-100)",
             "describing the segments, but not forming them: Gender", "--categorical Gender"],
        ),
        (
            "Wholesale customers data.csv", wholesale,
            ["no ids; the rows are numbered", "features: Channel, Region, Fresh, Milk, Grocery",
             "may be categories, which form segments with --categorical Region"],
        ),
        (
            "CC GENERAL.csv", credit_cards,
            ["reading CUST_ID as user", "features: BALANCE, PURCHASES_FREQUENCY, MINIMUM_PAYMENTS, TENURE"],
        ),
        (
            "marketing_campaign.csv", marketing,
            ["reading ID as user", "features: Year_Birth, Income, MntWines, Z_CostContact, Z_Revenue",
             "forming them: Education", "nearly all different: Dt_Customer"],
        ),
    ],
)  # fmt: skip
def test_the_first_command_on_a_public_table_of_customers_segments_it(
    tmp_path: Path, name: str, write: Callable[[np.random.Generator, np.ndarray], str], said: list[str]
) -> None:
    random = np.random.default_rng(3)
    kind = np.repeat(np.arange(4), 75)
    (tmp_path / name).write_text(write(random, kind) + "\n")
    done = tessera("segment", "--features", tmp_path / name, "--out", tmp_path / "out")
    assert done.exit_code == 0, done.output
    for words in said:
        assert words in done.output
    assert pq.read_metadata(tmp_path / "out" / "user_segments.parquet").num_rows == len(kind)

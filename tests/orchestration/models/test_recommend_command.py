"""`tessera recommend`: what it cannot use, how long its lists are, and what it leaves out."""

import sys
from pathlib import Path

import pyarrow.csv as pa_csv
import pytest

from orchestration.commands import models
from tests.orchestration.models.calls import refusal, tessera


def test_what_recommend_cannot_use_is_said_in_one_line(tables: Path, tmp_path: Path, fitted: Path) -> None:
    (tmp_path / "ages.csv").write_text("who,age\na,5\nb,6\n")
    people = tables / "people.csv"
    for model, users, out, message in (
        (tmp_path / "none", people, "o.csv", "none holds no model"),
        (fitted, tmp_path / "ages.csv", "o.csv", "no column is called like the user. Its columns are who, age"),
        (fitted, tmp_path / "no.csv", "o.csv", "there is no such file"),
        (fitted, people, "o.txt", "ends in .parquet or .csv"),
    ):
        assert message in refusal("recommend", "--model", model, "--users", users, "--out", tmp_path / out)
        assert not (tmp_path / out).exists()


def test_lists_longer_than_the_catalogue_are_said_and_too_many_rows_refused(
    tables: Path, tmp_path: Path, fitted: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    call = ("recommend", "--model", fitted, "--users", tables / "people.csv", "--out", tmp_path / "o.csv")
    done = tessera(*call, "--k", 1_000_000_000)
    assert done.exit_code == 0, done.output
    assert "there are only 30 items" in done.output
    assert "1 of 3 users are new to the model" in done.output
    assert "2 of 3 users get fewer than 30 items" in done.output
    assert len(pa_csv.read_csv(tmp_path / "o.csv")) == 2 * (30 - 7) + 30
    monkeypatch.setattr(models, "MOST_ROWS", 80)
    assert "--k 50 for 3 users would be 90 rows" in refusal(*call, "--k", 50)


def test_people_who_have_had_every_item_are_counted(tmp_path: Path) -> None:
    rows = [f"everything,{item}" for item in range(6)] + ["some,0", "some,1", "other,1", "other,2"]
    (tmp_path / "interactions.csv").write_text("\n".join(["user_id,item_id", *rows]) + "\n")
    (tmp_path / "people.csv").write_text("user_id\neverything\nsome\nnewcomer\n")
    model, out = tmp_path / "model", tmp_path / "o.csv"
    fitted = tessera(
        "fit", "--interactions", tmp_path / "interactions.csv", "--model", "popularity", "--out", model
    )
    assert fitted.exit_code == 0, fitted.output
    done = tessera("recommend", "--model", model, "--users", tmp_path / "people.csv", "--k", 6, "--out", out)
    assert done.exit_code == 0, done.output
    words = " ".join(done.output.split())
    assert "1 of 3 users get no recommendation: they have had every item that may be recommended" in words
    assert "1 of 3 users get fewer than 6 items: no more are left for them" in words
    written = pa_csv.read_csv(out)["user_id"].to_pylist()
    (tmp_path / "candidates.csv").write_text("item_id\n3\nunknown\n")
    some = tessera(
        "recommend", "--model", model, "--users", tmp_path / "people.csv", "--candidates",
        tmp_path / "candidates.csv", "--k", 2, "--out", tmp_path / "some.csv",
    )  # fmt: skip
    assert "1 of 2 candidates are new to the model and come last" in some.output
    assert written == ["some"] * 4 + ["newcomer"] * 6


def test_what_is_excluded_is_neither_learned_nor_recommended(tables: Path, tmp_path: Path) -> None:
    (tmp_path / "items.csv").write_text("item_id\n3\n4\n")
    (tmp_path / "pairs.csv").write_text("user_id,item_id\n0,6\n0,8\n")
    for command in ("fit", "recommend"):
        for exclude in ("items", "pairs"):
            option = ("--exclude", tmp_path / f"{exclude}.csv")
            model, out = tmp_path / f"{command}-{exclude}", tmp_path / f"{command}-{exclude}.csv"
            made = tessera(
                "fit", "--interactions", tables / "interactions.csv", "--items", tables / "items.parquet",
                "--model", "ease", "--out", model, *(option if command == "fit" else ()),
            )  # fmt: skip
            assert made.exit_code == 0, made.output
            done = tessera(
                "recommend", "--model", model, "--users", tables / "people.csv", "--k", 30, "--out", out,
                *(option if command == "recommend" else ()),
            )  # fmt: skip
            assert done.exit_code == 0, done.output
            if command == "recommend":
                what = "among the" if exclude == "items" else "pairs of these users and"
                said = " ".join(done.output.split())
                assert f"{exclude}.csv: 2 of 2 rows are {what} items that are ranked" in said
            rows = {(row["user_id"], row["item_id"]) for row in pa_csv.read_csv(out).to_pylist()}
            items = {item for _, item in rows}
            if exclude == "items":
                assert items == set(range(30)) - {3, 4}
            else:
                assert not rows & {(0, 6), (0, 8)}
                assert {6, 8} <= items


def test_spark_that_is_not_installed_is_named_with_its_extra(
    tables: Path, tmp_path: Path, fitted: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in [name for name in sys.modules if name.partition(".")[0] == "pyspark"]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.setitem(sys.modules, "pyspark", None)
    call = ("recommend", "--model", fitted, "--users", tables / "people.csv", "--engine", "spark")
    refused = refusal(*call, "--out", tmp_path / "o.csv")
    assert "engine: spark needs Spark: pip install 'tessera[spark]'" in refused
    assert not (tmp_path / "o.csv").exists()

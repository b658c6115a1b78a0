"""`tessera fit` as somebody uses it who brings only a table."""

import html
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv as pa_csv
import pytest

from ml.recommenders.models.zoo import load_recommender
from ml.recommenders.selection import auto
from tests.orchestration.models.calls import own_parity, rated_by_taste, refusal, tessera


def test_a_hybrid_is_fitted_with_its_ablation_and_recommends(tables: Path, tmp_path: Path) -> None:
    fitted = tessera(
        "fit", "--interactions", tables / "interactions.csv", "--items", tables / "items.parquet",
        "--model", "lightfm_warp", "--out", tmp_path / "model",
    )  # fmt: skip
    assert fitted.exit_code == 0, fitted.output
    lines = {line.split(" brings")[0]: line for line in fitted.output.splitlines() if " brings" in line}
    assert "ablation: item taste" in lines
    # Every item is of one kind, so that its name tells nothing.
    assert "no difference that can be told from chance" in lines["ablation: item kind"]
    out = tmp_path / "out.csv"
    done = tessera(
        "recommend", "--model", tmp_path / "model", "--users", tables / "people.csv", "--k", 3, "--out", out
    )
    assert done.exit_code == 0, done.output
    rows = pa_csv.read_csv(out).to_pylist()
    assert [row["rank"] for row in rows] == [1, 2, 3] * 3
    assert all(row["item_id"] % 2 == row["user_id"] % 2 for row in rows if row["user_id"] != 99)


def test_what_people_rate_low_is_not_what_they_are_recommended(tmp_path: Path) -> None:
    rated_by_taste(tmp_path / "ratings.csv")
    pa_csv.write_csv(pa.table({"user_id": list(range(60))}), tmp_path / "people.csv")
    shares = {}
    for limit in ((), ("--liked-from", 4), ("--liked-from", "none")):
        fitted = tessera(
            "fit",
            "--interactions",
            tmp_path / "ratings.csv",
            "--model",
            "ease",
            "--out",
            tmp_path / "model",
            *limit,
        )
        assert fitted.exit_code == 0, fitted.output
        assert ("lower ones are rejections" in fitted.output) == (limit != ("--liked-from", "none"))
        out = tmp_path / "out.csv"
        tessera(
            "recommend", "--model", tmp_path / "model", "--users", tmp_path / "people.csv", "--k", 2, "--out", out
        )
        shares[limit] = own_parity(out)
    assert shares[()] == shares["--liked-from", 4] == 1
    assert shares["--liked-from", "none"] < 0.7


@pytest.mark.parametrize(
    ("limit", "message"),
    [("many", "--liked-from many: expected a rating such as 3, or none"), ("6", "no rating is 6 or more")],
)
def test_a_limit_of_ratings_that_cannot_be_used_is_refused(limit: str, message: str, tmp_path: Path) -> None:
    rated_by_taste(tmp_path / "ratings.csv")
    refused = tessera(
        "fit", "--interactions", tmp_path / "ratings.csv", "--liked-from", limit, "--out", tmp_path / "model"
    )
    assert refused.exit_code == 1
    assert message in " ".join(refused.output.split())


def test_a_model_of_an_extra_names_the_extra_in_one_line(
    tables: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)  # an import of it fails, as where it is not installed
    refused = tessera(
        "fit", "--interactions", tables / "interactions.csv", "--model", "two_tower", "--out", tmp_path / "model"
    )
    assert refused.exit_code == 1
    assert "two_tower needs PyTorch: pip install 'tessera[torch]'" in " ".join(refused.output.split())


def test_a_training_of_a_network_says_how_far_it_is_and_goes_on_after_a_stop(
    tables: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("torch", reason="the extra torch is not installed")
    from ml.recommenders.models.sequences import training

    leave, left = training.NetworkTraining._leave, []

    def stop(*args: Any) -> None:
        leave(*args)
        left.append(args)
        if len(left) == 2:
            raise KeyboardInterrupt

    monkeypatch.setattr(training.NetworkTraining, "_leave", stop)
    call = (
        "fit",
        "--interactions",
        tables / "interactions.csv",
        "--model",
        "gru4rec",
        "--out",
        tmp_path / "model",
    )
    assert tessera(*call).exit_code != 0
    assert len(list((tmp_path / "model.training").iterdir())) == 1
    again = tessera(*call)
    assert again.exit_code == 0, again.output
    assert "the training goes on after pass 2" in again.output
    assert "pass 3 of" in again.output
    assert not (tmp_path / "model.training").exists()
    assert type(load_recommender(tmp_path / "model")).__name__ == "Gru4Rec"


def test_where_a_model_goes_is_checked_before_anything_is_read(tables: Path, tmp_path: Path, fitted: Path) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "mine.txt").write_text("")
    for command in (("fit", "--model", "ease"), ("tune", "--model", "ease", "--work", 0)):
        for out, message in (
            (tmp_path / "file", "is a file"),
            (tmp_path / "notes", "is a folder with other files"),
            (tmp_path / "file" / "model", "because"),
        ):
            # The file of interactions is not there either: it would be missed next.
            line = refusal(*command, "--interactions", tmp_path / "none.csv", "--out", out)
            assert f"{out}: " in line
            assert message in line
    again = tessera("fit", "--interactions", tables / "interactions.csv", "--model", "svd", "--out", fitted)
    assert again.exit_code == 0, again.output
    assert type(load_recommender(fitted)).__name__ == "TruncatedSVD"


def test_a_model_of_an_unknown_name_is_refused_before_anything_is_read(tmp_path: Path) -> None:
    for command in ("fit", "tune"):
        line = refusal(
            command, "--interactions", tmp_path / "none.csv", "--model", "eese", "--out", tmp_path / "model"
        )
        assert "model 'eese'; there are" in line


def test_items_that_share_no_id_with_the_interactions_are_refused(tables: Path, tmp_path: Path) -> None:
    rows = [f"{n},tt{n},{'ab'[n % 2]}|c" for n in range(30)]
    (tmp_path / "films.csv").write_text("\n".join(["imdb,item_id,genres", *rows]))
    call = ("fit", "--interactions", tables / "interactions.csv", "--items", tmp_path / "films.csv",
            "--model", "ease", "--out", tmp_path / "model")  # fmt: skip
    assert "films.csv: none of its ids is in" in refusal(*call)
    followed = tessera(*call, "--item", "imdb")
    assert followed.exit_code == 0, followed.output
    assert "films.csv: reading imdb as item; features from genres (3 elements)" in followed.output
    assert "there is no column 'imbd' for --item" in refusal(*call, "--item", "imbd")


def test_the_item_is_the_column_that_both_tables_have(tmp_path: Path) -> None:
    rows = [f"{user},v{item},p{item // 2},{4 + item % 2}" for user in range(30) for item in range(user % 4, 20, 3)]
    (tmp_path / "reviews.csv").write_text("\n".join(["user_id,asin,parent_asin,rating", *rows]))
    (tmp_path / "items.csv").write_text(
        "\n".join(["parent_asin,store", *(f"p{item},{'ab'[item % 2]}" for item in range(9))])
    )
    files = "--interactions", tmp_path / "reviews.csv", "--items", tmp_path / "items.csv"
    done = tessera("fit", *files, "--model", "ease", "--out", tmp_path / "model")
    assert done.exit_code == 0, done.output
    assert "reviews.csv: reading user_id as user, parent_asin as item" in done.output
    assert "describes 9 of 10 ids of reviews.csv" in " ".join(done.output.split())


def test_a_model_that_does_not_look_at_weights_says_so(tmp_path: Path) -> None:
    rows = [f"{user},{item},{1 + user * item % 7}" for user in range(20) for item in range(user % 3, 12, 2)]
    (tmp_path / "plays.csv").write_text("\n".join(["user_id,item_id,plays", *rows]))
    for model, is_said in (("popularity", True), ("ease", False), ("rating_factors", False)):
        done = tessera(
            "fit", "--interactions", tmp_path / "plays.csv", "--model", model, "--out", tmp_path / model
        )
        assert done.exit_code == 0, done.output
        assert (f"{model} does not use the sizes of weights" in done.output) == is_said


@pytest.fixture(scope="module")
def new_every_day(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Interactions with items that live for a day and go by topic, and with classics that go by popularity."""
    folder = tmp_path_factory.mktemp("daily")
    random = np.random.default_rng(0)
    chances = np.arange(1, 41) ** -1.5 / (np.arange(1, 41) ** -1.5).sum()
    rows, topics = [], {f"classic{n}": random.integers(10) for n in range(40)}
    for day in range(1, 29):
        for place in range(20):
            topics[f"new{day}_{place}"] = place % 10
            rows += [
                f"{user},new{day}_{place},2026-02-{day:02}"
                for user in place % 10 + 10 * random.choice(30, 4, replace=False)
            ]
        rows += [f"{user},classic{random.choice(40, p=chances)},2026-02-{day:02}" for user in range(day, 300, 10)]
    (folder / "visits.csv").write_text("\n".join(["user_id,item_id,date", *rows]))
    (folder / "items.csv").write_text("\n".join(["item_id,topic", *(f"{i},t{t}" for i, t in topics.items())]))
    return folder / "visits.csv", folder / "items.csv"


def test_which_items_are_ranked_is_an_option_and_a_note_where_it_is_not_given(
    new_every_day: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(auto, "WORK", 0.3)
    visits, items = new_every_day
    call = ("fit", "--interactions", visits, "--items", items, "--out", tmp_path / "model")
    said, pages = {}, {}
    for ranked in ((), ("--ranked", "known")):
        done = tessera(*call, *ranked)
        assert done.exit_code == 0, done.output
        said[ranked] = " ".join(done.output.split())
        pages[ranked] = html.unescape((tmp_path / "model" / "report.html").read_text())
    note = "choose by known items (--ranked known)"
    assert [note in text for text in said.values()] == [True, False]
    assert [note in page for page in pages.values()] == [True, False]
    assert ["new_items_auc" in text for text in said.values()] == [True, False]
    assert ["trials by ndcg_at_10 of known items" in page for page in pages.values()] == [False, True]


def test_items_to_compare_by_are_refused_where_nothing_is_compared(tables: Path, tmp_path: Path) -> None:
    call = ("fit", "--interactions", tables / "interactions.csv", "--out", tmp_path / "model")
    line = refusal(*call, "--model", "ease", "--ranked", "known")
    assert "--ranked says by which items models are compared, but --model ease is not compared with any" in line
    assert not (tmp_path / "model").exists()
    usage = tessera(*call, "--ranked", "old")
    assert usage.exit_code == 2
    assert "'old'" in usage.output


def test_a_named_model_leaves_its_page(fitted: Path) -> None:
    page = html.unescape((fitted / "report.html").read_text(encoding="utf-8"))
    assert "<h1>Popularity</h1>" in page
    assert "The model was named, not chosen." in page
    assert "<b>40</b><small>people</small>" in page
    assert "interactions.csv: reading user_id as user, item_id as item" in page
    assert page.count("would get") == 4
    assert "leave out --model, and the best by validation is fitted" in page

"""`tessera evaluate`: what counts as a hit, who can judge, and errors of ratings."""

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pa_parquet

from tests.orchestration.models.calls import rated_by_taste, tessera

FIRST, DAY = 1_767_225_600, 86_400  # seconds


def test_what_is_rated_low_in_the_test_is_no_hit_and_who_only_rejects_is_counted(tmp_path: Path) -> None:
    rated_by_taste(tmp_path / "train.csv")
    with (tmp_path / "train.csv").open("a") as train:
        train.write("999,100,5\n999,101,5\n")  # nobody else knows the items of the test
    rows = [(user, 100 + user % 2, 5 if user else 1) for user in range(40)] + [(1, 100, 1)]
    users, items, ratings = (list(part) for part in zip(*rows, strict=True))
    pa_csv.write_csv(pa.table({"user_id": users, "item_id": items, "rating": ratings}), tmp_path / "test.csv")
    judged = tessera(
        "evaluate", "--train", tmp_path / "train.csv", "--test", tmp_path / "test.csv", "--model", "popularity"
    )
    figures = json.loads(judged.stdout.splitlines()[-1])
    assert (figures["users"], figures["users_who_only_reject"]) == (39, 1)
    pa_csv.write_csv(pa.table({"user_id": [0], "item_id": [3], "rating": [1]}), tmp_path / "test.csv")
    refused = tessera(
        "evaluate", "--train", tmp_path / "train.csv", "--test", tmp_path / "test.csv", "--model", "popularity"
    )
    assert refused.exit_code == 1
    assert "there is nothing to evaluate on" in " ".join(refused.output.split())


def test_evaluate_counts_what_cannot_judge_and_gives_intervals_and_errors_of_ratings(tmp_path: Path) -> None:
    random = np.random.default_rng(5)
    rows = [(u, i, 1 + (u + i) % 5) for u in range(150) for i in random.choice(30, 8, replace=False)]
    train, test = rows[::2], [*rows[1::2], (1000, 3, 4), (2, 999, 4)]
    for name, part in (("train", train), ("test", test)):
        users, items, ratings = (list(column) for column in zip(*part, strict=True))
        table = pa.table({"user_id": users, "item_id": items, "rating": ratings})
        pa_csv.write_csv(table, tmp_path / f"{name}.csv")
    files = "--train", tmp_path / "train.csv", "--test", tmp_path / "test.csv"
    judged = tessera("evaluate", *files, "--model", "rating_factors")
    assert judged.exit_code == 0, judged.output
    figures = json.loads(judged.stdout.splitlines()[-1])
    assert (figures["users_unknown"], figures["items_unknown"], figures["pairs_in_training"]) == (1, 1, 0)
    low, high = figures["ndcg_interval"]
    assert low <= figures["ndcg"] <= high
    assert low < high
    assert 0 < figures["mae"] <= figures["rmse"] < 2
    assert "1 interactions of the test" not in judged.stderr
    assert "users of the test are unknown to the model" in " ".join(judged.stderr.split())
    again = tessera(
        "evaluate", "--train", tmp_path / "train.csv", "--test", tmp_path / "train.csv", "--model", "als"
    )
    assert again.exit_code == 1
    assert "every interaction of the test, 495 in all, is in the training too" in " ".join(again.output.split())


def test_new_items_are_ranked_and_judged_by_themselves(tables: Path, tmp_path: Path) -> None:
    """A feature tells the parity of an item, and the test has items of the training beside new ones."""
    features = pa.table(
        {"item_id": list(range(40)), "features": [[f"taste:{i % 2}", f"kind:{i % 3}"] for i in range(40)]}
    )
    pa_parquet.write_table(features, tmp_path / "items.parquet")
    rows = [(user, item) for user in range(40) for item in (30 + user % 2, user % 30)]
    users, items = (list(column) for column in zip(*rows, strict=True))
    pa_csv.write_csv(pa.table({"user_id": users, "item_id": items}), tmp_path / "test.csv")
    files = "--train", tables / "interactions.csv", "--test", tmp_path / "test.csv"
    call = ("evaluate", *files, "--items", tmp_path / "items.parquet", "--model", "content_affinity")
    figures = {}
    for ranked in ("all", "known", "new"):
        judged = tessera(*call, "--ranked", ranked)
        assert judged.exit_code == 0, judged.output
        figures[ranked] = json.loads(judged.stdout.splitlines()[-1])
    counts = {name: (figure["pairs"], figure["pairs_not_ranked"]) for name, figure in figures.items()}
    assert counts == {"all": (80, 0), "known": (40, 40), "new": (40, 40)}
    assert figures["new"]["ndcg"] > figures["all"]["ndcg"]
    assert figures["new"]["recall"] == 1  # ten new items, and as many places
    assert figures["known"]["coverage"] <= 1
    # The five new items of the other parity, of nine, stand behind the one that is taken.
    assert 5 / 9 <= figures["new"]["auc"] <= 1
    assert figures["new"]["auc_users"] == 40
    chosen = tessera(*call[:-1], "auto", "--ranked", "known")
    assert json.loads(chosen.stdout.splitlines()[-1])["chosen_by"] == "ndcg_at_10"
    refused = tessera("evaluate", *files, "--model", "ease", "--ranked", "new")
    assert "there are no new items to rank" in " ".join(refused.output.split())
    refused = tessera(*call, "--ranked", "new", "--sampled", 5)
    assert "Leave out either --sampled or --ranked" in " ".join(refused.output.split())


def test_ratings_in_one_of_the_tables_only_are_said(tmp_path: Path) -> None:
    rated_by_taste(tmp_path / "rated.csv")
    rows = pa_csv.read_csv(tmp_path / "rated.csv")
    pa_csv.write_csv(rows.drop_columns(["rating"]), tmp_path / "plain.csv")
    later = pa.table({"user_id": list(range(60)), "item_id": [(user * 7) % 30 for user in range(60)]})
    pa_csv.write_csv(later, tmp_path / "later.csv")
    pa_csv.write_csv(later.append_column("rating", pa.array([1, 5] * 30)), tmp_path / "later_rated.csv")
    for train, test, words in (
        ("rated", "later", "later.csv has no ratings: every interaction in it counts as liked"),
        ("plain", "later_rated", "plain.csv has no ratings, so that every interaction of later_rated.csv counts"),
    ):
        files = "--train", tmp_path / f"{train}.csv", "--test", tmp_path / f"{test}.csv"
        judged = tessera("evaluate", *files, "--model", "popularity")
        assert judged.exit_code == 0, judged.output
        assert words in " ".join(judged.stderr.split())


def test_a_test_that_is_older_than_the_training_is_measured_with_a_warning(tmp_path: Path) -> None:
    random = np.random.default_rng(5)
    rows = [
        (u, i, FIRST + DAY * place)
        for u in range(120)
        for place, i in enumerate(random.choice(30, 8, replace=False))
    ]

    def files(n_days: int, *, is_older: bool) -> tuple[str | Path, ...]:
        """The first days as test, or the last ones."""
        for name, has_first in (("test", is_older), ("train", not is_older)):
            part = [row for row in rows if (row[2] < FIRST + DAY * n_days) == has_first]
            users, items, times = (list(column) for column in zip(*part, strict=True))
            table = pa.table({"user_id": users, "item_id": items, "timestamp": times})
            pa_csv.write_csv(table, tmp_path / f"{name}.csv")
        return "--train", tmp_path / "train.csv", "--test", tmp_path / "test.csv", "--model", "popularity"

    older = tessera("evaluate", *files(2, is_older=True))
    assert older.exit_code == 0, older.output
    assert json.loads(older.stdout.splitlines()[-1])["pairs_before_end"] == 240
    said = " ".join(older.stderr.split())
    assert (
        "warning: 240 of 240 (100.0%) interactions of the test are older than the newest of the training" in said
    )
    later = tessera("evaluate", *files(6, is_older=False))
    assert json.loads(later.stdout.splitlines()[-1])["pairs_before_end"] == 0
    assert "older" not in later.stderr


def test_a_test_with_columns_of_its_own_is_read_and_what_does_not_fit_the_training_is_said(tmp_path: Path) -> None:
    rated_by_taste(tmp_path / "train.csv")
    rows = [(f"{user:03d}", item, 100.0) for user in range(60) for item in (40 + user % 2, user % 30)]
    users, items, ratings = (list(part) for part in zip(*rows, strict=True))
    pa_csv.write_csv(pa.table({"who": users, "what": items, "rating": ratings}), tmp_path / "test.csv")
    files = "--train", tmp_path / "train.csv", "--test", tmp_path / "test.csv", "--model", "popularity"
    refused = tessera("evaluate", *files)
    assert "test.csv: no column is called like the user" in " ".join(refused.output.split())
    judged = tessera("evaluate", *files, "--user", "who", "--item", "what")
    assert judged.exit_code == 0, judged.output
    said = " ".join(judged.stderr.split())
    assert "train.csv: reading user_id as user, item_id as item, rating" in said
    assert "test.csv: reading who as user, what as item, rating" in said
    assert "60 of 60 (100.0%) users of the test are unknown" in said
    assert "check that both tables write their ids alike" in said
    assert "120 of 120 ratings of the test lie outside of those of the training, which go from 1 to 5" in said

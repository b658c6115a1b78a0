"""`tessera evaluate`: what counts as a hit, who can judge, and errors of ratings."""

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv as pa_csv

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

"""`auto` on the tables that people bring: small, without times, with ratings, of news; and what it compares."""

import numpy as np
import pyarrow as pa
import pytest

from ml.dataset.interactions import Interactions
from ml.evaluation.bootstrap import mean_interval
from ml.recommenders.base import TrainingData
from ml.recommenders.selection import auto as choosing
from ml.recommenders.selection.auto import Trial, choose, planned, settled
from ml.recommenders.selection.compare import Configuration

FEW = (
    Configuration("ease", {"regularization": 20.0}),
    Configuration("als", {"n_factors": 8}),
)


def table(n_users, n_items, each, seed=0, **columns):
    random = np.random.default_rng(seed)
    rows = [(f"u{u}", f"i{i}") for u in range(n_users) for i in random.choice(n_items, each, replace=False)]
    users, items = zip(*rows, strict=True)
    return pa.table(
        {"user_id": users, "item_id": items, **{name: make(len(rows)) for name, make in columns.items()}}
    )


def aligned(found):
    return TrainingData.align(Interactions.from_table(found))


@pytest.fixture
def few(monkeypatch):
    """A short first stage: what is tested is the choosing, the models have tests of their own."""
    monkeypatch.setattr(choosing, "FIRST_STAGE", FEW)


@pytest.mark.usefixtures("few")
@pytest.mark.parametrize(
    ("found", "kind"),
    [
        (table(5, 6, 3), "random"),
        (table(5, 6, 3, timestamp=lambda n: np.arange(n) * 3600), "time"),
        (
            table(5, 6, 3, timestamp=lambda n: np.arange(n) * 3600, rating=lambda n: np.arange(n) % 5 + 1.0),
            "random",
        ),
        (table(30, 4, 1), "leave-last-out"),
        (table(1, 9, 8), "random"),
        (table(40, 1, 1, timestamp=np.arange), "time"),
        (table(30, 20, 6, weight=lambda n: np.where(np.arange(n) % 4, 1.0, -2.0)), "random"),
    ],
    ids=["five users", "with times", "with ratings", "one item each", "one user", "one item", "rejections"],
)
def test_small_tables_get_a_model_that_recommends(found, kind):
    chosen = choose(aligned(found), kind)
    rows = chosen.recommender.recommend(["u0", "stranger"], 3).to_table().to_pylist()
    assert [row for row in rows if row["user_id"] == "stranger"]
    assert all(np.isfinite(row["score"]) for row in rows)


@pytest.mark.usefixtures("few")
def test_what_validates_best_is_fitted_on_everything(two_tastes, user_features, item_features):
    lines = []
    chosen = choose(TrainingData.align(two_tastes, user_features, item_features), "random", log=lines.append)
    means = [trial.interval.mean for trial in chosen.trials]
    assert means == sorted(means, reverse=True)
    assert chosen.metric == "ndcg_at_10"
    assert chosen.recommender.seen_.nnz == two_tastes.n_pairs
    assert means[0] > next(t.interval.mean for t in chosen.trials if t.configuration.model == "popularity") + 0.1
    assert any("happened after the first test interaction" in line for line in lines)


@pytest.mark.usefixtures("few")
def test_time_that_is_up_ends_the_trials_and_is_said(two_tastes):
    lines = []
    chosen = choose(TrainingData.align(two_tastes), "random", minutes=0.0, log=lines.append)
    assert [trial.configuration.model for trial in chosen.trials] == ["popularity"]
    assert any(line.startswith("time is up") for line in lines)


def test_the_plan_leaves_out_what_the_size_does_not_allow(two_tastes, monkeypatch):
    data = TrainingData.align(two_tastes)
    assert "stacked" in [found.model for found in planned(data, cold=False, validation="time")]
    monkeypatch.setattr(choosing, "STACK_MOST_PAIRS", 10)
    assert "stacked" not in [found.model for found in planned(data, cold=False, validation="time")]


def judged(model, per_user):
    per_user = np.asarray(per_user, dtype=float)
    return Trial(Configuration(model, {}), per_user, mean_interval(per_user), 1.0)


def test_models_that_cannot_be_told_apart_are_blended():
    random = np.random.default_rng(0)
    quality = random.random(400)
    best, close = judged("ease", quality + 0.01), judged("als", quality + 0.3 * random.standard_normal(400))
    both = settled([best, judged("ease", quality), close])
    assert [(part["model"], part["weight"]) for part in both.params["models"]] == [("ease", 1.0), ("als", 1.0)]


def test_a_model_that_is_better_for_the_same_users_stands_alone():
    random = np.random.default_rng(0)
    quality = random.random(400)
    best = judged("ease", quality + 0.01)
    assert settled([best, judged("als", quality)]) is best.configuration
    undefined = np.where(np.arange(400) % 2, quality, np.nan)
    assert settled([best, judged("als", undefined)]) is best.configuration
    assert settled([best]) is best.configuration
    few = judged("ease", quality[:50] + 0.01)
    assert settled([few, judged("als", random.permutation(quality[:50]))]) is few.configuration

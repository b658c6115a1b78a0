"""A model that MLlib fitted is a model of the zoo: it solves the same problem, and is served without Spark."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from ml.dataset.interactions import Interactions
from ml.evaluation.rating_errors import rmse
from ml.recommenders.models.als import ImplicitALS
from ml.recommenders.models.rating_factors import RatingFactors
from ml.recommenders.training_data import TrainingData
from orchestration.spark.training import SparkTraining
from tests.ml.recommenders.conftest import two_tastes, two_tastes_table  # noqa: F401  fixtures
from tests.ml.recommenders.test_served_ranking import Served, assert_ranked_by

SERVE = """
import sys
from pathlib import Path
from ml.recommenders.models.zoo import load_recommender
model = load_recommender(Path(sys.argv[1]))
print(model.recommend(["u0"], 3).to_table()["item_id"].to_pylist(), "pyspark" in sys.modules)
"""


@pytest.fixture(scope="module")
def data(two_tastes: Interactions) -> TrainingData:  # noqa: F811
    return TrainingData.align(two_tastes)


@pytest.fixture(scope="module")
def on_spark(cluster: Any, data: TrainingData) -> ImplicitALS:
    model = SparkTraining(cluster).fit(ImplicitALS(n_factors=8, iterations=15), data)
    assert isinstance(model, ImplicitALS)
    return model


def loss(model: ImplicitALS, data: TrainingData) -> float:
    """The error that implicit ALS minimizes, cell by cell, of a model whose confidences are all 1."""
    liked = data.interactions.liked.toarray() > 0
    weights = 1 + model.confidence * liked
    error = (weights * (liked - model.user_factors_ @ model.item_factors_.T) ** 2).sum()
    penalties = (liked.sum(1) * (model.user_factors_**2).sum(1)).sum()
    penalties += (liked.sum(0) * (model.item_factors_**2).sum(1)).sum()
    return float(error + model.regularization * penalties)


def test_mllib_solves_the_problem_that_als_solves_here(on_spark: ImplicitALS, data: TrainingData) -> None:
    here = ImplicitALS(n_factors=8, iterations=15).fit_aligned(data)
    assert loss(on_spark, data) == pytest.approx(loss(here, data), rel=0.01)
    histories = on_spark.confidences(data.interactions.liked_weights)
    np.testing.assert_allclose(on_spark.fold_in_histories(histories), on_spark.user_factors_, atol=2e-5)
    taken = data.interactions.item_counts > 0
    assert (on_spark.item_factors_[~taken] == 0).all()
    assert (np.abs(on_spark.item_factors_[taken]).sum(axis=1) > 0).all()


def test_what_spark_fitted_is_served_as_any_other_model(on_spark: ImplicitALS, tmp_path: Path) -> None:
    served = Served(on_spark, tmp_path / "bundle")
    row = on_spark.user_ids_.rows(["u7"])
    vector = served.scorer.user_vector(None, served.index.user_rows["u7"])
    assert_ranked_by(on_spark, on_spark.score(row)[0], served.best(vector))
    on_spark.save(tmp_path / "model")
    done = subprocess.run(
        [sys.executable, "-c", SERVE, str(tmp_path / "model")], capture_output=True, text=True, check=True
    )
    expected = on_spark.recommend(["u0"], 3).to_table()["item_id"].to_pylist()
    assert done.stdout.strip() == f"{expected} False"
    assert {int(item[1:]) % 2 for item in expected} == {0}


def test_a_seed_gives_the_same_ranking_again(cluster: Any, on_spark: ImplicitALS, data: TrainingData) -> None:
    again = SparkTraining(cluster).fit(ImplicitALS(n_factors=8, iterations=15), data)
    np.testing.assert_allclose(again.score(np.arange(60)), on_spark.score(np.arange(60)), atol=1e-4)


def test_explicit_ratings_are_predicted_with_biases_and_factors(cluster: Any) -> None:
    random = np.random.default_rng(4)
    users, items = 80, 50
    biases, tastes = random.normal(0, 0.5, users), random.normal(0, 0.7, (users, 2))
    qualities, traits = random.normal(0, 0.5, items), random.normal(0, 0.7, (items, 2))
    rows, columns = np.nonzero(random.random((users, items)) < 0.6)
    truth = 3 + biases[rows] + qualities[columns] + (tastes[rows] * traits[columns]).sum(1)
    is_test = random.random(len(rows)) < 0.2
    table = pa.table(
        {
            "user_id": [f"u{row}" for row in rows[~is_test]],
            "item_id": [f"i{column}" for column in columns[~is_test]],
            "rating": (truth + random.normal(0, 0.1, len(rows)))[~is_test].astype(np.float32),
        }
    )
    data = TrainingData.align(Interactions.from_table(table))
    parameters = {"n_factors": 4, "regularization": 0.02}
    model = SparkTraining(cluster).fit(RatingFactors(**parameters), data)
    assert isinstance(model, RatingFactors)
    places = (
        data.interactions.users.rows([f"u{row}" for row in rows[is_test]]),
        data.interactions.items.rows([f"i{column}" for column in columns[is_test]]),
    )
    error, spread = rmse(model.predict(*places), truth[is_test]), float(truth[is_test].std())
    alone = RatingFactors(**parameters)
    alone.fit_by(
        data, lambda left: (np.zeros((left.shape[0], 1), np.float32), np.zeros((left.shape[1], 1), np.float32))
    )
    assert error < 0.35 * spread
    assert error < 0.6 * rmse(alone.predict(*places), truth[is_test])

import numpy as np
import pyarrow as pa
import pytest

from ml.dataset.feature_matrix import FeatureMatrix
from ml.dataset.interactions import Interactions
from ml.evaluation.splits import EmptySplitError
from ml.recommenders.data_split import DataSplit
from ml.recommenders.selection.ablation import ablation, ablation_plot, sure_gain
from ml.recommenders.training_data import TrainingData

PARAMS = {"n_factors": 8, "epochs": 8}


def held_back(pairs, user_features=None, item_features=None):
    return DataSplit.of(TrainingData.align(pairs, user_features, item_features), "time")


def names_of(features):
    """The features of each item, by name."""
    names = features.names.to_list()
    return [[names[column] for column in row.indices] for row in features.matrix]


@pytest.fixture(scope="module")
def report(two_tastes, user_features, item_features):
    return ablation(PARAMS, held_back(two_tastes, user_features, item_features))


def test_each_family_is_left_out_once_and_then_all_of_them(report):
    names = report["without"].to_pylist()
    assert names[0] == "(nothing)"
    assert set(names[1:]) - {"item identities"} == {"user club", "item size", "item taste", "all features"}
    assert len(names) == len(set(names))


def test_what_carries_the_taste_brings_it_and_noise_nothing(news):
    pairs, topics = news
    listed = [[*own, f"noise:{place % 7}"] for place, own in enumerate(names_of(topics))]
    features = FeatureMatrix.from_table(pa.table({"item_id": topics.ids.values, "features": listed}), "item_id")
    report = ablation({"n_factors": 16, "epochs": 8}, held_back(pairs, None, features))
    gain = {row["without"]: row for row in report.to_pylist()}
    assert gain["(nothing)"]["gain"] == 0
    assert gain["item topic"]["gain_low"] > 0
    assert gain["item noise"]["gain"] < gain["item topic"]["gain"] / 2


def test_gains_are_differences_of_the_means_with_an_interval_around_them(report):
    rows = report.to_pylist()
    for row in rows[1:]:
        assert row["gain"] == pytest.approx(rows[0]["ndcg"] - row["ndcg"])
        assert row["gain_low"] <= row["gain"] <= row["gain_high"]
        is_chance = row["gain_low"] <= 0 <= row["gain_high"]
        assert ("no difference that can be told from chance" in row["reading"]) == is_chance
        assert sure_gain(report, row["without"]) == (row["gain"] if row["gain_low"] > 0 else None)
    assert sure_gain(report, "user country") is None


def test_the_plot_names_every_part(report):
    axes = ablation_plot(report).axes[0]
    assert {label.get_text() for label in axes.get_yticklabels()} == set(report["without"].to_pylist()[1:])


def test_without_features_there_is_nothing_to_compare(two_tastes):
    bare = ablation(PARAMS, held_back(two_tastes))
    assert bare["without"].to_pylist() == ["(nothing)"]
    assert np.isfinite(bare["ndcg"][0].as_py())


def test_without_a_liked_pair_to_judge_by_nothing_is_measured():
    pairs = pa.table({"user_id": ["a", "b"], "item_id": ["x", "y"], "weight": [1.0, -1.0], "timestamp": [1, 2]})
    with pytest.raises(EmptySplitError, match="1 liked interactions to learn from and 0 to judge by are too few"):
        ablation(PARAMS, held_back(Interactions.from_table(pairs)))

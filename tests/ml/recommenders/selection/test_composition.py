"""What composing lists costs, on a model whose lists are known."""

import numpy as np
import pyarrow as pa
import pytest

from ml.dataset.feature_matrix import FeatureMatrix
from ml.dataset.interactions import Interactions
from ml.recommenders.models.zoo import make_recommender
from ml.recommenders.selection.composition import composition_plot, composition_report
from ml.recommenders.training_data import TrainingData
from ml.settings import load_settings


@pytest.fixture
def past():
    """Items a to d are sport and popular in this order, e and f are food and rare."""
    opened = {"a": 8, "b": 7, "c": 6, "d": 5, "e": 2, "f": 1}
    pairs = [(f"u{user}", item) for item, count in opened.items() for user in range(count)]
    interactions = Interactions.from_table(
        pa.table({"user_id": [user for user, _ in pairs], "item_id": [item for _, item in pairs]})
    )
    features = pa.table(
        {"item_id": list("abcdef"), "features": [["category:sport"]] * 4 + [["category:food"]] * 2}
    )
    return TrainingData.align(interactions, None, FeatureMatrix.from_table(features, "item_id"))


def test_the_report_tells_what_variety_costs(past):
    recommender = make_recommender("popularity").fit_aligned(past)
    test = Interactions.from_table(pa.table({"user_id": ["new", "other"], "item_id": ["b", "b"]}))
    settings = load_settings().decisions.diversity.model_copy(update={"max_category_share": 0.5})
    report = composition_report(recommender, test, past, settings, 4)
    ranked, served, *curve = report.to_pylist()
    assert (ranked["list"], served["list"]) == ("as ranked", "as served")
    # a, b, c, d: all of one kind; as served a, b, e, f: of six pairs four are unlike
    assert (ranked["diversity"], ranked["largest_category_share"]) == (pytest.approx(0.0), 1.0)
    assert (served["diversity"], served["largest_category_share"]) == (pytest.approx(4 / 6), 0.5)
    assert ranked["ndcg"] == served["ndcg"] == pytest.approx(1 / np.log2(3))  # b is second in both
    assert [row["trade_off"] for row in curve] == sorted(row["trade_off"] for row in curve)
    assert curve[-1]["diversity"] > ranked["diversity"]
    assert curve[-1]["ndcg"] < ranked["ndcg"]  # b comes after what is unlike a
    (axes,) = composition_plot(report, 4).axes
    assert axes.get_ylabel() == "NDCG@4"


def test_without_anything_that_items_could_be_alike_in_there_is_no_report(past):
    bare = TrainingData(past.interactions, None, None)
    recommender = make_recommender("popularity").fit_aligned(bare)
    test = Interactions.from_table(pa.table({"user_id": ["new"], "item_id": ["b"]}))
    assert not len(composition_report(recommender, test, bare, load_settings().decisions.diversity, 4))

"""What the service ranks is the promoted model's own ranking, for every model of the zoo."""

import datetime as dt

import numpy as np
import pyarrow as pa
import pytest

from ml.bundle import Bundle, write_bundle
from ml.decisions.activity.activity import Activity
from ml.decisions.activity.visitors import Visitor
from ml.decisions.items.bundle_index import BundleIndex
from ml.decisions.items.bundle_join import BundleJoin
from ml.decisions.items.champion_scorer import make_scorer
from ml.publishing import publication
from ml.recommenders.factors import FactorRecommender
from ml.recommenders.model_names import MODELS
from tests.ml.recommenders.test_contract import fitted, name  # noqa: F401  fixtures

PEOPLE, VISIT = ["u0", "u7", "u31"], ["i2", "i6", "i9"]
LISTS = {"popularity", "trending"}
ONLY_OF_THE_TRAINED = {"segment_popularity", "rating_factors"}
"""Models that have no ranking of their own for somebody who is known by a visit alone."""
FORMS = {
    **dict.fromkeys(LISTS, "list"),
    **dict.fromkeys(["als", "svd", "item2vec", "content_vectors", "sasrec", "gru4rec"], "factors and model"),
    **dict.fromkeys(
        [
            "lightfm_warp",
            "lightfm_bpr",
            "lightfm_logistic",
            "implicit_als",
            "implicit_bpr",
            "two_tower",
            "factor_blend",
        ],
        "factors",
    ),
}


class Served:
    """A champion as the service holds it: published, loaded, and joined to the activity.

    The bundle has the items in another order than the model, one item and one user more, and no other trace of it.
    """

    def __init__(self, model, folder, interactions=None):
        items, users = (
            [*model.item_ids_.to_list()[::-1], "fresh item"],
            ["stranger", *model.user_ids_.to_list()[::-1]],
        )
        nothing = pa.table(
            {
                "user_id": pa.array([], pa.string()),
                "item_id": pa.array([], pa.string()),
                "last_at": pa.array([], pa.timestamp("us", "UTC")),
                "is_negative": pa.array([], pa.bool_()),
                "dislikes": pa.array([], pa.int64()),
            }
        )
        prepared = publication(
            users=pa.table({"user_id": users, "is_known": [True] * len(users)}),
            items=pa.table({"item_id": items}),
            interactions=nothing if interactions is None else interactions,
            segments=None,
            recommender=model,
            model_version="1",
            files={},
            details={},
        )
        self.index = BundleIndex(Bundle.load(write_bundle(folder, prepared)))
        self.activity, self.join = Activity(), BundleJoin(self.index)
        for _ in self.join.join(self.activity):
            pass
        self.scorer = make_scorer(self.join, len(items), 10_000)

    def items(self, keys):
        return [self.activity.items[key] for key in keys.tolist()]

    def best(self, vector):
        return self.items(self.scorer.best_keys(vector))


@pytest.fixture
def served(fitted, tmp_path):  # noqa: F811
    return Served(fitted, tmp_path)


def scores_in_order(model, scores, items):
    """The model's scores of these items, as the service orders them: they descend if the order is the model's."""
    return scores[model.item_ids_.rows(items)]


def assert_ranked_by(model, scores, items):
    ordered = scores_in_order(model, scores, items)
    assert len(items) == len(set(items)) == len(model.item_ids_)
    np.testing.assert_allclose(
        ordered, np.sort(scores)[::-1], rtol=1e-3, atol=1e-4 * max(1e-3, float(np.ptp(scores)))
    )


def test_each_model_says_how_it_is_served(name, fitted):  # noqa: F811
    assert fitted.serving_form == FORMS.get(name, "model")
    assert set(FORMS) <= set(MODELS)


def test_a_person_of_the_training_gets_the_models_ranking(fitted, served):  # noqa: F811
    for person in PEOPLE:
        vector = served.scorer.user_vector(None, served.index.user_rows[person])
        row = fitted.user_ids_.rows([person])
        assert_ranked_by(fitted, fitted.score(row)[0], served.best(vector))
        seen = set(fitted.item_ids_.values.take(fitted.seen_[row[0]].indices).to_pylist())
        unseen = [item for item in served.best(vector) if item not in seen][:6]
        own = [entry["score"] for entry in fitted.recommend([person], 6).to_table().to_pylist()]
        np.testing.assert_allclose(
            scores_in_order(fitted, fitted.score(row)[0], unseen), own, rtol=1e-3, atol=1e-4
        )


def test_a_visit_is_folded_in_as_the_model_does_it(name, fitted, served):  # noqa: F811
    visitor = Visitor(recent=[(served.activity.keys[item], 1.0 + place) for place, item in enumerate(VISIT)])
    vector = served.scorer.user_vector(visitor, None)
    if name in ONLY_OF_THE_TRAINED:
        assert vector is None
        return
    assert_ranked_by(fitted, fitted.score_histories(fitted.history(VISIT))[0], served.best(vector))


def test_a_stranger_gets_the_list_of_a_model_that_has_one_list(name, fitted, served):  # noqa: F811
    vector = served.scorer.user_vector(None, served.index.user_rows["stranger"])
    assert served.scorer.ranks_for_everybody == (name in LISTS)
    if name in LISTS:
        assert_ranked_by(fitted, fitted.score_unknown(), served.best(vector))
    else:
        assert vector is None


def test_similar_items_are_the_models(name, fitted, served):  # noqa: F811
    similar = served.items(served.scorer.similar_keys(served.activity.keys["i4"], 5))
    if name in LISTS | ONLY_OF_THE_TRAINED:
        assert similar == []
        return
    row = int(fitted.item_ids_.rows(["i4"])[0])
    if isinstance(fitted, FactorRecommender):
        lengths = np.linalg.norm(fitted.item_factors_, axis=1)
        own = (
            fitted.item_factors_
            @ fitted.item_factors_[row]
            / np.where(lengths * lengths[row] > 0, lengths * lengths[row], 1)
        )
    else:
        own = fitted.score_histories(fitted.history(["i4"]))[0]
    best = np.sort(np.delete(own, row))[::-1][:5]
    np.testing.assert_allclose(own[fitted.item_ids_.rows(similar)], best, rtol=1e-3, atol=1e-4)
    keys = np.array([served.activity.keys[item] for item in similar])
    np.testing.assert_allclose(
        served.scorer.similarities(served.activity.keys["i4"], keys), best, rtol=1e-3, atol=1e-4
    )


def test_what_somebody_opens_after_the_training_moves_their_ranking(name, fitted, served):  # noqa: F811
    row = served.index.user_rows["u0"]
    later = dt.datetime.now(dt.UTC).timestamp() + 60
    visitor = Visitor(
        recent=[(served.activity.keys[item], later + place) for place, item in enumerate(["i1", "i3", "i5"])]
    )
    before, after = served.scorer.user_vector(None, row), served.scorer.user_vector(visitor, row)
    moved = not np.array_equal(before, after, equal_nan=True)
    assert moved == (name not in LISTS | ONLY_OF_THE_TRAINED)


def test_what_the_model_was_trained_on_is_no_news(name, fitted, tmp_path, two_tastes_table):  # noqa: F811
    """The bundle's history alone moves nobody; an item that was opened since does."""
    times = pa.array(two_tastes_table["timestamp"].to_numpy() * 10**6).cast(pa.timestamp("us", "UTC"))
    interactions = two_tastes_table.select(["user_id", "item_id"]).append_column("last_at", times)
    for column in ("is_negative", "dislikes"):
        interactions = interactions.append_column(column, pa.array(np.zeros(len(times), np.int64)))
    interactions = interactions.set_column(3, "is_negative", pa.array(np.zeros(len(times), bool)))
    again = Served(fitted, tmp_path / "again", interactions)
    row = again.index.user_rows["u0"]
    visitor = again.join.extend_history(None, row, again.activity.limits)
    trained = again.scorer.user_vector(visitor, row)
    np.testing.assert_array_equal(trained, again.scorer.user_vector(None, row))
    visitor.recent.append((again.activity.keys["i1"], visitor.recent[-1][1] + 60))
    moved = not np.array_equal(trained, again.scorer.user_vector(visitor, row), equal_nan=True)
    assert moved == (name not in LISTS | ONLY_OF_THE_TRAINED)

"""Reasons are true: what is named carries the score that it is said to carry."""

import numpy as np
import pytest

from ml.recommenders.explanations import Reason, explain, feature_contributions, in_words, item_contributions
from ml.recommenders.models.als import ImplicitALS
from ml.recommenders.models.ease import Ease
from ml.recommenders.models.lightfm import LightFMHybrid
from ml.recommenders.models.neighbours import ItemNeighbours
from ml.recommenders.models.popularity import Popularity


@pytest.fixture(
    scope="module", params=[Ease(regularization=20.0), ImplicitALS(n_factors=8), ItemNeighbours(shrinkage=1.0)]
)
def fitted(request, two_tastes):
    return request.param.fit(two_tastes)


@pytest.fixture(scope="module")
def hybrid(two_tastes, user_features, item_features):
    model = LightFMHybrid(n_factors=8, epochs=20, item_identity_from=1)
    return model.fit(two_tastes, user_features, item_features)


def rows_of(model, *items):
    return model.item_ids_.rows([f"i{item}" for item in items])


def test_contributions_sum_to_the_score(fitted):
    history = rows_of(fitted, 0, 2, 5)
    weights = fitted.history(["i0", "i2", "i5"])
    scores = fitted.score_histories(weights)[0]
    for item in rows_of(fitted, 4, 7):
        total = item_contributions(fitted, history, int(item)).sum()
        assert total == pytest.approx(scores[item], rel=0.02, abs=0.01)


def test_contributions_of_features_sum_to_the_score(hybrid):
    user = int(hybrid.user_ids_.rows(["u4"])[0])
    scores = hybrid.score(np.array([user]))[0]
    for item in rows_of(hybrid, 4, 7, 38):
        parts = feature_contributions(hybrid, user, int(item))
        bias = hybrid.user_factors_[user, hybrid.n_factors]  # the user's own, the same for all items
        assert sum(parts.values()) + bias == pytest.approx(scores[item], abs=1e-4)


def test_an_item_is_explained_by_items_of_its_taste(fitted):
    history = rows_of(fitted, 0, 2, 5)
    reason = explain(fitted, history, int(rows_of(fitted, 4)[0]))
    assert reason.kind == "because_of_items"
    assert reason.names[0] in {"i0", "i2"}
    assert 0.2 <= reason.share <= 1


def test_a_cold_item_is_explained_by_its_features(hybrid):
    user, item = int(hybrid.user_ids_.rows(["u4"])[0]), int(rows_of(hybrid, 38)[0])
    reason = explain(hybrid, np.array([], int), item, user_row=user)
    assert reason.kind == "because_of_features"
    assert "taste:even" in reason.names


def test_where_nothing_personal_speaks_for_it_the_reason_is_trend_or_popularity(two_tastes):
    model = Popularity().fit(two_tastes)
    history, item = np.array([0]), 3
    assert explain(model, history, item, trending=[3]).kind == "trending_here"
    assert explain(model, history, item) == Reason("popular", (model.item_ids_.to_list()[3],))


def test_reasons_are_sentences_with_titles():
    because = Reason("because_of_items", ("a", "b"), 0.5)
    assert in_words(because, {"a": "Alien"}) == "Because you liked Alien and b"
    assert in_words(Reason("because_of_features", ("genre:Horror",)), {}) == (
        "Because of Horror, which you come back to"
    )
    assert in_words(Reason("trending_here", ("a",)), {}) == "Trending where you are"

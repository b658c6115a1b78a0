"""Regression between features: it knows which features follow which, also those that a person never met."""

import numpy as np
import pyarrow as pa
import pytest
from scipy.stats import rankdata

from ml.dataset.feature_matrix import FeatureMatrix
from ml.dataset.interactions import Interactions
from ml.recommenders.models.content import regression
from ml.recommenders.models.content.profiles import TagAffinity
from ml.recommenders.models.content.regression import ContentRegression

TOPICS, TAGS_EACH, PEOPLE = 6, 5, 240


@pytest.fixture(scope="module")
def topics():
    """Items have one tag of a topic, and people take items of one topic; three items a topic are new."""
    random = np.random.default_rng(0)
    items = [(topic, tag, copy) for topic in range(TOPICS) for tag in range(TAGS_EACH) for copy in range(3)]
    names = ["-".join(map(str, item)) for item in items]
    features = pa.table({"item_id": names, "features": [[f"tag:{topic}.{tag}"] for topic, tag, _ in items]})
    rows = []
    for person in range(PEOPLE):
        fitting = [name for name, item in zip(names, items, strict=True) if item[0] == person % TOPICS and item[2]]
        rows += [(f"u{person:03}", name) for name in random.choice(fitting, 3, replace=False)]
    users, taken = zip(*rows, strict=True)
    interactions = Interactions.from_table(pa.table({"user_id": users, "item_id": taken}))
    return interactions, FeatureMatrix.from_table(features, "item_id")


def new_items_auc(model, interactions, features):
    """How far up the new items of a person's topic stand that have a tag which the person never met."""
    fitted = model.fit(interactions, None, features)
    names = fitted.item_ids_.to_list()
    new = [place for place, name in enumerate(names) if name.endswith("-0")]
    met = (fitted.seen_ @ features.aligned(fitted.item_ids_).matrix).toarray() > 0
    values = []
    for person, scores in enumerate(fitted.score(np.arange(PEOPLE))):
        topic = int(fitted.user_ids_.to_list()[person][1:]) % TOPICS
        tags = features.aligned(fitted.item_ids_).matrix
        unmet = [place for place in new if not met[person][tags[place].indices].any()]
        fitting = np.array([names[place].startswith(f"{topic}-") for place in unmet])
        ranks = rankdata(scores[unmet])
        values.append((ranks[fitting].mean() - (fitting.sum() + 1) / 2) / (~fitting).sum())
    return float(np.mean(values))


def test_a_tag_that_a_person_never_met_is_known_by_what_others_took(topics):
    assert new_items_auc(ContentRegression(), *topics) > 0.99
    assert new_items_auc(TagAffinity(), *topics) < 0.7  # which sees none of it


def test_the_most_frequent_features_are_used_where_there_are_too_many(topics, monkeypatch):
    monkeypatch.setattr(regression, "MOST_FEATURES", 7)
    model = ContentRegression().fit(topics[0], None, topics[1])
    assert model.weights_.shape == (7, 7)
    counts = np.bincount(topics[1].matrix.indices)
    np.testing.assert_array_equal(model.carried_.sum(axis=0).A1, np.sort(counts)[::-1][:7])


def test_stronger_penalties_leave_less_of_the_profile(topics):
    weak, strong = (
        ContentRegression(user_penalty=penalty).fit(topics[0], None, topics[1]) for penalty in (1, 1e4)
    )
    assert np.abs(strong.weights_).max() < 0.05 * np.abs(weak.weights_).max()


def test_a_stranger_gets_what_everybody_takes(topics):
    model = ContentRegression().fit(topics[0], None, topics[1])
    np.testing.assert_allclose(
        model.score_histories(model.history([]))[0], model.score_unknown(), rtol=1e-5, atol=1e-6
    )


def test_people_are_taken_in_blocks_without_a_difference(topics, monkeypatch):
    whole = ContentRegression().fit(topics[0], None, topics[1])
    monkeypatch.setattr(regression, "ROWS_AT_ONCE", 7)
    blocks = ContentRegression().fit(topics[0], None, topics[1])
    np.testing.assert_allclose(blocks.weights_, whole.weights_, rtol=1e-5, atol=1e-7)
    np.testing.assert_allclose(blocks.intercept_, whole.intercept_, rtol=1e-5, atol=1e-7)

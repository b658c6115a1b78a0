"""Models that read the order in which things were taken, worked out by hand."""

import numpy as np
import pyarrow as pa
import pytest

from ml.dataset.feature_matrix import FeatureMatrix
from ml.dataset.interactions import Interactions
from ml.recommenders.models.ease import Ease, stretches
from ml.recommenders.models.neighbours import FADE, ItemKNN, following


@pytest.fixture(scope="module")
def one_user():
    """a, b, c, d, e in this order."""
    return Interactions.from_table(
        pa.table({"user_id": ["u"] * 5, "item_id": list("edcba"), "timestamp": [5, 4, 3, 2, 1]})
    )


def by_name(pairs, matrix):
    """A square matrix as a dictionary of the pairs of names that it holds."""
    names = pairs.items.to_list()
    coo = matrix.tocoo()
    return {(names[i], names[j]): v for i, j, v in zip(coo.row, coo.col, coo.data, strict=True) if v}


def test_items_near_each_other_go_together_the_nearer_the_more(one_user):
    found = by_name(one_user, following(one_user, one_user.liked, 2))
    assert found["a", "b"] == found["b", "a"] == pytest.approx(1)
    assert found["a", "c"] == pytest.approx(FADE)
    assert ("a", "d") not in found


def test_stretches_cut_the_order_twice(one_user):
    found = stretches(one_user, one_user.liked, 2)
    names = np.array(one_user.items.to_list())
    assert sorted("".join(sorted(names[row.indices])) for row in found) == ["a", "ab", "bc", "cd", "de", "e"]


def test_a_window_tells_what_whole_histories_cannot():
    """Everybody takes all six items; half in the order abc def, half def abc: whole histories are all the same."""
    order = {0: "abcdef", 1: "defabc"}
    rows = [(f"u{u}", item, place) for u in range(20) for place, item in enumerate(order[u % 2])]
    users, items, times = zip(*rows, strict=True)
    pairs = Interactions.from_table(pa.table({"user_id": users, "item_id": items, "timestamp": times}))
    place = {name: row for row, name in enumerate(pairs.items.to_list())}
    for model in (Ease(regularization=1.0, window=3), ItemKNN(window=2)):
        scores = model.fit(pairs).score_histories(model.history(["a", "b"]))[0]
        assert scores[place["c"]] > max(scores[place[other]] for other in "def") + 0.01


def test_features_of_items_speak_where_few_took_them():
    pairs = Interactions.from_table(pa.table({"user_id": ["u", "v", "w", "w"], "item_id": ["a", "b", "c", "d"]}))
    features = FeatureMatrix.from_table(
        pa.table({"item_id": ["a", "b", "c", "d"], "features": [["g:x"], ["g:x"], ["g:y"], ["g:z"]]}), "item_id"
    )
    model = Ease(regularization=1.0, feature_weight=1.0).fit(pairs, None, features)
    place = {name: row for row, name in enumerate(model.item_ids_.to_list())}
    scores = model.score_histories(model.history(["a"]))[0]
    # a and b share a feature and no user: x'x + f f' of the two is [[2, 1], [1, 2]], plus 1 on the diagonal;
    # its inverse is [[3, -1], [-1, 3]] / 8, so that the weight is 1/3.
    assert scores[place["b"]] == pytest.approx(1 / 3)
    assert scores[place["c"]] == pytest.approx(0)

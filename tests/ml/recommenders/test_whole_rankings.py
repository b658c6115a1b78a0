"""The AUC of whole rankings, against pairs that are counted by hand."""

import numpy as np
import pyarrow as pa
import pytest

from ml.dataset.interactions import Interactions
from ml.recommenders import whole_rankings
from ml.recommenders.models.popularity import Popularity
from ml.recommenders.whole_rankings import auc_of_users


def pairs_of(rows):
    users, items = zip(*rows, strict=True)
    return Interactions.from_table(pa.table({"user_id": users, "item_id": items}))


@pytest.fixture(scope="module")
def popularity():
    """Item i is taken by i + 1 of six people, so that the order is f, e, d, c, b, a."""
    return Popularity().fit(pairs_of([(f"u{u}", item) for i, item in enumerate("abcdef") for u in range(i + 1)]))


def test_pairs_of_relevant_and_other_items_are_in_the_right_order(popularity):
    liked = pairs_of([("u3", "a"), ("u3", "c"), ("u5", "e"), ("stranger", "e"), ("stranger", "not in the model")])
    # u3 had d, e and f: of a and c against b, one is in order. u5 had f: e is before the other four. The stranger
    # has e before four of five.
    expected = {"u3": 1 / 2, "u5": 1.0, "stranger": 4 / 5}
    values = dict(zip(liked.users.to_list(), auc_of_users(popularity, liked), strict=True))
    assert values == pytest.approx(expected)
    among = pa.array(["a", "e", "f", "not in the model"])
    values = dict(zip(liked.users.to_list(), auc_of_users(popularity, liked, among), strict=True))
    assert values == pytest.approx({"u3": np.nan, "u5": 1.0, "stranger": 1 / 2}, nan_ok=True)


def test_so_many_people_judge_at_most(popularity, monkeypatch):
    monkeypatch.setattr(whole_rankings, "MOST_USERS", 3)
    liked = pairs_of([(f"s{n}", "f") for n in range(9)])
    assert auc_of_users(popularity, liked).tolist() == [1.0, 1.0, 1.0]

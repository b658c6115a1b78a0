"""What is never recommended: neither by a model that was fitted without it nor by one that is told of it."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from ml.dataset.feature_matrix import FeatureMatrix
from ml.dataset.ids import Ids
from ml.dataset.interactions import Interactions
from ml.recommenders.exclusions import (
    count_effective,
    drop_features,
    drop_items,
    exclude_pairs,
    recommend_without,
)
from ml.recommenders.models.zoo import make_recommender

PAIRS = {
    "user_id": ["a", "a", "b", "b", "c", "c", "d"],
    "item_id": ["x", "y", "x", "z", "x", "y", "w"],
    "rating": [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0],
}


def pairs_of(interactions: Interactions) -> set[tuple[str, str, float]]:
    assert interactions.ratings is not None
    users, items = interactions.users.take(interactions.rows), interactions.items.take(interactions.columns)
    return set(zip(users.to_pylist(), items.to_pylist(), interactions.ratings.tolist(), strict=True))


def test_interactions_without_items_keep_the_others_and_their_ratings() -> None:
    left = drop_items(Interactions.from_table(pa.table(PAIRS)), Ids.of(["x", "w", "new"]))
    assert pairs_of(left) == {("a", "y", 2.0), ("b", "z", 4.0), ("c", "y", 6.0)}
    assert set(left.items.to_list()) == {"y", "z"}


def test_features_without_items_keep_those_of_the_others() -> None:
    table = pa.table({"item_id": ["x", "y", "z"], "features": [["g:1"], ["g:2"], ["g:1", "g:2"]]})
    left = drop_features(FeatureMatrix.from_table(table, "item_id"), Ids.of(["y"]))
    assert left is not None
    assert left.ids.to_list() == ["x", "z"]
    assert left.matrix.toarray().tolist() == [[1, 0], [1, 1]]


def test_a_fitted_model_never_recommends_a_pair_that_it_is_told_of() -> None:
    model = make_recommender("popularity").fit(Interactions.from_table(pa.table(PAIRS)))
    before = model.recommend(["d"], 3).to_table()["item_id"].to_pylist()
    assert before == ["x", "y", "z"]
    pairs = pa.table({"user_id": ["d", "d", "d", "nobody"], "item_id": ["x", "w", "nothing", "y"]})
    assert exclude_pairs(model, pairs) == 2
    assert model.recommend(["d"], 3).to_table()["item_id"].to_pylist() == ["y", "z"]
    assert model.seen_.dtype == np.int8
    assert model.seen_.max() == 1


def test_a_new_candidate_is_kept_from_those_alone_who_are_not_to_get_it() -> None:
    model = make_recommender("popularity").fit(Interactions.from_table(pa.table(PAIRS)))
    candidates, users = pa.array(["new", "z", "newer"]), pa.array(["a", "b", "stranger"])
    pairs = pa.table({"user_id": ["a", "stranger", "stranger"], "item_id": ["new", "new", "newer"]})
    lists = recommend_without(model, users, 3, candidates, pairs).to_table().to_pylist()
    items = {user: [row["item_id"] for row in lists if row["user_id"] == user] for user in users.to_pylist()}
    assert items == {"a": ["z", "newer"], "b": ["new", "newer"], "stranger": ["z"]}
    assert count_effective(pairs, users, Ids(candidates)) == 3
    assert count_effective(pairs, pa.array(["a"]), Ids(candidates)) == 1
    assert count_effective(pairs.select(["item_id"]), users, model.item_ids_) == 0


def test_recommendations_leave_out_items_for_all_and_pairs_for_their_user() -> None:
    model = make_recommender("popularity").fit(Interactions.from_table(pa.table(PAIRS)))
    users = pa.array(["d", "stranger"])

    def recommended(**options: pa.Array | pa.Table) -> dict[str, list[str]]:
        rows = recommend_without(model, users, 9, **options).to_table().to_pylist()
        return {user: [row["item_id"] for row in rows if row["user_id"] == user] for user in users.to_pylist()}

    assert recommended() == {"d": ["x", "y", "z"], "stranger": ["x", "y", "w", "z"]}
    items = pa.table({"item_id": ["x", "new"]})
    assert recommended(exclusions=items) == {"d": ["y", "z"], "stranger": ["y", "w", "z"]}
    candidates = pa.array(["new", "x", "z"])
    assert recommended(exclusions=items, candidates=candidates) == {"d": ["z"], "stranger": ["z"]}
    pair = pa.table({"user_id": ["stranger"], "item_id": ["y"]})
    assert recommended(exclusions=pair) == {"d": ["x", "y", "z"], "stranger": ["x", "w", "z"]}

"""What the hybrid does beyond the contract: identities by data, early stopping, growth, given vectors."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ml.dataset.feature_matrix import FeatureMatrix
from ml.dataset.interactions import Interactions
from ml.recommenders.models.lightfm import LightFMHybrid
from ml.recommenders.models.vectors import VectorFileError, read_vectors, start_vectors


def even_share(model, users, candidates):
    """Share of the first places that fit the user's taste: even users like even items."""
    rows = model.recommend(users, 3, candidates=candidates).to_table().to_pylist()
    return np.mean([int(row["item_id"][1:]) % 2 == int(row["user_id"][1:]) % 2 for row in rows])


def test_items_have_no_identity_where_what_comes_is_new(news):
    pairs, features = news
    model = LightFMHybrid(n_factors=16, epochs=8).fit(pairs, item_features=features)
    assert model.item_identity_from_ is None
    assert model.identity_figures_["never"] > model.identity_figures_["from_1"]
    assert not [name for name in model.item_feature_names_.to_list() if name.startswith("id:")]


@pytest.fixture(scope="module")
def noise():
    """Features of all forty items that say nothing."""
    random = np.random.default_rng(0)
    names = [f"i{n}" for n in range(40)]
    table = pa.table({"item_id": names, "features": [[f"x:{random.integers(4)}"] for _ in names]})
    return FeatureMatrix.from_table(table, "item_id")


def test_items_have_identities_where_features_say_nothing(two_tastes, noise):
    model = LightFMHybrid(n_factors=8, epochs=20).fit(two_tastes, item_features=noise)
    assert model.item_identity_from_ is not None
    assert even_share(model, [f"u{user}" for user in range(20)], None) > 0.85


def test_training_stops_where_held_back_interactions_are_ranked_best(two_tastes, user_features, item_features):
    model = LightFMHybrid(n_factors=8, epochs=60, patience=3, item_identity_from=1)
    model.fit(two_tastes, user_features, item_features)
    best = int(np.argmax(model.validation_curve_))
    assert model.epochs_ == best + 1
    assert len(model.validation_curve_) == min(60, best + 1 + 3)
    assert len(model.validation_curve_) < 60


def test_without_enough_to_hold_back_all_epochs_are_made():
    pairs = Interactions.from_table(pa.table({"user_id": ["a", "b"], "item_id": ["x", "y"]}))
    model = LightFMHybrid(n_factors=2, epochs=4, patience=1).fit(pairs)
    assert (model.epochs_, model.validation_curve_) == (4, [])


def test_ids_and_features_grow_and_what_was_learned_stays(two_tastes_table, user_features, item_features):
    model = LightFMHybrid(n_factors=8, epochs=30, item_identity_from=1)
    model.fit(Interactions.from_table(two_tastes_table), user_features, item_features)
    names, before = model.item_feature_names_, model.item_embeddings_
    new = pa.table(
        {
            "user_id": ["u60", "u60", "u60", "u2", "u4"],
            "item_id": ["i0", "i2", "i40", "i40", "i40"],
            "timestamp": [1_703_000_000] * 5,
            "rating": pa.array([5.0] * 5, pa.float32()),
        }
    )
    features = pa.table(
        {
            "item_id": [f"i{item}" for item in range(41)],
            "features": [[f"taste:{('even', 'odd')[item % 2]}", "season:new"] for item in range(41)],
        }
    )
    whole = Interactions.from_table(pa.concat_tables([two_tastes_table, new]))
    model.update(whole, user_features, FeatureMatrix.from_table(features, "item_id"), epochs=2)
    assert {"id:i40", "season:new"} <= set(model.item_feature_names_.to_list())
    assert (model.epochs, model.epochs_) == (30, 2)
    kept = model.item_feature_names_.rows(names.values)
    after = model.item_embeddings_[kept[kept >= 0]]
    # Two epochs move embeddings a little; a fit from scratch would share nothing with them but the size.
    old = before[kept >= 0]
    cosine = (after * old).sum() / (np.linalg.norm(after) * np.linalg.norm(old))
    assert cosine > 0.9
    assert even_share(model, ["u60"], None) == 1


def test_an_item_that_nobody_took_is_placed_by_its_vector(two_tastes, tmp_path):
    names = [f"i{n}" for n in range(40)]
    alike = FeatureMatrix.from_table(pa.table({"item_id": names, "features": [["kind:film"]] * 40}), "item_id")
    vectors = np.random.default_rng(1).normal(0, 0.1, (40, 12)).astype(np.float32)
    vectors[:, 0] += np.where(np.arange(40) % 2, 1.0, -1.0)
    file = tmp_path / "vectors.parquet"
    pq.write_table(pa.table({"item_id": names, "vector": vectors.tolist()}), file)
    users = [f"u{user}" for user in range(20)]
    model = LightFMHybrid(n_factors=8, epochs=30, vectors_file=str(file)).fit(two_tastes, item_features=alike)
    rows = model.recommend(users, 1, candidates=["i38", "i39"]).to_table().to_pylist()
    fitting = [int(row["item_id"][1:]) % 2 == int(row["user_id"][1:]) % 2 for row in rows]
    assert np.mean(fitting) > 0.85
    assert even_share(model, users, None) > 0.85


def test_vectors_come_from_numpy_too_with_the_ids_beside_them(tmp_path, two_tastes):
    np.save(tmp_path / "v.npy", np.arange(6.0).reshape(3, 2))
    (tmp_path / "v.txt").write_text("i1\ni3\nelsewhere\n")
    found = read_vectors(tmp_path / "v.npy", two_tastes.items)
    place = two_tastes.items.to_list().index
    assert found[place("i1")].tolist() == [0, 1]
    assert found[place("i3")].tolist() == [2, 3]
    assert not found[place("i5")].any()


def test_a_file_of_vectors_that_cannot_be_used_is_named(tmp_path, two_tastes):
    np.save(tmp_path / "v.npy", np.ones((3, 2)))
    with pytest.raises(VectorFileError, match=r"v\.txt is missing"):
        read_vectors(tmp_path / "v.npy", two_tastes.items)
    (tmp_path / "v.txt").write_text("i1\n")
    with pytest.raises(VectorFileError, match=r"3 vectors, but v\.txt names 1 items"):
        read_vectors(tmp_path / "v.npy", two_tastes.items)
    pq.write_table(pa.table({"item_id": ["i1", "i2"], "vector": [[1.0], [1.0, 2.0]]}), tmp_path / "v.parquet")
    with pytest.raises(VectorFileError, match="vectors of different length"):
        read_vectors(tmp_path / "v.parquet", two_tastes.items)


def test_start_vectors_keep_the_main_directions():
    given = np.array([[3.0, 0, 0], [-3, 0, 0], [3, 0.1, 0], [-3, -0.1, 0]], np.float32)
    started = start_vectors(given, 1)
    assert np.sign(started[:, 0] * started[0, 0]).tolist() == [1, -1, 1, -1]
    assert np.abs(started).mean() == pytest.approx(1)
    assert start_vectors(given, 5).shape == (4, 5)


def test_a_newcomer_is_folded_in_to_their_taste_whatever_the_biases(two_tastes, noise):
    """Their first places are what a user with that taste gets; scores that rank have no zero to be fitted to."""
    model = LightFMHybrid(n_factors=8, epochs=20, item_identity_from=1).fit(two_tastes, item_features=noise)
    known = model.user_factors_
    for parity in (0, 1):
        scores = model.score_histories(model.history([f"i{item + parity}" for item in (0, 4, 8)]))[0]
        rest = [item for item in range(38) if item not in {parity, parity + 4, parity + 8}]
        rows = model.item_ids_.rows([f"i{item}" for item in rest])
        best = np.argsort(-scores[rows])[:10]
        assert np.mean([rest[place] % 2 == parity for place in best]) == 1
        alike = [known[row] for row, user in enumerate(model.user_ids_.to_list()) if int(user[1:]) % 2 == parity]
        folded = model.fold_in([f"i{item + parity}" for item in (0, 4, 8)])
        others = [known[row] for row, user in enumerate(model.user_ids_.to_list()) if int(user[1:]) % 2 != parity]
        assert np.linalg.norm(folded - np.mean(alike, 0)) < np.linalg.norm(folded - np.mean(others, 0))
        assert abs(folded[8] - known[:, 8].mean()) < 3 * known[:, 8].std()  # the bias stays one of a user

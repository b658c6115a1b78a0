"""What every recommender promises, run for each model of the zoo."""

import importlib.util

import numpy as np
import pyarrow as pa
import pytest
from scipy import sparse

from ml.dataset.interactions import Interactions
from ml.recommenders.base import NoFactorsError, NotFittedError
from ml.recommenders.factors import FactorRecommender
from ml.recommenders.model_names import MODELS
from ml.recommenders.models.zoo import load_recommender, make_recommender
from ml.recommenders.user_removal import forget_users

SMALL = {
    "lightfm_warp": {"n_factors": 8, "epochs": 15},
    "lightfm_bpr": {"n_factors": 8, "epochs": 30},
    "lightfm_logistic": {"n_factors": 8, "epochs": 30},
    "als": {"n_factors": 8},
    "implicit_als": {"n_factors": 8},
    "implicit_bpr": {"n_factors": 8},
    "svd": {"n_factors": 4},
    "ease": {"regularization": 20.0},
    "autoencoder": {"hidden": 16, "epochs": 40, "learning_rate": 0.01, "networks": 1},
    "item2vec": {"n_factors": 8, "epochs": 20, "window": 9, "negatives": 5},
    "item_neighbours": {"shrinkage": 1.0},
    "content_vectors": {"n_factors": 3},
    "rating_factors": {"n_factors": 4, "epochs": 5},
    "two_tower": {"n_factors": 8, "epochs": 20, "batch": 128},
    "sasrec": {"n_factors": 8, "epochs": 20, "learning_rate": 0.01, "length": 12},
    "gru4rec": {"n_factors": 8, "epochs": 20, "learning_rate": 0.01, "length": 12},
    "stacked": {"models": [{"model": "ease"}, {"model": "als", "params": {"n_factors": 8}}], "trees": 20},
    "factor_blend": {
        "models": [
            {"model": "als", "weight": 1.0, "params": {"n_factors": 8}},
            {"model": "svd", "weight": 0.5, "params": {"n_factors": 4}},
        ]
    },
}
NEEDS_TORCH = {"two_tower", "sasrec", "gru4rec"}
IMPERSONAL = {"popularity", "trending", "rating_factors"}  # they say the same to everybody, or predict ratings
PERSONAL = [name for name in MODELS if name not in IMPERSONAL]
K = 6


@pytest.fixture(scope="module", params=list(MODELS))
def name(request):
    if request.param in NEEDS_TORCH and importlib.util.find_spec("torch") is None:
        pytest.skip("the extra torch is not installed")
    return request.param


def fresh(name):
    return make_recommender(name, **SMALL.get(name, {}))


@pytest.fixture(scope="module")
def fitted(name, two_tastes, user_features, item_features):
    return fresh(name).fit(two_tastes, user_features, item_features)


def rows_of(recommendations):
    return recommendations.to_table().to_pylist()


def test_every_user_gets_k_different_items_best_first_and_strangers_too(fitted):
    users = ["u3", "nobody has seen me", "u4"]
    rows = rows_of(fitted.recommend(users, K))
    for user in users:
        own = [row for row in rows if row["user_id"] == user]
        assert [row["rank"] for row in own] == list(range(1, K + 1))
        assert len({row["item_id"] for row in own}) == K
        scores = [row["score"] for row in own]
        assert scores == sorted(scores, reverse=True)
        assert np.isfinite(scores).all()


def test_no_item_of_training_is_recommended_and_all_others_are_reachable(fitted, two_tastes_table):
    rows = rows_of(fitted.recommend(["u0"], 1_000))
    taken = {row["item_id"] for row in two_tastes_table.to_pylist() if row["user_id"] == "u0"}
    assert {row["item_id"] for row in rows} == {f"i{item}" for item in range(40)} - taken


def test_excluded_pairs_and_other_than_candidates_stay_away(fitted):
    exclude = pa.table({"user_id": ["stranger"], "item_id": ["i5"]})
    rows = rows_of(fitted.recommend(["stranger", "u1"], 10, exclude, ["i4", "i5", "i39", "never heard of"]))
    assert {row["item_id"] for row in rows if row["user_id"] == "stranger"} == {"i4", "i39", "never heard of"}
    assert {row["item_id"] for row in rows} <= {"i4", "i5", "i39", "never heard of"}


def test_what_is_saved_is_what_is_loaded(fitted, tmp_path):
    fitted.save(tmp_path / "model")
    loaded = load_recommender(tmp_path / "model")
    users = ["u0", "u7", "stranger"]
    assert rows_of(loaded.recommend(users, K)) == rows_of(fitted.recommend(users, K))
    assert loaded.params() == fitted.params()
    assert not [file for file in tmp_path.rglob("*") if file.suffix in {".pkl", ".pickle", ".joblib"}]


def test_the_order_of_the_rows_decides_nothing(name, fitted, two_tastes_table, user_features, item_features):
    shuffled = two_tastes_table.take(np.random.default_rng(5).permutation(len(two_tastes_table)))
    again = fresh(name).fit(Interactions.from_table(shuffled), user_features, item_features)
    users = ["u0", "u7", "u13", "u44", "stranger"]
    assert rows_of(again.recommend(users, K)) == rows_of(fitted.recommend(users, K))


def test_a_model_that_is_not_finite_is_refused(name, two_tastes, user_features, item_features):
    model = fresh(name)
    learn = model._fit
    model._fit = lambda data: (learn(data), setattr(model, "broken_", np.array([1.0, np.nan])))
    with pytest.raises(ValueError, match="did not converge: broken_ holds 1 values that are not finite"):
        model.fit(two_tastes, user_features, item_features)


def test_the_same_seed_gives_the_same_model(name, fitted, two_tastes, user_features, item_features):
    again = fresh(name).fit(two_tastes, user_features, item_features)
    every = np.arange(60)
    np.testing.assert_array_equal(again.score(every), fitted.score(every))


@pytest.mark.parametrize("name", PERSONAL, indirect=True)
def test_the_taste_of_the_user_is_found(name, fitted):
    rows = rows_of(fitted.recommend([f"u{user}" for user in range(20)], 3))
    fitting = [int(row["item_id"][1:]) % 2 == int(row["user_id"][1:]) % 2 for row in rows]
    assert np.mean(fitting) > 0.85


def test_a_new_user_is_served_from_a_history_without_refitting(name, fitted):
    items = [f"i{item}" for item in (0, 2, 4, 6)]
    scores = fitted.score_histories(fitted.history(items))
    assert scores.shape == (1, 40)
    assert np.isfinite(scores).all()
    empty = fitted.score_histories(sparse.csr_matrix((2, 40), dtype=np.float32))
    assert np.isfinite(empty).all()
    if name not in IMPERSONAL | {"segment_popularity"}:
        rows = fitted.item_ids_.rows([f"i{item}" for item in range(8, 38)])
        even = np.arange(8, 38) % 2 == 0
        assert scores[0, rows][even].mean() > scores[0, rows][~even].mean()


def test_a_vector_is_folded_in_where_there_are_factors(fitted):
    if not isinstance(fitted, FactorRecommender):
        with pytest.raises(NoFactorsError, match="score_histories"):
            fitted.fold_in(["i0"])
        return
    vector = fitted.fold_in(["i0", "i2"], [1.0, 2.0])
    assert vector.shape == (fitted.item_factors_.shape[1],)
    product = fitted.user_factors_[:5] @ fitted.item_factors_.T
    np.testing.assert_allclose(fitted.score(np.arange(5)), product, rtol=1e-5)


def test_an_unfitted_model_says_so(name):
    with pytest.raises(NotFittedError, match="fit first"):
        fresh(name).recommend(["u1"])


def test_a_forgotten_user_leaves_no_name_and_no_vector(fitted, tmp_path):
    fitted.save(tmp_path)
    kept, gone = fitted.user_ids_.rows(["u3", "u4"])
    before = fitted.score(np.array([kept]))
    assert forget_users(tmp_path, ["u4", "nobody"]) > 0
    assert forget_users(tmp_path, ["u4"]) == 0  # it is done already
    found = load_recommender(tmp_path)
    assert found.user_ids_.rows(["u3", "u4"]).tolist() == [kept, -1]
    np.testing.assert_allclose(found.score(np.array([kept]))[0], before[0], rtol=1e-5, atol=1e-6)
    assert found.seen_[gone].nnz == 0
    for name, value in found.state().items():
        rows = getattr(value, "shape", (0,))[0] if not isinstance(value, dict) else 0
        if rows == 60 and name not in {"user_ids_"}:  # whatever has a row a user holds nothing of this one
            row = value[gone].toarray() if sparse.issparse(value) else np.asarray(value[gone])
            expected = found.unknown_user_ if name == "user_factors_" else 0
            np.testing.assert_allclose(row, np.broadcast_to(expected, row.shape), err_msg=name)
    names = [
        name
        for file in tmp_path.rglob("ids.arrow")
        for name in pa.ipc.open_file(str(file)).read_all()["id"].to_pylist()
    ]
    assert not {"u4", "id:u4"} & set(names)

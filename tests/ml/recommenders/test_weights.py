"""A large weight says more than a small one, in every model that can take weights."""

import importlib.util

import numpy as np
import pyarrow as pa
import pytest
from scipy import sparse

from ml.dataset.feature_matrix import FeatureMatrix
from ml.dataset.interactions import Interactions
from ml.dataset.ratings import RatingReading
from ml.dataset.weight_scale import WEIGHT_SCALINGS
from ml.recommenders.data_split import DataSplit
from ml.recommenders.model_names import MODELS
from ml.recommenders.models.als import ImplicitALS
from ml.recommenders.models.implicit_library import ImplicitLibrary, repeated_pairs
from ml.recommenders.models.training_pairs import positives, with_negatives
from ml.recommenders.models.zoo import make_recommender
from ml.recommenders.training_data import TrainingData
from ml.recommenders.validation import ValidationWindow

N_USERS, N_ITEMS, EACH = 200, 40, 24
SAME_FOR_EVERYBODY = {"popularity", "trending"}
NEEDS_TORCH = {"two_tower", "sasrec", "gru4rec"}
NETWORK = {"n_factors": 16, "epochs": 20, "learning_rate": 0.005, "length": EACH, "batch": 16}
SMALL = {"sasrec": NETWORK, "gru4rec": NETWORK}
PREDICTS_RATINGS = {"rating_factors"}


def taken(of_own: float, of_others: float, signal: str = "weight") -> pa.Table:
    """Every user takes 24 of 40 items; those of the user's own parity have another weight than the others."""
    random = np.random.default_rng(0)
    items = np.concatenate([random.choice(N_ITEMS, EACH, replace=False) for _ in range(N_USERS)])
    users = np.repeat(np.arange(N_USERS), EACH)
    return pa.table(
        {
            "user_id": [f"u{user}" for user in users],
            "item_id": [f"i{item}" for item in items],
            signal: np.where(users % 2 == items % 2, of_own, of_others),
        }
    )


@pytest.fixture(scope="module")
def weighted() -> Interactions:
    return Interactions.from_table(taken(500.0, 1.0))


@pytest.fixture(scope="module", params=[name for name in MODELS if name not in PREDICTS_RATINGS])
def name(request):
    if request.param in NEEDS_TORCH and importlib.util.find_spec("torch") is None:
        pytest.skip("the extra torch is not installed")
    return request.param


@pytest.fixture(scope="module")
def features(name):
    """Features for the models that have nothing else to go by."""
    items = FeatureMatrix.from_table(
        pa.table(
            {
                "item_id": [f"i{i}" for i in range(N_ITEMS)],
                "features": [[f"p:{i % 2}", f"s:{i % 3}"] for i in range(N_ITEMS)],
            }
        ),
        "item_id",
    )
    users = FeatureMatrix.from_table(
        pa.table(
            {"user_id": [f"u{u}" for u in range(N_USERS)], "features": [[f"c:{u % 2}"] for u in range(N_USERS)]}
        ),
        "user_id",
    )
    return users if name == "segment_popularity" else None, items if name.startswith("content") else None


@pytest.fixture(scope="module")
def fitted(name, weighted, features):
    return make_recommender(name, **SMALL.get(name, {})).fit(weighted, *features)


def own_share(recommender) -> float:
    """Share of items of the user's own parity among the two that are recommended first."""
    rows = recommender.recommend([f"u{user}" for user in range(N_USERS)], 2).to_table().to_pylist()
    return float(np.mean([int(row["user_id"][1:]) % 2 == int(row["item_id"][1:]) % 2 for row in rows]))


def test_what_has_a_large_weight_is_what_is_recommended(name, fitted):
    assert fitted.uses_weights == (name not in SAME_FOR_EVERYBODY)  # each person counts once in popularity
    if name not in SAME_FOR_EVERYBODY:
        assert own_share(fitted) >= 0.95


@pytest.mark.parametrize("ratings", [(5.0, 1.0), (9.0, -9.0), (10.0, 0.0), (100.0, 20.0), (1.0, 0.0), (1.0, -1.0)])
def test_what_is_rated_high_is_what_is_recommended(name, features, ratings):
    pairs = Interactions.from_table(taken(*ratings, signal="rating"))
    weighed = RatingReading.learn(pairs).weigh(pairs)
    if name not in SAME_FOR_EVERYBODY:
        assert own_share(make_recommender(name, **SMALL.get(name, {})).fit(weighed, *features)) >= 0.95


def test_what_has_a_negative_weight_is_not_recommended(name, features):
    if name not in SAME_FOR_EVERYBODY:
        pairs = Interactions.from_table(taken(1.0, -1.0))
        assert own_share(make_recommender(name, **SMALL.get(name, {})).fit(pairs, *features)) >= 0.95


def test_the_unit_of_the_weights_changes_no_list(name, fitted, features):
    again = make_recommender(name, **SMALL.get(name, {})).fit(
        Interactions.from_table(taken(500.0 * 3_600, 3_600.0)), *features
    )
    users = [f"u{user}" for user in range(N_USERS)]
    first, second = (model.recommend(users, 2).to_table().to_pylist() for model in (fitted, again))
    same = [one["item_id"] == other["item_id"] for one, other in zip(first, second, strict=True)]
    assert np.mean(same) > 0.97  # a rounding may decide between two items that are as good


def test_equal_weights_and_no_weights_give_the_same_model(name, features):
    equal, none = taken(7.0, 7.0), taken(7.0, 7.0).drop_columns(["weight"])
    scores = [
        make_recommender(name, **SMALL.get(name, {}))
        .fit(Interactions.from_table(table), *features)
        .score(np.arange(N_USERS))
        for table in (equal, none)
    ]
    np.testing.assert_array_equal(*scores)


def test_weights_of_a_new_users_history_count_as_those_of_the_training(name, fitted):
    if name in SAME_FOR_EVERYBODY | {"segment_popularity"}:
        return
    even, odd = [f"i{item}" for item in range(0, 16, 2)], [f"i{item}" for item in range(1, 17, 2)]
    history = fitted.history(even + odd, [500.0] * 8 + [1.0] * 8)
    scores = fitted.score_histories(history)[0]
    rows = fitted.item_ids_.rows([f"i{item}" for item in range(18, 40)])
    is_even = np.arange(18, 40) % 2 == 0
    assert scores[rows][is_even].mean() > scores[rows][~is_even].mean()


def test_a_model_says_whether_it_uses_the_features_of_items(name):
    """The features are drawn, so that a model that looks at them ranks otherwise."""
    random = np.random.default_rng(2)
    lists = [[f"f:{random.integers(4)}", f"g:{random.integers(3)}"] for _ in range(N_ITEMS)]
    table = pa.table({"item_id": [f"i{i}" for i in range(N_ITEMS)], "features": lists})
    pairs = Interactions.from_table(taken(1.0, 0.5))
    recommender = make_recommender(name, **SMALL.get(name, {}))
    if name.startswith("content"):
        assert recommender.uses_item_features  # and cannot be fitted without
        return
    features = FeatureMatrix.from_table(table, "item_id")
    scores = [
        make_recommender(name, **SMALL.get(name, {})).fit(pairs, None, given).score(np.arange(9))
        for given in (None, features)
    ]
    assert recommender.uses_item_features == (not np.array_equal(*scores))


def test_a_rating_model_says_that_it_does_not_use_weights():
    assert not make_recommender("rating_factors").uses_weights
    assert not make_recommender("blend", models=[{"model": "rating_factors", "weight": 1.0}]).uses_weights


@pytest.mark.parametrize("scaling", WEIGHT_SCALINGS)
def test_als_is_the_weighted_ridge_regression(scaling):
    """One user against the solution of the normal equations, cell by cell."""
    random = np.random.default_rng(1)
    matrix = sparse.random_array((30, 12), density=0.4, rng=random, format="csr", dtype=np.float32)
    matrix.data = random.integers(1, 50, matrix.nnz).astype(np.float32)
    rows, columns = matrix.nonzero()
    table = pa.table({"user_id": rows.astype(str), "item_id": columns.astype(str), "weight": matrix.data})
    model = ImplicitALS(n_factors=4, iterations=2, weight_scaling=scaling).fit(Interactions.from_table(table))
    weights = Interactions.from_table(table).liked_weights
    confidences = model.confidences(weights).toarray()
    left, right = model.regularization * np.count_nonzero(confidences[5]) * np.eye(4), np.zeros(4)
    for item, vector in enumerate(model.item_factors_.astype(float)):
        wanted = confidences[5, item] > 0
        weight = 1 + model.confidence * confidences[5, item]
        left += weight * np.outer(vector, vector)
        right += weight * wanted * vector
    np.testing.assert_allclose(model.user_factors_[5], np.linalg.solve(left, right), rtol=2e-3, atol=2e-4)


def test_the_librarys_als_weighs_a_cell_by_its_confidence(weighted):
    """Conjugate gradients come close to the solution of the normal equations."""
    model = ImplicitLibrary(n_factors=4, iterations=60, regularization=5.0).fit(weighted)
    confidences = model.confidences(weighted.liked_weights).toarray().astype(float)
    items = model.item_factors_.astype(float)
    for user in range(5):
        weights = 1 + (model.confidence - 1) * confidences[user]
        left = (items * np.where(confidences[user] > 0, weights, 1)[:, None]).T @ items + 5.0 * np.eye(4)
        expected = np.linalg.solve(left, items.T @ (weights * (confidences[user] > 0)))
        np.testing.assert_allclose(items @ model.user_factors_[user], items @ expected, atol=0.02)


def test_bpr_draws_a_pair_as_often_as_it_is_worth():
    confidences = sparse.csr_matrix(np.array([[0.01, 1.5, 0], [0, 1.0, 2.0]], np.float32))
    repeated = repeated_pairs(confidences, seed=0)
    assert sparse.csr_matrix(repeated.toarray()).toarray().tolist() == [[1, 15, 0], [0, 10, 20]]
    assert repeated.nnz == 46


def test_lightfm_passes_over_pairs_of_low_confidence_in_most_epochs():
    confidences = sparse.csr_matrix(np.array([[0.25, 2.0], [1.0, 0.75]], np.float32))
    random = np.random.default_rng(0)
    drawn = np.zeros((2, 2))
    for _ in range(2_000):
        examples, weights = positives(confidences, random)
        assert (examples.row == weights.row).all()
        assert (examples.col == weights.col).all()
        drawn += examples.toarray() * weights.toarray()
    np.testing.assert_allclose(drawn / 2_000, confidences.toarray(), atol=0.03)


def test_negatives_of_lightfm_weigh_one_and_stand_beside_the_liked_pairs():
    confidences = sparse.csr_matrix(np.array([[0.25, 2.0, 0, 0, 0], [0, 0, 0, 1.0, 0.75]], np.float32))
    examples, weights = with_negatives(confidences, np.random.default_rng(0))
    signs, sizes = examples.toarray(), weights.toarray()
    np.testing.assert_array_equal(np.where(signs > 0, sizes, 0), confidences.toarray())
    assert (signs < 0).any()
    assert set(sizes[signs < 0]) == {1.0}


def test_a_validation_prefers_what_was_taken_with_more_weight():
    """Two items are held back; the one of weight 8 at the first place is worth more than the one of weight 1."""
    past = Interactions.from_table(
        pa.table(
            {"user_id": ["u", "v", "v", "w"], "item_id": ["a", "b", "c", "a"], "weight": [1.0, 4.0, 1.0, 4.0]}
        )
    )
    future = Interactions.from_table(
        pa.table({"user_id": ["u", "u"], "item_id": ["b", "c"], "weight": [8.0, 1.0]})
    )
    window = ValidationWindow.of(DataSplit(TrainingData.align(past), future), k=1)
    model = make_recommender("popularity").fit_aligned(window.past)
    gain = [np.log1p(weight / 2) for weight in (8.0, 1.0)]  # 2 is the geometric mean of the training
    for scores, expected in (([0, 1, 0], 1.0), ([0, 0, 1], gain[1] / gain[0])):
        model.scores_ = np.array(scores, np.float32)[past.items.rows(window.past.interactions.items.values)]
        assert window.judge(model).tolist() == pytest.approx([expected])

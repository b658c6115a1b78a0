"""How much work a configuration is, from the shape of the data alone: no clock decides what `auto` tries.

A unit is about a second on one core of a common machine. The constants were fitted to measured times of each model
on tables of 14,000 to 3,000,000 pairs; what matters is that models compare, not that a unit is a second.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ml.recommenders.models.content.regression import MOST_FEATURES
from ml.recommenders.models.second_stage.choice_model import MOST_USERS
from ml.recommenders.models.zoo import make_recommender
from ml.recommenders.selection.compare import Configuration
from ml.recommenders.selection.plan.shape import DataShape

CELL = 5e-8  # to score, standardise or sort one item of one user
PAIR = 2e-7  # to touch one interaction in a sparse matrix
VISITS = 2e-3  # to compare the latest items of one user with the newest visits that hold them
PASSES = 15  # over the data, after which most networks stop
LEAST = 0.02

Params = Mapping[str, Any]


def fit_work(configuration: Configuration, shape: DataShape) -> float:
    """Units to fit a configuration on data of this shape."""
    params = make_recommender(configuration.model, **configuration.params).params()
    estimate = _ESTIMATES.get(configuration.model, _unknown)
    return LEAST + PAIR * shape.n_pairs + estimate(params, shape)


def judge_work(configuration: Configuration, shape: DataShape, n_judges: int, n_ranked: int) -> float:
    """Units to rank so many items for so many users."""
    parts = configuration.params.get("models", ())
    work = CELL * n_judges * n_ranked * max(1, len(parts))
    models = [configuration.model, *(part["model"] for part in parts)]
    if "session_neighbours" in models:
        work += VISITS * n_judges
    if "user_neighbours" in models:
        work += 5e-8 * shape.item_products * min(1.0, n_judges / shape.n_users)
    return work


def _light(params: Params, shape: DataShape) -> float:
    return 0.0


def _unknown(params: Params, shape: DataShape) -> float:
    """A model without an estimate passes over the pairs with vectors, as most do."""
    return 1e-8 * int(params.get("epochs", 20)) * shape.n_pairs * int(params.get("n_factors", 64))


def _ease(params: Params, shape: DataShape) -> float:
    n = min(int(params["most_items"]), shape.n_items)
    rows = 1 if params["window"] is None else 2
    features = 1e-8 * shape.item_features**2 / max(1, shape.n_all_items) if params["feature_weight"] else 0.0
    return 7e-11 * n**3 + 3e-8 * n**2 + 1.5e-8 * rows * shape.user_products + features


def _als(params: Params, shape: DataShape) -> float:
    d, rows = int(params["n_factors"]), shape.n_users + shape.n_items
    solved = 1.5e-10 * (rows * d**3 + shape.n_pairs * d**2) + 1e-8 * (rows + shape.n_pairs) * d
    return (int(params["iterations"]) + 0.5) * solved


def _item_neighbours(params: Params, shape: DataShape) -> float:
    window = params["window"]
    products = shape.user_products if window is None else 4 * shape.n_pairs * int(window)
    return 3e-8 * min(products, shape.user_products)


def _svd(params: Params, shape: DataShape) -> float:
    d = int(params["n_factors"])
    return 6e-8 * shape.n_pairs * d + 2e-9 * (shape.n_users + shape.n_items) * d**2


def _autoencoder(params: Params, shape: DataShape) -> float:
    weights = int(params["hidden"]) * shape.n_all_items * int(params["networks"])
    return 7e-10 * int(params["epochs"]) * shape.n_users * weights


def _network(params: Params, shape: DataShape) -> float:
    """The passes to choose their number, and as many again: the layers over each item, and the softmax."""
    d, negatives = int(params["n_factors"]), min(int(params["negatives"]), shape.n_items)
    each = 12 * int(params["layers"]) * d**2 + 6 * negatives * d + shape.n_all_items * d / int(params["batch"])
    passes = 2 * min(int(params["epochs"]), PASSES) * int(params["networks"])
    return 6e-11 * passes * shape.n_pairs * each


def _lightfm(params: Params, shape: DataShape) -> float:
    features = 2 + shape.item_features / max(1, shape.n_all_items) + shape.user_features / max(1, shape.n_users)
    epochs = int(params["epochs"])
    if params["item_identity_from"] == "auto" and shape.item_features:
        epochs += 2 * min(epochs, 5)
    return 2e-8 * epochs * shape.n_pairs * features * (int(params["n_factors"]) + 10)


def _content(params: Params, shape: DataShape) -> float:
    each = shape.item_features / max(1, shape.n_all_items)
    return 2e-7 * shape.n_pairs * each + 1e-7 * shape.item_features


def _content_vectors(params: Params, shape: DataShape) -> float:
    return _content(params, shape) * int(params["n_factors"]) / 10


def _content_regression(params: Params, shape: DataShape) -> float:
    """Five times over the features of the pairs, and two systems of equations."""
    d = min(shape.item_feature_names, MOST_FEATURES)
    each = shape.item_features / max(1, shape.n_all_items)
    products = min(2 * each**2 * shape.user_products, float(shape.n_users) * d**2)
    return 5 * (2e-7 * shape.n_pairs * each + 5e-10 * products) + 5e-10 * d**3


def _parts(params: Params, shape: DataShape) -> float:
    return sum(fit_work(Configuration(part["model"], part.get("params", {})), shape) for part in params["models"])


def _stacked(params: Params, shape: DataShape) -> float:
    """The first stage once a fold and once more, its scores of everybody, and the second stage."""
    folds = 2 if params["folds_by"] == "time" else int(params["folds"])
    folds = min(folds, params["learned_folds"] or folds)
    users = min(shape.n_users, MOST_USERS // folds if params["objective"] == "choice" else 4_000)
    scored = users * (CELL * shape.n_all_items * (1 + len(params["models"])) + 3e-6 * (params["rescored"] or 300))
    return (folds + 1) * _parts(params, shape) + folds * scored


_ESTIMATES: dict[str, Callable[[Params, DataShape], float]] = {
    "popularity": _light,
    "trending": _light,
    "segment_popularity": _light,
    "ease": _ease,
    "als": _als,
    "item_neighbours": _item_neighbours,
    "user_neighbours": _light,  # all the work is in the ranking
    "session_neighbours": _light,  # as for users, the work is in the ranking
    "svd": _svd,
    "sasrec": _network,
    "gru4rec": _network,
    "autoencoder": _autoencoder,
    "lightfm_warp": _lightfm,
    "lightfm_bpr": _lightfm,
    "lightfm_logistic": _lightfm,
    "content_tfidf": _content,
    "content_affinity": _content,
    "content_vectors": _content_vectors,
    "content_regression": _content_regression,
    "blend": _parts,
    "stacked": _stacked,
}

"""Names of all recommenders: each with its module, its class and the settings that make it what it is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ml.errors import TesseraError

MODELS: dict[str, tuple[str, str, dict[str, Any]]] = {
    "popularity": ("popularity", "Popularity", {}),
    "trending": ("popularity", "Trending", {}),
    "segment_popularity": ("segment_popularity", "SegmentPopularity", {}),
    "lightfm_warp": ("lightfm", "LightFMHybrid", {"loss": "warp"}),
    "lightfm_bpr": ("lightfm", "LightFMHybrid", {"loss": "bpr"}),
    "lightfm_logistic": ("lightfm", "LightFMHybrid", {"loss": "logistic"}),
    "als": ("als", "ImplicitALS", {}),
    "implicit_als": ("implicit_library", "ImplicitLibrary", {"kind": "als"}),
    "implicit_bpr": (
        "implicit_library",
        "ImplicitLibrary",
        {"kind": "bpr", "iterations": 100, "regularization": 0.03},
    ),
    "svd": ("svd", "TruncatedSVD", {}),
    "rating_factors": ("rating_factors", "RatingFactors", {}),
    "ease": ("ease", "Ease", {}),
    "autoencoder": ("autoencoder", "Autoencoder", {}),
    "item_neighbours": ("neighbours", "ItemKNN", {}),
    "user_neighbours": ("neighbours", "UserKNN", {}),
    "session_neighbours": ("sequences.session_neighbours", "SessionNeighbours", {}),
    "sasrec": ("sequences.sasrec", "Sasrec", {}),
    "gru4rec": ("sequences.gru4rec", "Gru4Rec", {}),
    "item2vec": ("item2vec", "Item2Vec", {}),
    "content_tfidf": ("content.profiles", "TfidfContent", {}),
    "content_affinity": ("content.profiles", "TagAffinity", {}),
    "content_vectors": ("content.profiles", "VectorContent", {}),
    "content_regression": ("content.regression", "ContentRegression", {}),
    "two_tower": ("two_tower", "TwoTower", {}),
    "blend": ("blends", "Blend", {"models": [{"model": "ease", "weight": 1.0}, {"model": "als", "weight": 1.0}]}),
    "factor_blend": (
        "blends",
        "FactorBlend",
        {"models": [{"model": "als", "weight": 1.0}, {"model": "svd", "weight": 0.5}]},
    ),
    "stacked": (
        "second_stage.stacking",
        "Stacked",
        {"models": [{"model": "ease"}, {"model": "als"}, {"model": "item_neighbours"}]},
    ),
}


class UnknownModelError(TesseraError, ValueError):
    """There is no recommender of this name; the message lists those that there are."""


def model_entry(name: str) -> tuple[str, str, dict[str, Any]]:
    """Module, class and settings of a name.

    Raises:
        UnknownModelError: The name is not in the table.
    """
    if name not in MODELS:
        raise UnknownModelError(f"model {name!r}; there are {', '.join(MODELS)}")
    file, class_name, defaults = MODELS[name]
    return f"{__package__}.models.{file}", class_name, defaults


def model_module(name: str) -> str:
    """The module that defines a model, such as `ml.recommenders.models.als`.

    Raises:
        UnknownModelError: The name is not in the table.
    """
    return model_entry(name)[0]


def model_name(class_name: str, params: Mapping[str, Any]) -> str:
    """The zoo's name of a class with these parameters.

    Where several names share a class, it is the name whose settings agree most with the parameters.

    Args:
        class_name: Name of the class.
        params: Constructor arguments.

    Raises:
        UnknownModelError: No name of the zoo makes this class.
    """
    names = [name for name, (_, made, _) in MODELS.items() if made == class_name]
    if not names:
        raise UnknownModelError(f"{class_name} is not a class of the zoo, which holds {', '.join(MODELS)}")

    def agreement(name: str) -> int:
        return sum(params.get(key) == value for key, value in MODELS[name][2].items())

    return max(names, key=agreement)

"""All recommenders by name, each with the settings that it has unless told otherwise."""

from __future__ import annotations

import importlib
from typing import Any

from ml.errors import TesseraError
from ml.recommenders.base import Recommender

MODELS: dict[str, tuple[str, str, dict[str, Any]]] = {
    "popularity": ("popularity", "Popularity", {}),
    "trending": ("popularity", "Trending", {}),
    "segment_popularity": ("segment_popularity", "SegmentPopularity", {}),
    "lightfm_warp": ("lightfm", "LightFMHybrid", {"loss": "warp"}),
    "lightfm_bpr": ("lightfm", "LightFMHybrid", {"loss": "bpr"}),
    "lightfm_logistic": ("lightfm", "LightFMHybrid", {"loss": "logistic"}),
    "als": ("als", "ImplicitALS", {}),
    "implicit_als": ("implicit_library", "ImplicitLibrary", {"kind": "als"}),
    "implicit_bpr": ("implicit_library", "ImplicitLibrary", {"kind": "bpr", "iterations": 100}),
    "svd": ("svd", "TruncatedSVD", {}),
    "rating_factors": ("rating_factors", "RatingFactors", {}),
    "ease": ("ease", "Ease", {}),
    "autoencoder": ("autoencoder", "Autoencoder", {}),
    "item_neighbours": ("neighbours", "ItemNeighbours", {}),
    "user_neighbours": ("neighbours", "UserNeighbours", {}),
    "item2vec": ("item2vec", "Item2Vec", {}),
    "content_tfidf": ("content", "TfidfContent", {}),
    "content_affinity": ("content", "TagAffinity", {}),
    "content_vectors": ("content", "VectorContent", {}),
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


def make_recommender(name: str, **params: Any) -> Recommender:
    """An unfitted recommender; `params` go over those of the table.

    Raises:
        UnknownModelError: the name is not in the table.
    """
    if name not in MODELS:
        raise UnknownModelError(f"model {name!r}; there are {', '.join(MODELS)}")
    file, kind, defaults = MODELS[name]
    # Each model brings its own library: import only the one that is asked for.
    module = importlib.import_module(f"ml.recommenders.models.{file}")
    recommender: Recommender = getattr(module, kind)(**{**defaults, **params})
    return recommender


def seeded(name: str, seed: int) -> dict[str, int]:
    """`{"seed": seed}` for a model that draws random numbers, `{}` for one that does not."""
    return {"seed": seed} if "seed" in make_recommender(name).params() else {}

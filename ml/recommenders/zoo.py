"""All recommenders by name, each with the settings that it has unless told otherwise."""

from __future__ import annotations

import importlib
from typing import Any

from ml.recommenders.base import Recommender

MODELS: dict[str, tuple[str, str, dict[str, Any]]] = {
    "popularity": ("popularity", "Popularity", {}),
    "trending": ("popularity", "Trending", {}),
    "lightfm_warp": ("lightfm_hybrid", "LightFMHybrid", {"loss": "warp"}),
    "lightfm_bpr": ("lightfm_hybrid", "LightFMHybrid", {"loss": "bpr"}),
    "lightfm_logistic": ("lightfm_hybrid", "LightFMHybrid", {"loss": "logistic"}),
}


class UnknownModelError(ValueError):
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
    module = importlib.import_module(f"ml.recommenders.{file}")
    recommender: Recommender = getattr(module, kind)(**{**defaults, **params})
    return recommender

"""The zoo: all recommenders by name, each with its module, its class and the settings that make it what it is."""

from __future__ import annotations

import importlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ml.errors import TesseraError
from ml.recommenders.layouts import ModelFileError
from ml.recommenders.persistence import read_model

if TYPE_CHECKING:
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
    "item_neighbours": ("neighbours", "ItemKNN", {}),
    "user_neighbours": ("neighbours", "UserKNN", {}),
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
    """Make an unfitted recommender.

    Args:
        name: Name of the model in the zoo.
        params: Constructor arguments; they replace those of the table.

    Raises:
        UnknownModelError: The name is not in the table.
    """
    module, class_name, defaults = _entry(name)
    # Each model brings its own library, so only the module of this model is imported.
    recommender: Recommender = getattr(importlib.import_module(module), class_name)(**{**defaults, **params})
    return recommender


def load_recommender(folder: Path) -> Recommender:
    """Load what `Recommender.save` of this or an earlier version wrote.

    Args:
        folder: Folder of the saved recommender.

    Raises:
        ModelFileError: The folder holds no model that this version can load; the message says what to do.
    """
    folder = Path(folder)
    saved = read_model(folder)
    try:
        recommender = make_recommender(saved.model, **saved.params)
    except ImportError as error:
        raise ModelFileError(f"{folder}: {saved.model} needs a library that is not installed: {error}") from error
    except (UnknownModelError, TypeError) as error:
        raise ModelFileError(
            f"{folder}: this version cannot make the saved model: {error}. "
            "Train again: `tessera materialize --job training`, or `tessera fit` for a model of your own tables"
        ) from error
    recommender.set_state(saved.state)
    recommender.set_parts({part: load_recommender(folder / part) for part in saved.parts})
    return recommender


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


def model_module(name: str) -> str:
    """The module that defines a model, such as `ml.recommenders.models.als`.

    Raises:
        UnknownModelError: The name is not in the table.
    """
    return _entry(name)[0]


def _entry(name: str) -> tuple[str, str, dict[str, Any]]:
    """Module, class and settings of a name."""
    if name not in MODELS:
        raise UnknownModelError(f"model {name!r}; there are {', '.join(MODELS)}")
    file, class_name, defaults = MODELS[name]
    return f"{__package__}.{file}", class_name, defaults


def any_part_uses_user_features(parts: Iterable[Mapping[str, Any]]) -> bool:
    """Whether any model of a blend or a stack does.

    Args:
        parts: Dictionaries with `model` and optional `params`.
    """
    return any(make_recommender(part["model"], **part.get("params", {})).uses_user_features for part in parts)


def seeded(name: str, seed: int) -> dict[str, int]:
    """`{"seed": seed}` for a model that draws random numbers, `{}` for one that does not."""
    return {"seed": seed} if "seed" in make_recommender(name).params() else {}

"""Layouts of a saved recommender's document: the one written today, and how the older ones are read.

Format 2 names the model as the zoo does. Format 1 named the module and the class that had written it, so that a
moved file made every saved model unreadable.
"""

from __future__ import annotations

from typing import Any

from ml.errors import TesseraError

FORMAT = 2
_PACKAGE = "ml.recommenders."
# Class names of format 1 and the zoo's name of each; a name in braces is the parameter that tells variants apart.
_ZOO_NAMES = {
    "Popularity": "popularity",
    "Trending": "trending",
    "SegmentPopularity": "segment_popularity",
    "LightFMHybrid": "lightfm_{loss}",
    "ImplicitALS": "als",
    "ImplicitLibrary": "implicit_{kind}",
    "TruncatedSVD": "svd",
    "RatingFactors": "rating_factors",
    "Ease": "ease",
    "Autoencoder": "autoencoder",
    "ItemNeighbours": "item_neighbours",
    "UserNeighbours": "user_neighbours",
    "Item2Vec": "item2vec",
    "TfidfContent": "content_tfidf",
    "TagAffinity": "content_affinity",
    "VectorContent": "content_vectors",
    "TwoTower": "two_tower",
    "Blend": "blend",
    "FactorBlend": "factor_blend",
    "Stacked": "stacked",
}


class ModelFileError(TesseraError, ValueError):
    """A folder holds no model that this version can load; the message says which file and why."""


def current_layout(document: dict[str, Any]) -> dict[str, Any]:
    """Bring the document of a saved recommender to the layout of `FORMAT`.

    Args:
        document: The JSON document as it was read; it is not changed.

    Returns:
        A document with `model`, `params`, `parts` and `state`.

    Raises:
        ModelFileError: The document is newer than this version of Tessera, has no format, or names a class that
            this version does not have.
    """
    written = document.get("format")
    if not isinstance(written, int) or isinstance(written, bool) or written < 1:
        raise ModelFileError(f"format {written!r} is not a number from 1 to {FORMAT}")
    if written > FORMAT:
        raise ModelFileError(
            f"format {written} was made by a newer Tessera; this one reads up to {FORMAT}: upgrade Tessera"
        )
    current = {name: value for name, value in document.items() if name not in ("format", "class")}
    if written == 1:
        current["model"] = _zoo_name(str(document["class"]), document["params"])
    return current


def _zoo_name(class_path: str, params: dict[str, Any]) -> str:
    """The zoo's name of a class that format 1 names, such as `ml.recommenders.als.ImplicitALS`."""
    class_name = class_path.rpartition(".")[2]
    if not class_path.startswith(_PACKAGE):
        raise ModelFileError(f"{class_path!r} is not a recommender of {_PACKAGE.removesuffix('.')}")
    if class_name not in _ZOO_NAMES:
        raise ModelFileError(
            f"{class_path!r} is a model that this version does not have; it reads {', '.join(_ZOO_NAMES)}. "
            "Train again: `tessera materialize --job training`, or `tessera fit` for a model of your own tables"
        )
    return _ZOO_NAMES[class_name].format(**params)

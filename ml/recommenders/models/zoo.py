"""The zoo: recommenders made by their names, and loaded from where they were saved."""

from __future__ import annotations

import importlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from ml.recommenders.base import Recommender
from ml.recommenders.layouts import ModelFileError
from ml.recommenders.model_names import UnknownModelError, model_entry
from ml.recommenders.persistence import read_model


def make_recommender(name: str, **params: Any) -> Recommender:
    """Make an unfitted recommender.

    Args:
        name: Name of the model in the zoo.
        params: Constructor arguments; they replace those of the table.

    Raises:
        UnknownModelError: The name is not in the table.
    """
    module, class_name, defaults = model_entry(name)
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


def make_parts(parts: Iterable[Mapping[str, Any]]) -> list[Recommender]:
    """Unfitted recommenders of a blend or a stack.

    Args:
        parts: Dictionaries with `model` and optional `params`.
    """
    return [make_recommender(part["model"], **part.get("params", {})) for part in parts]


def seeded(name: str, seed: int) -> dict[str, int]:
    """`{"seed": seed}` for a model that draws random numbers, `{}` for one that does not."""
    return {"seed": seed} if "seed" in make_recommender(name).params() else {}

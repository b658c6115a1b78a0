"""Saved recommenders, read back: whatever of the zoo a folder holds."""

from __future__ import annotations

import importlib
from pathlib import Path

from ml.recommenders.base import Recommender
from ml.recommenders.persistence import ModelFileError, read_state


def load_recommender(folder: Path) -> Recommender:
    """Load what `Recommender.save` wrote.

    Raises:
        ModelFileError: the folder holds no readable model of this project.
    """
    folder = Path(folder)
    document, state = read_state(folder)
    module, _, name = str(document["class"]).rpartition(".")
    if not module.startswith("ml.recommenders."):
        raise ModelFileError(f"{folder}: {document['class']!r} is no recommender of ml.recommenders")
    try:
        kind = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError) as error:
        raise ModelFileError(f"{folder}: {document['class']!r} cannot be loaded: {error}") from error
    if not (isinstance(kind, type) and issubclass(kind, Recommender)):
        raise ModelFileError(f"{folder}: {document['class']!r} is no recommender")
    recommender = kind(**document["params"])
    recommender.set_state(state)
    recommender.set_parts({part: load_recommender(folder / part) for part in document["parts"]})
    return recommender

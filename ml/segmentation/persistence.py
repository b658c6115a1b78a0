"""Save fitted estimators as arrays and JSON, and load them.

No pickle is involved, so a model file cannot run code when it is loaded. A class takes part through the decorator
`@persistable`. Its constructor arguments and learned attributes (those that end in `_`) are stored. A class whose
attributes are neither arrays nor plain values defines `get_state` and `set_state`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from ml.errors import InvalidInputError

FORMAT_VERSION = 1
_CLASSES: dict[str, type[Any]] = {}
Class = TypeVar("Class", bound=type[Any])


def persistable(class_: Class) -> Class:
    """Allow estimators of this class to be saved and loaded (a class decorator)."""
    _CLASSES[class_.__name__] = class_
    return class_


def save_estimators(estimators: Mapping[str, Any], folder: Path, extra: Mapping[str, Any] | None = None) -> None:
    """Write named estimators, in order, as `state.json` and `arrays.npz` into an existing folder."""
    arrays: dict[str, npt.NDArray[Any]] = {}
    entries = []
    for name, estimator in estimators.items():
        if hasattr(estimator, "get_state"):
            state = estimator.get_state()
        else:
            state = {key[:-1]: value for key, value in vars(estimator).items() if key.endswith("_")}
        plain = {}
        for key, value in state.items():
            if isinstance(value, np.ndarray):
                arrays[f"{name}/{key}"] = value
            else:
                plain[key] = value
        params = estimator.get_params(deep=False)
        entries.append({"name": name, "class": type(estimator).__name__, "params": params, "state": plain})
    document = {"format": FORMAT_VERSION, "estimators": entries, "extra": dict(extra or {})}
    (folder / "state.json").write_text(json.dumps(document, indent=1, default=_to_plain, allow_nan=False))
    np.savez(folder / "arrays.npz", **arrays)  # type: ignore[arg-type]


def load_estimators(folder: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """Load estimators that `save_estimators` wrote.

    Returns:
        The estimators by name, in order, and the extra document.

    Raises:
        InvalidInputError: the format or a class is unknown.
    """
    document = json.loads((folder / "state.json").read_text())
    if document.get("format") != FORMAT_VERSION:
        raise InvalidInputError(
            f"{folder}: format {document.get('format')!r} is not readable; this code reads {FORMAT_VERSION}"
        )
    estimators: dict[str, Any] = {}
    with np.load(folder / "arrays.npz", allow_pickle=False) as arrays:
        for entry in document["estimators"]:
            if entry["class"] not in _CLASSES:
                raise InvalidInputError(
                    f"{folder}: unknown class {entry['class']!r}; known: {', '.join(sorted(_CLASSES))}"
                )
            estimator = _CLASSES[entry["class"]](**entry["params"])
            state = dict(entry["state"])
            prefix = f"{entry['name']}/"
            state |= {key.removeprefix(prefix): arrays[key] for key in arrays.files if key.startswith(prefix)}
            if hasattr(estimator, "set_state"):
                estimator.set_state(state)
            else:
                for key, value in state.items():
                    setattr(estimator, f"{key}_", value)
            estimators[entry["name"]] = estimator
    return estimators, document["extra"]


def _to_plain(value: Any) -> Any:
    """Convert a value to JSON; raises TypeError if it has no JSON form."""
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, tuple | set | frozenset):
        return list(value)
    raise TypeError(f"{type(value).__name__} cannot be stored as JSON")

"""Fitted estimators to disk and back as arrays and JSON: no pickle, so a model file cannot run code when loaded.

A class joins with `@persistable`. Constructor arguments and learned attributes (those that end in `_`) are stored;
a class whose attributes are neither arrays nor plain values says so with `get_state` and `set_state`.
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
    """Class decorator: estimators of this class may be saved and loaded."""
    _CLASSES[class_.__name__] = class_
    return class_


def save_estimators(estimators: Mapping[str, Any], folder: Path, extra: Mapping[str, Any] | None = None) -> None:
    """Write `state.json` and `arrays.npz` for named estimators, in order, into an existing folder."""
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
    (folder / "state.json").write_text(json.dumps(document, indent=1, default=_plain, allow_nan=False))
    np.savez(folder / "arrays.npz", **arrays)  # type: ignore[arg-type]


def load_estimators(folder: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """Estimators by name, in order, and the extra document; raises ValueError on an unknown format or class."""
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


def _plain(value: Any) -> Any:
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, tuple | set | frozenset):
        return list(value)
    raise TypeError(f"{type(value).__name__} cannot be stored as JSON")

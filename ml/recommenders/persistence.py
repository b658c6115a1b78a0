"""Fitted recommenders to disk and back as arrays, JSON and Arrow: no pickle, so loading runs no code.

A folder holds `recommender.json` (the zoo's name of the model, parameters, plain state), `arrays.npz`, `ids.arrow`
(every list of ids) and, for a recommender made of others, one folder a part.
"""

from __future__ import annotations

import json
import urllib.parse
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from scipy import sparse

from ml.dataset.feature_matrix import FeatureMatrix
from ml.dataset.ids import Ids
from ml.recommenders.layouts import FORMAT, ModelFileError, current_layout

DOCUMENT, ARRAYS, IDS = "recommender.json", "arrays.npz", "ids.arrow"
UNPACKED = "arrays"  # in place of the file ARRAYS: a folder with a file of NumPy for each array


@dataclass(frozen=True)
class SavedModel:
    """What a folder holds of one recommender, without the recommenders that it is made of.

    Attributes:
        model: Name of the model in the zoo.
        params: Constructor arguments, plain values.
        parts: Names of the recommenders that this one is made of; each lies in a folder of that name.
        state: What was learned, by attribute: arrays, sparse matrices, ids, feature matrices and plain values.
    """

    model: str
    params: dict[str, Any]
    parts: list[str]
    state: dict[str, Any]


def write_model(folder: Path, saved: SavedModel) -> None:
    """Write a recommender to a folder, which is made if it does not exist.

    Args:
        folder: Where the files go.
        saved: What is written.

    Raises:
        TypeError: A value of the state is of a type that has no place in the files.
    """
    folder.mkdir(parents=True, exist_ok=True)
    arrays: dict[str, np.ndarray[Any, Any]] = {}
    ids: dict[str, pa.StringArray] = {}
    plain: dict[str, Any] = {}
    for name, value in saved.state.items():
        _store(name, value, arrays, ids, plain)
    document = {
        "format": FORMAT,
        "model": saved.model,
        "params": saved.params,
        "parts": saved.parts,
        "state": plain,
    }
    text = json.dumps(document, indent=1, default=_as_json)
    np.savez(folder / ARRAYS, **arrays)  # type: ignore[arg-type]
    _write_ids(folder / IDS, ids)
    (folder / DOCUMENT).write_text(text, encoding="utf-8")


def read_document(folder: Path) -> dict[str, Any]:
    """Read the document of a saved recommender in the current layout.

    Args:
        folder: What `write_model` of this or an earlier version wrote.

    Raises:
        ModelFileError: The document is missing, cut, or of a layout that this version cannot read.
    """
    try:
        document = json.loads((folder / DOCUMENT).read_text(encoding="utf-8"))
        if not isinstance(document, dict):
            raise ModelFileError(f"{DOCUMENT} holds a {type(document).__name__} instead of an object")
        return current_layout(document)
    except FileNotFoundError as error:
        raise ModelFileError(f"{folder} holds no model: {error.filename} is missing") from None
    except (OSError, ValueError, KeyError) as error:
        raise _unreadable(folder, error) from error


def saved_models(folder: Path) -> set[str]:
    """Names in the zoo of a saved recommender and of all its parts.

    Args:
        folder: Folder of the saved recommender.

    Raises:
        ModelFileError: A document is missing, cut, or of a layout that this version cannot read.
    """
    document = read_document(folder)
    try:
        model, parts = str(document["model"]), document["parts"]
    except KeyError as error:
        raise _unreadable(folder, error) from error
    return {model}.union(*(saved_models(folder / part) for part in parts))


def read_model(folder: Path) -> SavedModel:
    """Read a recommender, without its parts.

    Args:
        folder: What `write_model` of this or an earlier version wrote.

    Raises:
        ModelFileError: A file is missing, cut, or of a layout that this version cannot read.
    """
    document = read_document(folder)
    try:
        arrays = _read_arrays(folder)
        state = _restored(document["state"], arrays, _read_ids(folder / IDS))
        return SavedModel(document["model"], document["params"], document["parts"], state)
    except FileNotFoundError as error:
        raise ModelFileError(f"{folder} holds no model: {error.filename} is missing") from None
    except (OSError, ValueError, EOFError, KeyError) as error:
        raise _unreadable(folder, error) from error


def unpack_arrays(folder: Path) -> None:
    """Let several processes of a machine share the memory of a saved recommender and of its parts.

    Each array gets a file of its own, which `read_model` then maps instead of reading it: its pages are in memory
    once, and only those that somebody has used.

    Args:
        folder: What `Recommender.save` wrote.
    """
    for packed in list(folder.rglob(ARRAYS)):
        unpacked = packed.with_name(UNPACKED)
        unpacked.mkdir()
        with np.load(packed, allow_pickle=False) as stored:
            for name, array in stored.items():
                np.save(unpacked / f"{urllib.parse.quote(name, safe='')}.npy", array)
        packed.unlink()


def _read_arrays(folder: Path) -> dict[str, np.ndarray[Any, Any]]:
    """All arrays by name; those of a folder are mapped and cannot be written to."""
    unpacked = folder / UNPACKED
    if unpacked.is_dir():
        return {
            urllib.parse.unquote(file.stem): np.load(file, mmap_mode="r", allow_pickle=False)
            for file in unpacked.glob("*.npy")
        }
    with np.load(folder / ARRAYS, allow_pickle=False) as stored:
        return dict(stored)


def _unreadable(folder: Path, error: Exception) -> ModelFileError:
    if isinstance(error, KeyError):
        return ModelFileError(f"{folder} is not a readable model: {error} is missing in it")
    return ModelFileError(f"{folder} is not a readable model: {error}")


def _store(name: str, value: Any, arrays: dict[str, Any], ids: dict[str, Any], plain: dict[str, Any]) -> None:
    if isinstance(value, np.ndarray):
        arrays[name] = value
    elif sparse.issparse(value):
        matrix = value.tocsr()
        for part in ("data", "indices", "indptr"):
            arrays[f"{name}#{part}"] = getattr(matrix, part)
        arrays[f"{name}#shape"] = np.array(matrix.shape)
    elif isinstance(value, Ids):
        ids[name] = value.values
    elif isinstance(value, FeatureMatrix):
        for part in ("ids", "names", "matrix"):
            _store(f"{name}@{part}", getattr(value, part), arrays, ids, plain)
    else:
        plain[name] = value


def _restored(plain: dict[str, Any], arrays: dict[str, Any], ids: dict[str, Any]) -> dict[str, Any]:
    state: dict[str, Any] = {**plain, **ids}
    for name, array in arrays.items():
        if "#" not in name:
            state[name] = array
        elif name.endswith("#shape"):
            base = name.removesuffix("#shape")
            parts = (arrays[f"{base}#data"], arrays[f"{base}#indices"], arrays[f"{base}#indptr"])
            state[base] = sparse.csr_matrix(parts, shape=tuple(int(side) for side in array))
    for name in [name for name in state if name.endswith("@names")]:
        base = name.removesuffix("@names")
        state[base] = FeatureMatrix(*(state.pop(f"{base}@{part}") for part in ("ids", "names", "matrix")))
    return state


def _write_ids(path: Path, ids: dict[str, pa.StringArray]) -> None:
    """Lists of different length in one Arrow file: long form, in order."""
    names = [name for name, values in ids.items() for _ in range(len(values))]
    empty = [name for name, values in ids.items() if not len(values)]
    values = pa.concat_arrays([pa.array([], pa.string()), *ids.values()])
    schema = pa.schema([("name", pa.string()), ("id", pa.string())], metadata={"empty": json.dumps(empty)})
    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, schema) as writer:
        writer.write_table(pa.table([pa.array(names, pa.string()), values], schema=schema))


def _read_ids(path: Path) -> dict[str, Ids]:
    with pa.OSFile(str(path), "rb") as source, pa.ipc.open_file(source) as reader:
        table = reader.read_all()
    ids = {name: Ids(pa.array([], pa.string())) for name in json.loads(table.schema.metadata[b"empty"])}
    if not len(table):
        return ids
    owners, rows = Ids.encode(table["name"])
    values = table["id"].combine_chunks()
    values = pa.concat_arrays(values.chunks) if isinstance(values, pa.ChunkedArray) else values
    bounds = np.flatnonzero(np.diff(rows, prepend=-1, append=-1))
    for name, start, end in zip(owners.to_list(), bounds[:-1], bounds[1:], strict=True):
        ids[name] = Ids(values[int(start) : int(end)])
    return ids


def _as_json(value: Any) -> Any:
    if isinstance(value, np.generic):
        return value.item()
    raise TypeError(f"{type(value).__name__} cannot be stored in a model file")

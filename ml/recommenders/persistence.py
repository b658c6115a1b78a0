"""Fitted recommenders to disk and back as arrays, JSON and Arrow: no pickle, so loading runs no code.

A folder holds `recommender.json` (class, parameters, plain state), `arrays.npz`, `ids.arrow` (every list of ids)
and, for a recommender made of others, one folder a part.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from scipy import sparse

from ml.dataset.feature_matrix import FeatureMatrix
from ml.dataset.ids import Ids
from ml.errors import TesseraError

FORMAT = 1
DOCUMENT, ARRAYS, IDS = "recommender.json", "arrays.npz", "ids.arrow"


class ModelFileError(TesseraError, ValueError):
    """A folder holds no model that this version can load; the message says which file and why."""


def write_state(folder: Path, document: dict[str, Any], state: dict[str, Any]) -> None:
    """Write a state of arrays, sparse matrices, ids, feature matrices and JSON values.

    Raises:
        TypeError: a value is of none of these types.
    """
    folder.mkdir(parents=True, exist_ok=True)
    arrays: dict[str, np.ndarray[Any, Any]] = {}
    ids: dict[str, pa.StringArray] = {}
    plain: dict[str, Any] = {}
    for name, value in state.items():
        _store(name, value, arrays, ids, plain)
    text = json.dumps({"format": FORMAT, **document, "state": plain}, indent=1, default=_as_json)
    np.savez(folder / ARRAYS, **arrays)  # type: ignore[arg-type]
    _write_ids(folder / IDS, ids)
    (folder / DOCUMENT).write_text(text, encoding="utf-8")


def read_state(folder: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """The document and the state of a folder.

    Raises:
        ModelFileError: a file is missing, cut or of another format.
    """
    try:
        document = json.loads((folder / DOCUMENT).read_text(encoding="utf-8"))
        if document.get("format") != FORMAT:
            raise ModelFileError(f"{folder}: format {document.get('format')!r}; this version reads {FORMAT}")
        with np.load(folder / ARRAYS, allow_pickle=False) as stored:
            arrays = dict(stored)
        ids = _read_ids(folder / IDS)
    except FileNotFoundError as error:
        raise ModelFileError(f"{folder} holds no model: {error.filename} is missing") from None
    except (OSError, ValueError, EOFError, KeyError) as error:
        if isinstance(error, ModelFileError):
            raise
        raise ModelFileError(f"{folder} is no readable model: {error}") from error
    return document, _restored(document.pop("state"), arrays, ids)


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
    found = {name: Ids(pa.array([], pa.string())) for name in json.loads(table.schema.metadata[b"empty"])}
    if not len(table):
        return found
    owners, rows = Ids.encode(table["name"])
    values = table["id"].combine_chunks()
    values = pa.concat_arrays(values.chunks) if isinstance(values, pa.ChunkedArray) else values
    bounds = np.flatnonzero(np.diff(rows, prepend=-1, append=-1))
    for name, start, end in zip(owners.to_list(), bounds[:-1], bounds[1:], strict=True):
        found[name] = Ids(values[int(start) : int(end)])
    return found


def _as_json(value: Any) -> Any:
    if isinstance(value, np.generic):
        return value.item()
    raise TypeError(f"{type(value).__name__} cannot be stored in a model file")

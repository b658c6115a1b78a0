"""Given vectors of items, such as sentence embeddings: read, scaled, cut to the size of a model's factors."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from ml.arrays import F32, Bools
from ml.dataset.ids import Ids
from ml.errors import TesseraError

RIDGE_SHARE = 0.3  # of the mean variance of the vectors' directions: those that vary little are not trusted


@dataclass(frozen=True)
class GivenVectors:
    """Vectors of items inside a training.

    Attributes:
        vectors: float32 (n, d).
        features: int (n,), the identity feature of each item.
        is_trained: bool (n,), whether anybody took the item.
    """

    vectors: F32
    features: npt.NDArray[np.integer[Any]]
    is_trained: Bools


class VectorFileError(TesseraError, ValueError):
    """A file of vectors cannot be used; the message names it and says why."""


def read_vectors(path: Path, items: Ids) -> F32:
    """Vectors in the order of the items, float32 (n_items, d); items without one get zeros.

    Either Parquet with `item_id` and `vector` (list of numbers), or NumPy's `.npy` (n, d) with the ids of its
    rows, one a line, in a file of the same name that ends in `.txt`.

    Raises:
        VectorFileError: a file or column is missing, or lengths differ.
    """
    try:
        ids, given = _from_numpy(path) if path.suffix == ".npy" else _from_parquet(path)
    except (OSError, pa.ArrowException) as error:
        raise VectorFileError(f"{path}: unreadable: {error}") from error
    if not np.isfinite(given).all():
        raise VectorFileError(
            f"{path}: {int((~np.isfinite(given)).any(axis=1).sum())} vectors hold no finite number"
        )
    names, rows = Ids.encode(ids)
    if len(names) < len(rows):
        raise VectorFileError(f"{path}: {len(rows) - len(names)} rows repeat an id")
    places = names.rows(items.values)
    return np.where((places >= 0)[:, None], given[places], 0).astype(np.float32)


def start_vectors(vectors: F32, n_factors: int) -> F32:
    """Vectors that embeddings of `n_factors` start from: float32 (n, n_factors).

    The mean is taken out, since all sentences of a site share it, the main directions are kept (PCA), and the
    mean length becomes that of a trained embedding: a random start is a thousandth of it and counts for nothing.
    """
    centred = vectors - vectors.mean(axis=0)
    _, values, directions = np.linalg.svd(centred.T @ centred)
    kept = min(n_factors, int((values > 1e-9 * max(values[0], 1e-30)).sum()))
    reduced = centred @ directions[:kept].T
    length = np.linalg.norm(reduced, axis=1).mean() if kept else 1.0
    started = np.zeros((len(vectors), n_factors), np.float32)
    started[:, :kept] = reduced / max(float(length), 1e-9)
    return started


def mapped(vectors: F32, is_trained: Bools, learned: F32) -> F32:
    """Predict what would have been learned of the other items, by ridge regression from their vectors.

    Args:
        vectors: (n, d).
        is_trained: (n,), items of which something was learned.
        learned: (n, m), of which the rows of trained items count.

    Returns:
        float32 (number of others, m).
    """
    centre, mean = vectors[is_trained].mean(axis=0), learned[is_trained].mean(axis=0)
    x, y = (vectors[is_trained] - centre).astype(np.float64), learned[is_trained] - mean
    gram = x.T @ x
    gram[np.diag_indices(len(gram))] += RIDGE_SHARE * np.trace(gram) / len(gram) + 1e-9
    return np.asarray((vectors[~is_trained] - centre) @ np.linalg.solve(gram, x.T @ y) + mean, dtype=np.float32)


def unit_rows(vectors: F32) -> F32:
    """Rows of length 1; rows of zeros stay."""
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(vectors / np.where(lengths > 0, lengths, 1), dtype=np.float32)


def _from_numpy(path: Path) -> tuple[pa.Array, F32]:
    given = np.load(path, allow_pickle=False)
    if given.ndim != 2 or not np.issubdtype(given.dtype, np.number):
        raise VectorFileError(f"{path}: expected numbers (n, d), found {given.dtype} {given.shape}")
    names = path.with_suffix(".txt")
    if not names.is_file():
        raise VectorFileError(f"{path}: {names.name} is missing, which names the item of each row")
    ids = names.read_text(encoding="utf-8").splitlines()
    if len(ids) != len(given):
        raise VectorFileError(f"{path}: {len(given)} vectors, but {names.name} names {len(ids)} items")
    return pa.array(ids, pa.string()), given.astype(np.float32)


def _from_parquet(path: Path) -> tuple[pa.ChunkedArray, F32]:
    table = pq.read_table(path)
    for column in ("item_id", "vector"):
        if column not in table.column_names:
            raise VectorFileError(
                f"{path}: column {column!r} is missing; there are {', '.join(table.column_names)}"
            )
    lists = table["vector"].combine_chunks()
    lengths = np.unique(np.asarray(lists.value_lengths()))
    if len(lengths) != 1:
        raise VectorFileError(f"{path}: vectors of different length: {lengths[:5].tolist()}")
    flat = lists.flatten().to_numpy(zero_copy_only=False).astype(np.float32)
    return table["item_id"], flat.reshape(len(table), int(lengths[0]))

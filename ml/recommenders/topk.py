"""The best k columns of many rows of scores: blocked, on all cores, exact."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import sparse
from threadpoolctl import threadpool_limits

Floats = npt.NDArray[np.float32]
Rows = npt.NDArray[np.int32]
ScoreBlock = Callable[[npt.NDArray[np.int64]], Floats]

BLOCK_FLOATS = 4_000_000  # 16 MB of scores a thread: larger blocks leave the cache, smaller ones starve BLAS
GROUPED_FROM_COLUMNS = 2_048  # below it one partition of the row is as fast


def cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def top_k_scores(
    score_block: ScoreBlock,
    n_rows: int,
    n_columns: int,
    k: int,
    excluded: sparse.csr_matrix | None = None,
    threads: int | None = None,
) -> tuple[Rows, Floats]:
    """Top k columns of each row, best first; equal scores in order of the column.

    Args:
        score_block: takes row numbers (b,), returns fresh float32 (b, n_columns); called from several threads.
        excluded: CSR (n_rows, n_columns); stored entries are left out.
        threads: default: all cores.

    Returns:
        Columns int32 (n_rows, k) and scores float32 (n_rows, k); places that cannot be filled are -1 and -inf.
    """
    k = min(k, n_columns)
    best = np.full((n_rows, k), -1, np.int32)
    scores = np.full((n_rows, k), -np.inf, np.float32)
    if not n_rows or not k:
        return best, scores
    step = max(1, min(BLOCK_FLOATS // max(1, n_columns), -(-n_rows // 2)))

    def work(start: int) -> None:
        rows = np.arange(start, min(start + step, n_rows))
        block = score_block(rows)
        if excluded is not None:
            own = excluded.indptr[rows[0] : rows[-1] + 2]
            columns = excluded.indices[own[0] : own[-1]]
            block[np.repeat(np.arange(len(rows)), np.diff(own)), columns] = -np.inf
        best[rows], scores[rows] = select_top_k(block, k)

    with threadpool_limits(1, "blas"), ThreadPoolExecutor(threads or cores()) as pool:
        for _ in pool.map(work, range(0, n_rows, step)):
            pass
    best[np.isneginf(scores)] = -1
    return best, scores


def top_k_products(
    user_factors: Floats,
    item_factors: Floats,
    k: int,
    excluded: sparse.csr_matrix | None = None,
    threads: int | None = None,
) -> tuple[Rows, Floats]:
    """Top k items of each user by the product of their factors.

    Args:
        user_factors: float32 (n_users, d).
        item_factors: float32 (n_items, d).
        excluded: CSR (n_users, n_items) of the items to leave out.

    Returns:
        As `top_k_scores`.
    """
    columns = np.ascontiguousarray(item_factors.T, dtype=np.float32)
    users = np.ascontiguousarray(user_factors, dtype=np.float32)
    return top_k_scores(lambda rows: users[rows] @ columns, len(users), len(item_factors), k, excluded, threads)


def select_top_k(scores: Floats, k: int) -> tuple[Rows, Floats]:
    """Top k of each row of float32 (b, n); exact, best first.

    Wide rows are cut into groups; the best k lie in the k groups with the highest maxima: only those are sorted.
    """
    b, n = scores.shape
    if n < GROUPED_FROM_COLUMNS or k > 128:
        return _ordered(scores, np.broadcast_to(np.arange(n), scores.shape), _partitioned(scores, k), k)
    size = 32
    groups = -(-n // size)
    padded = scores
    if groups * size != n:
        padded = np.full((b, groups * size), -np.inf, np.float32)
        padded[:, :n] = scores
    layers = padded.reshape(b, size, groups)
    maxima = layers.max(axis=1)
    chosen = _partitioned(maxima, min(k, groups))
    columns = (chosen[:, None, :] + (np.arange(size) * groups)[None, :, None]).reshape(b, -1)
    values = np.take_along_axis(padded, columns, axis=1)
    best, top = _ordered(values, columns, _partitioned(values, k), k)
    best[np.isneginf(top)] = -1
    return best, top


def _partitioned(scores: Any, k: int) -> npt.NDArray[np.int64]:
    """Places of the k largest of each row, in no order."""
    n = scores.shape[1]
    if k >= n:
        return np.broadcast_to(np.arange(n), scores.shape).copy()
    return np.argpartition(scores, n - k, axis=1)[:, n - k :]


def _ordered(scores: Floats, columns: Any, places: Any, k: int) -> tuple[Rows, Floats]:
    """Sort the chosen places of each row by score, then by column."""
    values = np.take_along_axis(scores, places, axis=1)
    ids = np.take_along_axis(columns, places, axis=1)
    order = np.lexsort((ids, -values), axis=1)[:, :k]
    return (
        np.take_along_axis(ids, order, axis=1).astype(np.int32),
        np.take_along_axis(values, order, axis=1).astype(np.float32),
    )

"""The best k columns of many rows of scores: blocked, on all cores, exact."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import numpy.typing as npt
from scipy import sparse
from threadpoolctl import threadpool_limits

from ml.arrays import F32, I32, I64, Bools, F32OrF64

ScoreBlock = Callable[[I64], F32]

BLOCK_FLOATS = 8_000_000  # 32 MB of scores a thread: with smaller blocks the threads wait for one another
GROUP = 32  # columns of a group; 16 and 64 are as fast
GROUPS_PER_PLACE = 4  # with fewer groups for each place, one partition of the row is as fast


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
) -> tuple[I32, F32]:
    """Top k columns of each row, best first; equal scores in order of the column.

    Args:
        score_block: takes row numbers (b,), returns float32 (b, n_columns) without NaN that may be written to;
            called from several threads.
        n_rows: number of rows.
        n_columns: number of columns.
        k: number of columns to choose in each row.
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
            bounds = excluded.indptr[rows[0] : rows[-1] + 2]
            columns = excluded.indices[bounds[0] : bounds[-1]]
            block[np.repeat(np.arange(len(rows)), np.diff(bounds)), columns] = -np.inf
        best[rows], scores[rows] = select_top_k(block, k)

    with threadpool_limits(1, "blas"), ThreadPoolExecutor(threads or cores()) as pool:
        for _ in pool.map(work, range(0, n_rows, step)):
            pass
    best[np.isneginf(scores)] = -1
    return best, scores


def top_k_products(
    user_factors: F32,
    item_factors: F32,
    k: int,
    excluded: sparse.csr_matrix | None = None,
    threads: int | None = None,
) -> tuple[I32, F32]:
    """Top k items of each user by the product of their factors.

    Args:
        user_factors: float32 (n_users, d).
        item_factors: float32 (n_items, d).
        k: number of items for each user.
        excluded: CSR (n_users, n_items) of the items to leave out.
        threads: default: all cores.

    Returns:
        As `top_k_scores`.
    """
    columns = np.ascontiguousarray(item_factors.T, dtype=np.float32)
    users = np.ascontiguousarray(user_factors, dtype=np.float32)
    buffer = threading.local()  # fresh memory for every block costs more than the product that fills it

    def block(rows: I64) -> F32:
        if not hasattr(buffer, "memory") or len(buffer.memory) < len(rows):
            buffer.memory = np.empty((len(rows), columns.shape[1]), np.float32)
        filled: F32 = buffer.memory[: len(rows)]
        return np.matmul(users[rows], columns, out=filled)

    return top_k_scores(block, len(users), len(item_factors), k, excluded, threads)


def select_top_k(scores: F32OrF64, k: int) -> tuple[I32, F32OrF64]:
    """Top k of each row of float32 or float64 (b, n); exact, best first, equal scores in order of the column.

    Wide rows are cut into groups: the k-th highest of the groups' maxima is a score that at least k columns reach,
    and hardly more than that do. Only those are sorted.
    """
    b, n = scores.shape
    k = min(k, n)
    maxima = scores if n < GROUP * GROUPS_PER_PLACE * k else _group_maxima(scores)
    least = np.partition(maxima, maxima.shape[1] - k, axis=1)[:, -k]
    row, column = np.divmod(np.flatnonzero(scores >= least[:, None]), n)
    values = scores[row, column]
    tied = values == least[row]  # of a row of zeros that is all of it; the first k are enough
    row, column, values = (entries[~tied | (_places(row, tied, b) < k)] for entries in (row, column, values))
    order = np.lexsort((column, -values, row))
    every = np.ones(len(row), bool)
    best = column[order[_places(row, every, b) < k]].reshape(b, k)  # `order` leaves `row` as it is
    return best.astype(np.int32), np.take_along_axis(scores, best, axis=1)


def _places(row: npt.NDArray[np.intp], counted: Bools, n_rows: int) -> npt.NDArray[np.intp]:
    """How many of the counted entries of its row stand before each entry; `row` ascends."""
    before: npt.NDArray[np.intp] = np.cumsum(counted) - counted
    firsts = np.searchsorted(row, np.arange(n_rows))
    return np.asarray(before - before[firsts][row])


def _group_maxima(scores: F32OrF64) -> F32OrF64:
    """Highest score of each group of columns, what is left over at the end a group too: (b, n_groups)."""
    b, n = scores.shape
    groups = n // GROUP
    maxima = scores[:, : groups * GROUP].reshape(b, GROUP, groups).max(axis=1)
    left = scores[:, groups * GROUP :]
    return np.column_stack([maxima, left.max(axis=1)]) if left.shape[1] else np.asarray(maxima)

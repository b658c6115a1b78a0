"""Interactions of users with items as one sparse matrix, built from Arrow columns without Python loops."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from scipy import sparse

from ml.arrays import F32, I32, I64, Bools
from ml.dataset.ids import Ids
from ml.errors import InvalidInputError


@dataclass(frozen=True)
class Interactions:
    """Distinct pairs of a user and an item.

    Attributes:
        users: ids of the rows.
        items: ids of the columns.
        matrix: CSR float32 (n_users, n_items), the weight of each pair, columns sorted. Weights are positive; a
            negative one marks a pair that the user rejected: never recommended, never trained on as liked.
        ratings: float32 (n_pairs,) in the order of `matrix.data`, None where the table has no ratings.
        timestamps: int64 (n_pairs,) Unix seconds of the pair's last event, None where the table has no times.
        first_timestamps: int64 (n_pairs,) Unix seconds of the pair's first event; None where it is the last one.
    """

    users: Ids
    items: Ids
    matrix: sparse.csr_matrix
    ratings: F32 | None = None
    timestamps: I64 | None = None
    first_timestamps: I64 | None = None

    @classmethod
    def from_table(cls, table: pa.Table) -> Interactions:
        """Build from columns `user_id, item_id[, timestamp][, rating][, weight]`.

        `timestamp` is a timestamp or a number of Unix seconds. Repeated pairs become one: weights are summed, the
        latest time counts, and the highest rating given at that time. The order of the rows makes no difference.

        Raises:
            ValueError: a column is missing, holds nulls, or is not numeric where it must be.
        """
        for column in ("user_id", "item_id"):
            if column not in table.column_names:
                raise InvalidInputError(f"column {column!r} is missing; there are {', '.join(table.column_names)}")
        with ThreadPoolExecutor(2) as pool:  # Arrow releases the GIL, so that both columns are encoded at once
            encoded = [pool.submit(_encoded, table, column) for column in ("user_id", "item_id")]
            (users, rows), (items, columns) = (column.result() for column in encoded)
        weights = _numbers(table, "weight")
        return cls.from_rows(users, items, rows, columns, weights, _numbers(table, "rating"), _seconds(table))

    @classmethod
    def from_rows(
        cls,
        users: Ids,
        items: Ids,
        rows: I32,
        columns: I32,
        weights: F32 | None = None,
        ratings: F32 | None = None,
        timestamps: I64 | None = None,
        first_timestamps: I64 | None = None,
    ) -> Interactions:
        """Build from row numbers: all arrays (n_events,)."""
        shape = (len(users), len(items))
        order = sparse.csr_matrix((np.arange(len(rows), dtype=np.int64), (rows, columns)), shape=shape)
        if order.nnz < len(rows) or not order.has_canonical_format:
            order.sort_indices()
        if order.nnz == len(rows) and not _repeats(order):
            places = order.data
            data = np.ones(len(rows), np.float32) if weights is None else weights[places]
            matrix = sparse.csr_matrix((data, order.indices, order.indptr), shape=shape)
            first = _at(first_timestamps, places)
            return cls(users, items, matrix, _at(ratings, places), _at(timestamps, places), first)
        return _merged(users, items, rows, columns, weights, ratings, timestamps, first_timestamps)

    @property
    def since(self) -> I64 | None:
        """Unix seconds of each pair's first event: int64 (n_pairs,), None where the table has no times."""
        return self.timestamps if self.first_timestamps is None else self.first_timestamps

    @property
    def n_pairs(self) -> int:
        """Number of distinct pairs."""
        return int(self.matrix.nnz)

    @cached_property
    def rows(self) -> I32:
        """User row of each pair, in the order of `matrix.data`: int32 (n_pairs,)."""
        return np.repeat(np.arange(len(self.users), dtype=np.int32), np.diff(self.matrix.indptr))

    @property
    def columns(self) -> I32:
        """Item row of each pair: int32 (n_pairs,)."""
        return np.asarray(self.matrix.indices, dtype=np.int32)

    @property
    def weights(self) -> F32:
        """Weight of each pair: float32 (n_pairs,)."""
        return np.asarray(self.matrix.data, dtype=np.float32)

    @cached_property
    def liked(self) -> sparse.csr_matrix:
        """CSR float32 (n_users, n_items): 1 for each pair of positive weight."""
        matrix = sparse.csr_matrix(
            ((self.matrix.data > 0).astype(np.float32), self.matrix.indices, self.matrix.indptr),
            self.matrix.shape,
            copy=True,  # eliminate_zeros works in place
        )
        matrix.eliminate_zeros()
        return matrix

    @cached_property
    def liked_weights(self) -> sparse.csr_matrix:
        """CSR float32 (n_users, n_items): the weight of each pair of positive weight, in the order of `liked`."""
        liked = self.liked
        data = self.matrix.data[self.matrix.data > 0].astype(np.float32)
        return sparse.csr_matrix((data, liked.indices, liked.indptr), liked.shape)

    @cached_property
    def item_counts(self) -> F32:
        """Users with positive weight of each item: float32 (n_items,)."""
        return np.bincount(self.liked.indices, minlength=len(self.items)).astype(np.float32)

    def in_order(self) -> tuple[I32, I32, I64]:
        """Liked pairs, user by user, each user's in the order of time.

        Without timestamps a user's items are in the order of their rows.

        Returns:
            Rows of the users and of the items, int32 (n_liked,), and places of the pairs in `liked.data`, int64.
        """
        liked = np.flatnonzero(self.matrix.data > 0)
        places = np.arange(len(liked))
        if self.timestamps is not None:
            places = np.lexsort((self.timestamps[liked], self.rows[liked]))
        return self.rows[liked[places]], self.columns[liked[places]], places

    def only_liked(self) -> Interactions:
        """The pairs of positive weight, on the ids that have one."""
        return self.select(self.weights > 0).compact()

    def select(self, mask: Bools) -> Interactions:
        """Keep the pairs where `mask` (n_pairs,) holds; ids and rows do not change."""
        kept = np.flatnonzero(mask)
        indptr = np.zeros(len(self.users) + 1, np.int64)
        np.cumsum(np.bincount(self.rows[kept], minlength=len(self.users)), out=indptr[1:])
        matrix = sparse.csr_matrix((self.matrix.data[kept], self.matrix.indices[kept], indptr), self.matrix.shape)
        ratings, times = _at(self.ratings, kept), _at(self.timestamps, kept)
        return Interactions(self.users, self.items, matrix, ratings, times, _at(self.first_timestamps, kept))

    def compact(self) -> Interactions:
        """Drop the ids that have no pair."""
        users, items = np.unique(self.rows), np.unique(self.columns)
        matrix = self.matrix[users][:, items].tocsr()
        return replace(self, users=Ids(self.users.take(users)), items=Ids(self.items.take(items)), matrix=matrix)

    def aligned(self, users: Ids, items: Ids) -> Interactions:
        """Map the pairs to other ids, which must include all of these."""
        if users is self.users and items is self.items:
            return self
        new_rows, new_columns = users.rows(self.users.values), items.rows(self.items.values)
        return Interactions.from_rows(
            users,
            items,
            new_rows[self.rows],
            new_columns[self.columns],
            self.weights,
            self.ratings,
            self.timestamps,
            self.first_timestamps,
        )

    def to_table(self) -> pa.Table:
        """Columns user_id, item_id, weight[, rating][, timestamp]: one row a pair."""
        columns: dict[str, Any] = {
            "user_id": self.users.take(self.rows),
            "item_id": self.items.take(self.columns),
            "weight": self.weights,
        }
        if self.ratings is not None:
            columns["rating"] = self.ratings
        if self.timestamps is not None:
            columns["timestamp"] = self.timestamps
        return pa.table(columns)


def _encoded(table: pa.Table, column: str) -> tuple[Ids, I32]:
    try:
        return Ids.encode_sorted(table[column])
    except ValueError as error:
        raise InvalidInputError(f"column {column!r}: {error}") from None


def _numbers(table: pa.Table, column: str) -> F32 | None:
    if column not in table.column_names:
        return None
    if table[column].null_count:
        raise InvalidInputError(f"column {column!r}: {table[column].null_count} rows have no value")
    try:
        numbers = pc.cast(table[column], pa.float32(), safe=False).to_numpy()
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        raise InvalidInputError(f"column {column!r}: expected numbers, found {table[column].type}") from None
    if not np.isfinite(numbers).all():
        raise InvalidInputError(f"column {column!r}: {int((~np.isfinite(numbers)).sum())} values are not finite")
    return np.asarray(numbers, dtype=np.float32)


def _seconds(table: pa.Table) -> I64 | None:
    if "timestamp" not in table.column_names:
        return None
    column = table["timestamp"]
    if column.null_count:
        raise InvalidInputError(f"column 'timestamp': {column.null_count} rows have no value")
    try:
        if pa.types.is_timestamp(column.type) or pa.types.is_date(column.type):
            column = pc.cast(column, pa.timestamp("s", tz=getattr(column.type, "tz", None)), safe=False)
        return np.asarray(pc.cast(column, pa.int64(), safe=False).to_numpy(), dtype=np.int64)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        raise InvalidInputError(
            f"column 'timestamp': expected a time or Unix seconds, found {column.type}"
        ) from None


def _repeats(order: sparse.csr_matrix) -> bool:
    """Whether a pair occurs twice, for sorted columns."""
    same = order.indices[1:] == order.indices[:-1]
    starts = order.indptr[1:-1]
    same[starts[(starts > 0) & (starts < order.nnz)] - 1] = False
    return bool(same.any())


def _merged(
    users: Ids,
    items: Ids,
    rows: I32,
    columns: I32,
    weights: F32 | None,
    ratings: F32 | None,
    timestamps: I64 | None,
    first_timestamps: I64 | None,
) -> Interactions:
    keys = rows.astype(np.int64) * len(items) + columns
    values = [column for column in (weights, ratings, timestamps) if column is not None]
    order = np.lexsort((*values, keys))
    pairs, starts = np.unique(keys[order], return_index=True)
    last = np.append(starts[1:], len(order)) - 1
    data = np.ones(len(rows), np.float32) if weights is None else weights
    summed = np.add.reduceat(data[order], starts).astype(np.float32) if len(pairs) else data
    indptr = np.zeros(len(users) + 1, np.int64)
    np.cumsum(np.bincount(pairs // max(1, len(items)), minlength=len(users)), out=indptr[1:])
    indices = (pairs % max(1, len(items))).astype(np.int32)
    matrix = sparse.csr_matrix((summed, indices, indptr), shape=(len(users), len(items)))
    times, since = _at(timestamps, order[last]), timestamps if first_timestamps is None else first_timestamps
    first = None if since is None or not len(pairs) else np.minimum.reduceat(since[order], starts)
    return Interactions(users, items, matrix, _at(ratings, order[last]), times, first)


def _at(values: Any, places: Any) -> Any:
    return None if values is None else values[places]

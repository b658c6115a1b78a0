"""Ids and their row numbers, which connect tables of strings with matrices."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from ml.arrays import I32
from ml.errors import InvalidInputError

DENSE_SPAN = 4  # integers whose range is up to so many times their number are encoded by a table


class Ids:
    """Distinct ids; the row of an id is its position.

    Args:
        values: Distinct strings without nulls.
    """

    def __init__(self, values: pa.StringArray) -> None:
        self.values = values

    @classmethod
    def encode(cls, column: pa.ChunkedArray | pa.Array) -> tuple[Ids, I32]:
        """Distinct ids, and the row of each entry: int32 (len(column),).

        Ids are in order of first appearance; integers that lie close together are in order of their value.

        Raises:
            ValueError: the column holds nulls.
        """
        if column.null_count:
            raise InvalidInputError(f"{column.null_count} rows have no id")
        # One chunk has one dictionary; unifying those of many chunks costs far more than the copy.
        whole = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
        if pa.types.is_integer(whole.type) and len(whole) and isinstance(whole, pa.Array):
            numbers = whole.to_numpy(zero_copy_only=False)
            if int(numbers.max()) - int(numbers.min()) < DENSE_SPAN * len(numbers):
                return cls._encode_dense(numbers)
        encoded = whole if pa.types.is_dictionary(whole.type) else whole.dictionary_encode()
        if isinstance(encoded, pa.ChunkedArray):
            encoded = pa.concat_arrays(encoded.unify_dictionaries().chunks)
        values = pc.cast(encoded.dictionary, pa.string())
        return cls(values), encoded.indices.to_numpy(zero_copy_only=False).astype(np.int32, copy=False)

    @classmethod
    def encode_sorted(cls, column: pa.ChunkedArray | pa.Array) -> tuple[Ids, I32]:
        """As `encode`, with the ids in the order of their texts, whatever the order of the entries is.

        Raises:
            ValueError: the column holds nulls.
        """
        ids, rows = cls.encode(column)
        order = pc.sort_indices(ids.values).to_numpy()
        places = np.empty(len(order), np.int32)
        places[order] = np.arange(len(order), dtype=np.int32)
        return cls(ids.values.take(pa.array(order))), places[rows]

    @classmethod
    def _encode_dense(cls, numbers: npt.NDArray[Any]) -> tuple[Ids, I32]:
        """Encode integers by a lookup table over their range, which is several times faster than hashing."""
        # Of unsigned ids from 2⁶³ only the difference fits into 63 bits; of short ones not even that fits theirs.
        wide = numbers if numbers.dtype == np.uint64 else numbers.astype(np.int64)
        lowest = wide.min()
        places = (wide - lowest).astype(np.int64)
        present = np.zeros(int(places.max()) + 1, bool)
        present[places] = True
        rank = np.cumsum(present, dtype=np.int32) - 1
        return cls(pc.cast(pa.array(np.flatnonzero(present).astype(wide.dtype) + lowest), pa.string())), rank[
            places
        ].astype(np.int32)

    @classmethod
    def of(cls, values: Sequence[str]) -> Ids:
        """Create ids from distinct strings."""
        return cls(pa.array(values, pa.string()))

    def rows(self, ids: Sequence[Any] | pa.Array | pa.ChunkedArray) -> I32:
        """Row of each id, -1 where it is unknown: int32 (len(ids),)."""
        column = as_strings(ids)
        rows = pc.fill_null(pc.index_in(column, value_set=self.values), -1)
        return np.asarray(rows.to_numpy(zero_copy_only=False), dtype=np.int32)

    def take(self, rows: npt.NDArray[np.integer[Any]]) -> pa.StringArray:
        """Look up the ids of rows."""
        return self.values.take(pa.array(rows))

    def union(self, other: Ids) -> Ids:
        """Append the ids of `other` that are not among these; the rows of these ids do not change."""
        new = other.values.filter(pa.array(self.rows(other.values) < 0))
        return self if not len(new) else Ids(pa.concat_arrays([self.values, new]))

    def to_list(self) -> list[str]:
        """All ids in row order."""
        return list(self.values.to_pylist())

    def __len__(self) -> int:
        return len(self.values)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Ids) and self.values.equals(other.values)

    def __hash__(self) -> int:
        return hash((len(self.values), str(self.values[:3])))


def as_strings(ids: Sequence[Any] | pa.Array | pa.ChunkedArray) -> pa.Array:
    """Convert ids of any type to one array of strings."""
    if isinstance(ids, pa.ChunkedArray):
        ids = ids.combine_chunks()
    if isinstance(ids, pa.ChunkedArray):
        ids = pa.concat_arrays(ids.chunks)
    array = ids if isinstance(ids, pa.Array) else pa.array(ids)
    if pa.types.is_dictionary(array.type):
        array = array.dictionary_decode()
    return pc.cast(array, pa.string())

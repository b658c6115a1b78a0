"""Checks that the numbers of a bundle are finite, which no checksum says."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from ml.arrays import F32
from ml.bundle.files import BundleError


def require_finite(name: str, numbers: npt.ArrayLike) -> None:
    """Check that every number is finite.

    Raises:
        BundleError: A number is NaN or infinite; the message names the array.
    """
    bad = ~np.isfinite(np.asarray(numbers, dtype=np.float64))
    if bad.any():
        raise BundleError(f"{name} holds {int(bad.sum())} numbers that are not finite")


def require_whole_rows(name: str, factors: F32) -> None:
    """Check that each row is finite throughout, or NaN throughout, as that of a user or item without factors.

    Raises:
        BundleError: A row is neither; the message names the file and the first such row.
    """
    is_finite = np.isfinite(factors)
    suspects = np.flatnonzero(~is_finite.all(axis=1))
    broken = suspects[~np.isnan(factors[suspects]).all(axis=1)]
    if len(broken):
        raise BundleError(f"{name} holds {len(broken)} rows that are finite in part; the first is row {broken[0]}")


def require_bounded_columns(name: str, table: pa.Table, columns: tuple[str, ...]) -> None:
    """Check that no number of these columns is infinite. NaN counts as null; absent columns are left out.

    Raises:
        BundleError: A number is infinite; the message names the file and the column.
    """
    for column in columns:
        if column in table.column_names and pa.types.is_floating(table.schema.field(column).type):
            infinite = pc.sum(pc.is_inf(table[column])).as_py() or 0
            if infinite:
                raise BundleError(f"{name}: column {column} holds {infinite} infinite numbers")


def require_finite_estimator(name: str, estimator: Any) -> None:
    """Check the learned numbers of an estimator, which are its attributes that end in `_`.

    Raises:
        BundleError: A number is NaN or infinite; the message names the attribute.
    """
    for attribute, value in vars(estimator).items():
        is_number = isinstance(value, float) or (isinstance(value, np.ndarray) and value.dtype.kind == "f")
        if attribute.endswith("_") and is_number:
            require_finite(f"{name}: {attribute}", value)

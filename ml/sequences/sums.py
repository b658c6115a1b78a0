"""Sums by group."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from ml.arrays import F64


def sum_by_group(groups: npt.NDArray[Any], values: npt.NDArray[Any], n_groups: int) -> F64:
    """Return the sum of the values (n,) of each group (n_groups,)."""
    return np.bincount(groups, values, minlength=n_groups).astype(np.float64)  # no value gives whole numbers

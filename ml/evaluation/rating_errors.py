"""How far predicted ratings are from those that were given."""

from __future__ import annotations

import numpy as np

from ml.arrays import F32, F64


def rmse(predicted: F32 | F64, given: F32 | F64) -> float:
    """Root of the mean squared error, in the unit of the ratings: both float (n,)."""
    return float(np.sqrt(np.mean((predicted.astype(np.float64) - given.astype(np.float64)) ** 2)))


def mae(predicted: F32 | F64, given: F32 | F64) -> float:
    """Mean absolute error, in the unit of the ratings: both float (n,)."""
    return float(np.mean(np.abs(predicted.astype(np.float64) - given.astype(np.float64))))

"""Errors of predicted ratings."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt


def rmse(predicted: npt.NDArray[Any], given: npt.NDArray[Any]) -> float:
    """Root of the mean squared error, in the unit of the ratings; NaN without ratings."""
    if not len(given):
        return float("nan")
    return float(np.sqrt(np.mean((predicted.astype(np.float64) - given.astype(np.float64)) ** 2)))

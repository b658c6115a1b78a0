"""Errors of predicted ratings."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt


def rmse(predicted: npt.NDArray[np.floating[np.generic]], given: npt.NDArray[np.floating[np.generic]]) -> float:
    """Root of the mean squared error, in the unit of the ratings; NaN without ratings."""
    if not len(given):
        return float("nan")
    return float(np.sqrt(np.mean((predicted.astype(np.float64) - given.astype(np.float64)) ** 2)))

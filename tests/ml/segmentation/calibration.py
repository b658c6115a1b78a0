"""How far probabilities are from how often they come true."""

from __future__ import annotations

import numpy as np

from ml.arrays import F64, Bools

BINS = 10


def calibration_error(confidence: F64, is_right: Bools) -> float:
    """Return the expected calibration error of statements (n,) with a confidence (n,), over ten equal bins."""
    bins = np.minimum((confidence * BINS).astype(int), BINS - 1)
    return sum(
        float((bins == number).mean() * abs(confidence[bins == number].mean() - is_right[bins == number].mean()))
        for number in np.unique(bins)
    )

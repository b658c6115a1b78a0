"""Which of many differences are certain enough to be stated."""

from __future__ import annotations

import numpy as np

from ml.arrays import F64, Bools

FALSE_CLAIMS = 0.05  # probability that any of the differences that are stated together is chance


def are_certain(p_values: F64, comparisons: int) -> Bools:
    """Mark the differences (n,) that are certain, given how many comparisons were made in all (Bonferroni).

    A p-value that is not defined, as of a constant feature, marks nothing.
    """
    return np.asarray(np.nan_to_num(p_values, nan=1.0) * comparisons <= FALSE_CLAIMS)

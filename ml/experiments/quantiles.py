"""The effect on a quantile over units, with the standard error that order statistics give.

The interval of one arm's quantile runs between the order statistics at n q ± z sqrt(n q (1 - q)); its width over 2 z
is the standard error (Serfling 1980, section 2.6; Liu et al. 2019 use it for experiments at scale). No density has to
be estimated, and ties only make it wider.
"""

from __future__ import annotations

from math import ceil, floor, nan, sqrt

import numpy as np
import numpy.typing as npt
from scipy.stats import norm

from ml.experiments.estimates import Estimate

Floats = npt.NDArray[np.float64]
_Z = float(norm.ppf(0.975))


def quantile_estimate(control: Floats, treatment: Floats, quantile: float) -> Estimate:
    """Compare a quantile of two samples; shapes (n_control,), (n_treatment,)."""
    left, left_variance = quantile_of_arm(control, quantile)
    right, right_variance = quantile_of_arm(treatment, quantile)
    return Estimate(left, right, left_variance, right_variance, len(control), len(treatment))


def quantile_of_arm(values: Floats, quantile: float) -> tuple[float, float]:
    """Return a sample's quantile (linear interpolation) and the variance of it; NaN below ten values."""
    n = len(values)
    if n < 10:
        return nan, nan
    spread = _Z * sqrt(n * quantile * (1 - quantile))
    # Order statistic number r stands for the quantile (r - 1/2) / n; places between two of them are interpolated,
    # because rounding outward would make the interval, and so the error, too wide by a tenth at a thousand values.
    places = [quantile * (n - 1)]
    places += [min(max(n * quantile - 0.5 + side * spread, 0.0), n - 1.0) for side in (-1, 1)]
    ordered = np.partition(values, sorted({bound for place in places for bound in (floor(place), ceil(place))}))
    value, low, high = (
        float(ordered[floor(place)] + (place - floor(place)) * (ordered[ceil(place)] - ordered[floor(place)]))
        for place in places
    )
    error = (high - low) / (2 * _Z)
    return value, error**2

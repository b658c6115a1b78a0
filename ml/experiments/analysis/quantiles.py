"""Estimate the effect on a quantile over units, also for values with ties.

Sums of counts and of heartbeats take few distinct values, where the sample quantile jumps and has no normal limit.
The mid-quantile (Ma, Genton and Parzen 2011) is linear between the values, placed at their mid-distribution F(x) -
p(x)/2; without ties it is the ordinary quantile (Hazen's). Its standard error comes from the quantile function
near the level, as for order statistics (Serfling 1980, section 2.6), so no density has to be estimated.
"""

from __future__ import annotations

from math import nan, sqrt

import numpy as np
from scipy.stats import norm

from ml.arrays import F64
from ml.experiments.analysis.estimates import EffectEstimate

MINIMUM_UNITS = 10
"""Values that a sample needs for a quantile."""
_Z = float(norm.ppf(0.975))


def estimate_quantile_effect(control: F64, treatment: F64, quantile: float) -> EffectEstimate:
    """Compare a quantile of two samples, (n_control,) and (n_treatment,)."""
    left, left_variance = estimate_quantile(control, quantile)
    right, right_variance = estimate_quantile(treatment, quantile)
    return EffectEstimate(left, right, left_variance, right_variance, len(control), len(treatment))


def estimate_quantile(values: F64, quantile: float) -> tuple[float, float]:
    """Return a sample's mid-quantile and its variance, NaN for fewer than ten values."""
    n = len(values)
    if n < MINIMUM_UNITS:
        return nan, nan
    support, counts = np.unique(values, return_counts=True)
    mass = counts / n
    middle = np.cumsum(mass) - mass / 2
    reach = _Z * sqrt(_level_variance(quantile, mass, middle) / n)
    low, value, high = np.interp([quantile - reach, quantile, quantile + reach], middle, support)
    return float(value), float((high - low) / (2 * _Z)) ** 2


def _level_variance(quantile: float, mass: F64, middle: F64) -> float:
    """Return the variance of a unit's contribution to the level at the quantile.

    It is q (1 - q), less the effect of ties. Between two values the level is a mean, with weight w on the upper
    value, of their mid-distributions. A unit contributes 1 to the mid-distribution of a value if it lies below the
    value, 1/2 if it equals it, and 0 if it lies above.
    """
    above = int(np.clip(np.searchsorted(middle, quantile), 1, len(middle) - 1)) if len(middle) > 1 else 0
    if above == 0:
        return 0.0
    below = above - 1
    weight = float(np.clip((quantile - middle[below]) / (middle[above] - middle[below]), 0.0, 1.0))
    smaller = float(middle[below] - mass[below] / 2)
    at_below, at_above = (1 + weight) / 2, weight / 2
    mean = smaller + mass[below] * at_below + mass[above] * at_above
    square = smaller + mass[below] * at_below**2 + mass[above] * at_above**2
    return max(float(square - mean**2), 0.0)

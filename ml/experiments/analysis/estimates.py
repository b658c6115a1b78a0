"""The effect of a variant on a metric: plain, with CUPED, and post-stratified, from sufficient statistics.

An arm is described by the mean vector of the metric's columns and the covariance of that mean. The arm's value is
the ratio of the numerator's to the denominator's mean (the denominator is 1 where the metric has none), less the
part that the covariate explains (Deng et al. 2013); its variance follows by the delta method (Deng, Knoblich and
Lu 2018). Post-stratification replaces the mean by the mean of the strata's means, weighted by all units of a
stratum (Miratrix, Sekhon and Yu 2013). With one stratum this is tea-tasting's estimator, which gives the intervals
of a single look.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import nan, sqrt

import numpy as np
import tea_tasting as tt
import tea_tasting.aggr

from ml.arrays import F64
from ml.experiments.analysis.moments import Moments
from ml.experiments.analysis.outcomes import COVARIATE, DENOMINATOR, DENOMINATOR_COVARIATE, NUMERATOR

CONTROL = 0


@dataclass(frozen=True)
class EffectEstimate:
    """Values of two arms and the variances of these values, in the metric's unit."""

    control: float
    treatment: float
    control_variance: float
    treatment_variance: float
    control_units: int
    treatment_units: int

    @property
    def absolute(self) -> float:
        """Difference of the values."""
        return self.treatment - self.control

    @property
    def standard_error(self) -> float:
        """Standard error of the difference."""
        return sqrt(self.control_variance + self.treatment_variance)

    @property
    def relative(self) -> float:
        """Difference over the control's value; NaN where that is 0."""
        return self.absolute / self.control if self.control else nan

    @property
    def relative_standard_error(self) -> float:
        """Standard error of the relative difference by the delta method; NaN where the control's value is 0."""
        if not self.control:
            return nan
        variance = (
            self.treatment_variance / self.control**2 + self.treatment**2 * self.control_variance / self.control**4
        )
        return sqrt(variance)

    @property
    def units(self) -> int:
        """Units of both arms."""
        return self.control_units + self.treatment_units


def run_welch_test(moments: Moments, variant: int, alpha: float, *, cuped: bool) -> tt.metrics.mean.MeanResult:
    """Welch's test of a variant against the control, by tea-tasting; intervals hold for one look."""
    names = moments.names
    metric = tt.RatioOfMeans(
        numer=NUMERATOR,
        denom=DENOMINATOR if DENOMINATOR in names else None,
        numer_covariate=COVARIATE if cuped and COVARIATE in names else None,
        denom_covariate=DENOMINATOR_COVARIATE if cuped and DENOMINATOR_COVARIATE in names else None,
        confidence_level=1 - alpha,
        equal_var=False,
        use_t=True,
    )
    return metric.analyze_aggregates(moments.select(CONTROL), moments.select(variant))


def estimate_effect(
    moments: Moments,
    variant: int,
    *,
    cuped: bool = True,
    minimum_stratum_units: int = 1,
    days: slice = slice(None),
) -> EffectEstimate:
    """Estimate a variant's effect, post-stratified over the strata.

    Strata with fewer than `minimum_stratum_units` units in either arm are taken together. `days` restricts the
    cohorts. Values are NaN where an arm has fewer than two units.
    """
    strata = _merged_strata(moments, variant, minimum_stratum_units, days)
    arms = {arm: [moments.select(arm, members, days=days) for members in strata] for arm in (CONTROL, variant)}
    pooled = _pool([*arms[CONTROL], *arms[variant]])
    coefficient = _covariate_coefficient(pooled) if cuped else 0.0
    offset = _ratio(pooled, COVARIATE, DENOMINATOR_COVARIATE)
    weights = np.array(
        [left.count() + right.count() for left, right in zip(arms[CONTROL], arms[variant], strict=True)],
        dtype=float,
    )
    weights /= max(weights.sum(), 1.0)
    control, control_variance = _arm(moments.names, arms[CONTROL], weights, coefficient, offset)
    treatment, treatment_variance = _arm(moments.names, arms[variant], weights, coefficient, offset)
    return EffectEstimate(
        control,
        treatment,
        control_variance,
        treatment_variance,
        sum(group.count() for group in arms[CONTROL]),
        sum(group.count() for group in arms[variant]),
    )


def variance_explained(moments: Moments, variant: int) -> float:
    """Share of the variance that CUPED takes away: the squared correlation of metric and covariate, 0
    without one.
    """
    if COVARIATE not in moments.names:
        return 0.0
    total = _pool([moments.select(CONTROL), moments.select(variant)])
    if total.count() < 2:
        return 0.0
    own = total.ratio_var(NUMERATOR, DENOMINATOR if DENOMINATOR in moments.names else None)
    other = total.ratio_var(COVARIATE, DENOMINATOR_COVARIATE if DENOMINATOR_COVARIATE in moments.names else None)
    if own <= 0 or other <= 0:
        return 0.0
    return float(_covariate_covariance(total) ** 2 / (own * other))


def _merged_strata(moments: Moments, variant: int, minimum: int, days: slice) -> list[list[int]]:
    """Group the strata so that every group has enough units in both arms, as far as that can be."""
    counts = moments.count[[CONTROL, variant]][:, :, days].sum(axis=2).min(axis=0)
    large = [[index] for index in np.flatnonzero(counts >= max(minimum, 2)).tolist()]
    small = np.flatnonzero(counts < max(minimum, 2)).tolist()
    if not small:
        return large
    if not large or all(moments.count[arm][small][:, days].sum() >= 2 for arm in (CONTROL, variant)):
        return [*large, small]
    return [*large[:-1], [*large[-1], *small]]


def _pool(groups: list[tea_tasting.aggr.Aggregates]) -> tea_tasting.aggr.Aggregates:
    filled = [group for group in groups if group.count() > 1]
    if not filled:
        return groups[0]
    total = filled[0]
    for group in filled[1:]:
        total = total + group
    return total


def _ratio(group: tea_tasting.aggr.Aggregates, numerator: str, denominator: str) -> float:
    if numerator not in group.mean_:
        return 0.0
    return float(group.mean(numerator) / (group.mean(denominator) if denominator in group.mean_ else 1.0))


def _covariate_covariance(group: tea_tasting.aggr.Aggregates) -> float:
    return float(
        group.ratio_cov(
            NUMERATOR,
            DENOMINATOR if DENOMINATOR in group.mean_ else None,
            COVARIATE,
            DENOMINATOR_COVARIATE if DENOMINATOR_COVARIATE in group.mean_ else None,
        )
    )


def _covariate_coefficient(group: tea_tasting.aggr.Aggregates) -> float:
    if COVARIATE not in group.mean_:
        return 0.0
    denominator = DENOMINATOR_COVARIATE if DENOMINATOR_COVARIATE in group.mean_ else None
    if denominator is not None and not group.mean(denominator):
        return 0.0
    variance = group.ratio_var(COVARIATE, denominator)
    return _covariate_covariance(group) / variance if variance > 0 else 0.0


def _arm(
    names: tuple[str, ...],
    groups: list[tea_tasting.aggr.Aggregates],
    weights: F64,
    coefficient: float,
    offset: float,
) -> tuple[float, float]:
    """Value of an arm and its variance."""
    k = len(names)
    mean, covariance = np.zeros(k), np.zeros((k, k))
    for weight, group in zip(weights, groups, strict=True):
        if weight == 0:
            continue
        if group.count() < 2:
            return nan, nan
        mean += weight * np.array([group.mean(name) for name in names])
        matrix = np.array(
            [[group.var(a) if a == b else group.cov(a, b) for b in names] for a in names], dtype=np.float64
        )
        covariance += weight**2 * matrix / group.count()
    at = dict(zip(names, mean.tolist(), strict=True))
    gradient = dict.fromkeys(names, 0.0)
    value = _add_ratio(at, gradient, NUMERATOR, DENOMINATOR, 1.0)
    if coefficient and COVARIATE in at:
        value += _add_ratio(at, gradient, COVARIATE, DENOMINATOR_COVARIATE, -coefficient) + coefficient * offset
    slope = np.array([gradient[name] for name in names])
    variance = float(slope @ covariance @ slope)
    # Rounding can leave a tiny negative number where the true variance is 0; NaN stays NaN.
    return value, 0.0 if variance < 0 else variance


def _add_ratio(
    at: dict[str, float], gradient: dict[str, float], numerator: str, denominator: str, factor: float
) -> float:
    """Add `factor` times a ratio of means to a value, and its slopes to the gradient."""
    if denominator not in at:
        gradient[numerator] += factor
        return factor * at[numerator]
    below = at[denominator]
    if below == 0:
        return nan
    ratio = at[numerator] / below
    gradient[numerator] += factor / below
    gradient[denominator] -= factor * ratio / below
    return factor * ratio

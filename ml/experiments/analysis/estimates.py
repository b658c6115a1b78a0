"""Estimate the effect of a variant on a metric from sufficient statistics: plain, with CUPED, and post-stratified.

An arm is described by the mean vector of the metric's columns and the covariance of that mean. The arm's value is
the ratio of the numerator's to the denominator's mean (the denominator is 1 for metrics without one), minus the
part that the covariate explains (Deng et al. 2013). Its variance follows from the delta method (Deng, Knoblich and
Lu 2018). Post-stratification replaces the mean by the mean of the strata's means, weighted by all units of a
stratum (Miratrix, Sekhon and Yu 2013). With a single stratum this is tea-tasting's estimator, which provides the
intervals of a single look.
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
    """Values of two arms and the variances of these values, in the metric's unit.

    Attributes:
        control: value of the control.
        treatment: value of the treatment.
        control_variance: variance of the control's value.
        treatment_variance: variance of the treatment's value.
        control_units: units of the control.
        treatment_units: units of the treatment.
    """

    control: float
    treatment: float
    control_variance: float
    treatment_variance: float
    control_units: int
    treatment_units: int

    @property
    def absolute(self) -> float:
        """Return the difference of the values."""
        return self.treatment - self.control

    @property
    def standard_error(self) -> float:
        """Return the standard error of the difference."""
        return sqrt(self.control_variance + self.treatment_variance)

    @property
    def relative(self) -> float:
        """Return the difference relative to the control's value, NaN if that is 0."""
        return self.absolute / self.control if self.control else nan

    @property
    def relative_standard_error(self) -> float:
        """Return the standard error of the relative difference (delta method), NaN if the control's value is 0."""
        if not self.control:
            return nan
        variance = (
            self.treatment_variance / self.control**2 + self.treatment**2 * self.control_variance / self.control**4
        )
        return sqrt(variance)

    @property
    def units(self) -> int:
        """Return the units of both arms."""
        return self.control_units + self.treatment_units


def run_welch_test(moments: Moments, variant: int, alpha: float, *, cuped: bool) -> tt.metrics.mean.MeanResult:
    """Run Welch's test of a variant against the control with tea-tasting; its intervals hold for a single look."""
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
    return metric.analyze_aggregates(moments.aggregate(CONTROL), moments.aggregate(variant))


def estimate_effect(
    moments: Moments,
    variant: int,
    *,
    cuped: bool = True,
    minimum_stratum_units: int = 1,
    days: slice = slice(None),
) -> EffectEstimate:
    """Estimate a variant's effect, post-stratified over the strata.

    Args:
        moments: sufficient statistics.
        variant: index of the variant.
        cuped: whether to adjust by the covariate.
        minimum_stratum_units: units per arm below which strata are merged.
        days: cohort days to use.

    Returns:
        The estimate, with NaN values if an arm has fewer than two units.
    """
    strata = _merge_strata(moments, variant, minimum_stratum_units, days)
    arms = {arm: [moments.aggregate(arm, members, days=days) for members in strata] for arm in (CONTROL, variant)}
    pooled = _pool_groups([*arms[CONTROL], *arms[variant]])
    coefficient = _covariate_coefficient(pooled) if cuped else 0.0
    offset = _compute_ratio(pooled, COVARIATE, DENOMINATOR_COVARIATE)
    weights = np.array(
        [left.count() + right.count() for left, right in zip(arms[CONTROL], arms[variant], strict=True)],
        dtype=float,
    )
    weights /= max(weights.sum(), 1.0)
    control, control_variance = _estimate_arm(moments.names, arms[CONTROL], weights, coefficient, offset)
    treatment, treatment_variance = _estimate_arm(moments.names, arms[variant], weights, coefficient, offset)
    return EffectEstimate(
        control,
        treatment,
        control_variance,
        treatment_variance,
        sum(group.count() for group in arms[CONTROL]),
        sum(group.count() for group in arms[variant]),
    )


def variance_explained(moments: Moments, variant: int) -> float:
    """Return the share of the variance that CUPED removes: the squared correlation with the covariate, or 0."""
    if COVARIATE not in moments.names:
        return 0.0
    total = _pool_groups([moments.aggregate(CONTROL), moments.aggregate(variant)])
    if total.count() < 2 or not _divides(total, DENOMINATOR, DENOMINATOR_COVARIATE):
        return 0.0
    metric_variance = total.ratio_var(NUMERATOR, DENOMINATOR if DENOMINATOR in moments.names else None)
    covariate_variance = total.ratio_var(
        COVARIATE, DENOMINATOR_COVARIATE if DENOMINATOR_COVARIATE in moments.names else None
    )
    if metric_variance <= 0 or covariate_variance <= 0:
        return 0.0
    return float(_covariate_covariance(total) ** 2 / (metric_variance * covariate_variance))


def _merge_strata(moments: Moments, variant: int, minimum: int, days: slice) -> list[list[int]]:
    """Group the strata so that every group has enough units in both arms, as far as possible."""
    counts = moments.count[[CONTROL, variant]][:, :, days].sum(axis=2).min(axis=0)
    large = [[index] for index in np.flatnonzero(counts >= max(minimum, 2)).tolist()]
    small = np.flatnonzero(counts < max(minimum, 2)).tolist()
    if not small:
        return large
    if not large or all(moments.count[arm][small][:, days].sum() >= 2 for arm in (CONTROL, variant)):
        return [*large, small]
    return [*large[:-1], [*large[-1], *small]]


def _pool_groups(groups: list[tea_tasting.aggr.Aggregates]) -> tea_tasting.aggr.Aggregates:
    """Add up groups of at least two units."""
    filled = [group for group in groups if group.count() > 1]
    if not filled:
        return groups[0]
    total = filled[0]
    for group in filled[1:]:
        total = total + group
    return total


def _compute_ratio(group: tea_tasting.aggr.Aggregates, numerator: str, denominator: str) -> float:
    """Return a ratio of means, 0 if there is no numerator or nothing to divide by."""
    if numerator not in group.mean_ or not _divides(group, denominator):
        return 0.0
    return float(group.mean(numerator) / (group.mean(denominator) if denominator in group.mean_ else 1.0))


def _divides(group: tea_tasting.aggr.Aggregates, *denominators: str) -> bool:
    """Return whether those of the denominators that a metric has are not 0 throughout."""
    return all(group.mean(name) for name in denominators if name in group.mean_)


def _covariate_covariance(group: tea_tasting.aggr.Aggregates) -> float:
    """Return the covariance of metric and covariate."""
    return float(
        group.ratio_cov(
            NUMERATOR,
            DENOMINATOR if DENOMINATOR in group.mean_ else None,
            COVARIATE,
            DENOMINATOR_COVARIATE if DENOMINATOR_COVARIATE in group.mean_ else None,
        )
    )


def _covariate_coefficient(group: tea_tasting.aggr.Aggregates) -> float:
    """Return the regression coefficient of the metric on the covariate, 0 if it cannot be estimated."""
    if COVARIATE not in group.mean_:
        return 0.0
    if not _divides(group, DENOMINATOR, DENOMINATOR_COVARIATE):
        return 0.0
    denominator = DENOMINATOR_COVARIATE if DENOMINATOR_COVARIATE in group.mean_ else None
    variance = group.ratio_var(COVARIATE, denominator)
    return _covariate_covariance(group) / variance if variance > 0 else 0.0


def _estimate_arm(
    names: tuple[str, ...],
    groups: list[tea_tasting.aggr.Aggregates],
    weights: F64,
    coefficient: float,
    offset: float,
) -> tuple[float, float]:
    """Return the value of an arm and its variance, NaN without units."""
    if not weights.any():
        return nan, nan
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
    means = dict(zip(names, mean.tolist(), strict=True))
    gradient = dict.fromkeys(names, 0.0)
    value = _add_ratio(means, gradient, NUMERATOR, DENOMINATOR, 1.0)
    if coefficient and COVARIATE in means:
        value += _add_ratio(means, gradient, COVARIATE, DENOMINATOR_COVARIATE, -coefficient) + coefficient * offset
    slope = np.array([gradient[name] for name in names])
    variance = float(slope @ covariance @ slope)
    # Rounding can yield a tiny negative number if the true variance is 0; NaN stays NaN.
    return value, 0.0 if variance < 0 else variance


def _add_ratio(
    means: dict[str, float], gradient: dict[str, float], numerator: str, denominator: str, factor: float
) -> float:
    """Return `factor` times a ratio of means, and add its slopes to the gradient."""
    if denominator not in means:
        gradient[numerator] += factor
        return factor * means[numerator]
    below = means[denominator]
    if below == 0:
        return nan
    ratio = means[numerator] / below
    gradient[numerator] += factor / below
    gradient[denominator] -= factor * ratio / below
    return factor * ratio

"""Inference for an estimate: an interval for a single look, an always-valid interval, and a Bayesian interval.

A test of no effect yields its p-value and its interval at every level: the interval at level 1 - alpha excludes
zero exactly if the p-value is below alpha. That holds for the relative effect too, because its interval is that of
Fieller (1954): the changes for which the same test of `treatment - (1 + change) * control` rejects nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import exp, inf, isfinite, log, nan, sqrt

from scipy.stats import norm

from ml.experiments.analysis.estimates import EffectEstimate

SINGLE_LOOK_UNITS = 10
"""Units of an arm below which a mean is far from normal: with two, a fifth of all tests would find an effect."""


@dataclass(frozen=True)
class EffectInterval:
    """An effect with its bounds."""

    value: float
    low: float
    high: float

    @property
    def is_bounded(self) -> bool:
        """Return whether both bounds are finite."""
        return isfinite(self.low) and isfinite(self.high)


@dataclass(frozen=True)
class InferenceResult:
    """Absolute and relative effect with intervals of the same kind, and their p-value."""

    absolute: EffectInterval
    relative: EffectInterval
    p_value: float


@dataclass(frozen=True)
class EffectTest:
    """A test of no effect, from which the p-value and the interval at every level follow.

    Attributes:
        estimate: the estimate.
        p_value: the p-value, NaN for an estimate without variance.
        critical_value: the critical value of |z| at a significance level; |z| exceeds it exactly if the p-value
            lies below that level.
    """

    estimate: EffectEstimate
    p_value: float
    critical_value: Callable[[float], float]

    def infer(self, alpha: float) -> InferenceResult:
        """Return the intervals at level 1 - alpha."""
        return build_result(self.estimate, self.critical_value(alpha), self.p_value)


@dataclass(frozen=True)
class BayesianResult:
    """Posterior of the relative effect under a normal prior with mean 0.

    Attributes:
        probability_better: probability that the treatment is better.
        relative: posterior mean and interval.
        expected_loss: expected relative loss from shipping the treatment, over the cases in which it is worse.
        prior_sd: standard deviation of the prior.
    """

    probability_better: float
    relative: EffectInterval
    expected_loss: float
    prior_sd: float


def single_look_test(estimate: EffectEstimate) -> EffectTest:
    """Return the normal test, which holds for a single look; it rejects nothing below SINGLE_LOOK_UNITS."""
    error = estimate.standard_error
    if min(estimate.control_units, estimate.treatment_units) < SINGLE_LOOK_UNITS:
        return undecided_test(estimate)
    p_value = 2 * float(norm.sf(abs(estimate.absolute / error))) if error > 0 else nan
    return EffectTest(estimate, p_value, lambda alpha: float(norm.isf(alpha / 2)))


def always_valid_test(
    estimate: EffectEstimate, planned_units: int, burn_in_units: int, tuning_alpha: float
) -> EffectTest:
    """Return the mixture sequential probability ratio test, which holds at every look at once.

    Its intervals are an asymptotic confidence sequence: Robbins' normal mixture with the estimated variance
    (Waudby-Smith et al. 2021, Theorem 2.2), narrowest at `planned_units` for the level `1 - tuning_alpha`. The
    p-value is the inverse of the mixture's likelihood ratio (mSPRT, Johari et al. 2017). Below `burn_in_units`
    units in either arm the intervals are infinite, because the normal approximation does not hold yet.
    """
    error = estimate.standard_error
    if not error > 0:
        return EffectTest(estimate, nan, lambda _: nan)
    if min(estimate.control_units, estimate.treatment_units) < burn_in_units:
        return undecided_test(estimate)
    ratio = _mixture_ratio(estimate.units, tuning_alpha, planned_units)
    z = estimate.absolute / error
    p_value = min(1.0, exp(0.5 * log(1 + ratio) - 0.5 * z * z * ratio / (1 + ratio)))
    return EffectTest(
        estimate, p_value, lambda alpha: sqrt((1 + ratio) / ratio * (2 * log(1 / alpha) + log(1 + ratio)))
    )


def undecided_test(estimate: EffectEstimate) -> EffectTest:
    """Return a test that rejects nothing yet: its intervals are infinite, its p-value 1 (NaN without variance)."""
    return EffectTest(estimate, 1.0 if estimate.standard_error > 0 else nan, lambda _: inf)


def infer_single_look(estimate: EffectEstimate, alpha: float) -> InferenceResult:
    """Return normal intervals at level 1 - alpha; they hold for a single look."""
    return single_look_test(estimate).infer(alpha)


def infer_always_valid(
    estimate: EffectEstimate,
    alpha: float,
    planned_units: int,
    burn_in_units: int,
    tuning_alpha: float | None = None,
) -> InferenceResult:
    """Return intervals that hold at every look at once, see `always_valid_test`; tuned for `alpha` by default."""
    return always_valid_test(estimate, planned_units, burn_in_units, tuning_alpha or alpha).infer(alpha)


def infer_bayesian(
    estimate: EffectEstimate, alpha: float, prior_sd: float, *, higher_is_better: bool
) -> BayesianResult:
    """Combine the relative effect with a normal prior with mean 0 and standard deviation `prior_sd`."""
    error = estimate.relative_standard_error
    if not error > 0:
        return BayesianResult(nan, EffectInterval(estimate.relative, nan, nan), nan, prior_sd)
    precision = 1 / error**2 + 1 / prior_sd**2
    mean, sd = estimate.relative / error**2 / precision, sqrt(1 / precision)
    z = float(norm.ppf(1 - alpha / 2))
    gain = mean if higher_is_better else -mean
    # E[max(-gain, 0)] of a normal variable.
    loss = sd * float(norm.pdf(gain / sd)) - gain * float(norm.cdf(-gain / sd))
    return BayesianResult(
        float(norm.cdf(gain / sd)), EffectInterval(mean, mean - z * sd, mean + z * sd), max(loss, 0.0), prior_sd
    )


def build_result(estimate: EffectEstimate, width: float, p_value: float) -> InferenceResult:
    """Return the intervals of a test with the critical value `width`, NaN for an estimate without variance."""
    error = width * estimate.standard_error if estimate.standard_error > 0 else nan
    absolute = EffectInterval(estimate.absolute, estimate.absolute - error, estimate.absolute + error)
    return InferenceResult(absolute, _relative_interval(estimate, width), p_value)


def _relative_interval(estimate: EffectEstimate, width: float) -> EffectInterval:
    """Return Fieller's interval of the relative effect.

    It has a single bound, or none, if the control's value cannot be told from 0. NaN bounds if that value is 0 or
    nothing varies.
    """
    value = estimate.relative
    control, treatment = estimate.control, estimate.treatment
    if not (isfinite(value) and estimate.standard_error > 0):
        return EffectInterval(value, nan, nan)
    if not isfinite(width):
        return EffectInterval(value, -inf, inf)
    control_variance, treatment_variance = (
        width**2 * estimate.control_variance,
        width**2 * estimate.treatment_variance,
    )
    leading = control**2 - control_variance
    inner = (
        control**2 * treatment_variance + treatment**2 * control_variance - control_variance * treatment_variance
    )
    if leading > 0:
        middle, reach = control * treatment / leading, sqrt(inner) / leading
        return EffectInterval(value, middle - reach - 1, middle + reach - 1)
    if abs(estimate.absolute) <= width * estimate.standard_error or leading == 0 or inner < 0:
        return EffectInterval(value, -inf, inf)
    # The set of ratios that are not rejected is the outside of two roots; the estimate lies on one of its sides.
    roots = sorted((control * treatment + sign * sqrt(inner)) / leading for sign in (-1, 1))
    if treatment / control > roots[1]:
        return EffectInterval(value, roots[1] - 1, inf)
    return EffectInterval(value, -inf, roots[0] - 1)


def _mixture_ratio(units: int, alpha: float, planned_units: int) -> float:
    """Return the mixture's variance over the estimate's variance for the narrowest interval at `planned_units`."""
    best = -2 * log(alpha) + log(-2 * log(alpha) + 1)
    return best * units / planned_units

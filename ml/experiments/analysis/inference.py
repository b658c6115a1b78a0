"""Inference for an estimate: an interval for a single look, an always-valid interval, and a Bayesian interval."""

from __future__ import annotations

from dataclasses import dataclass
from math import exp, inf, log, nan, sqrt

from scipy.stats import norm

from ml.experiments.analysis.estimates import EffectEstimate


@dataclass(frozen=True)
class EffectInterval:
    """An effect with its bounds."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class InferenceResult:
    """Absolute and relative effect with intervals of the same kind, and their p-value."""

    absolute: EffectInterval
    relative: EffectInterval
    p_value: float


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


def infer_single_look(estimate: EffectEstimate, alpha: float) -> InferenceResult:
    """Return normal intervals at level 1 - alpha; they hold for a single look."""
    z = float(norm.ppf(1 - alpha / 2))
    return _build_result(estimate, z, _two_sided_p(estimate))


def infer_always_valid(
    estimate: EffectEstimate, alpha: float, planned_units: int, burn_in_units: int
) -> InferenceResult:
    """Return the intervals of an asymptotic confidence sequence, which hold at every look at once.

    The sequence is Robbins' normal mixture with the estimated variance (Waudby-Smith et al. 2021, Theorem 2.2),
    tuned to be narrowest at `planned_units`. The p-value is the inverse of the mixture's likelihood ratio (mSPRT,
    Johari et al. 2017). Below `burn_in_units` units in either arm the interval is infinite, because the normal
    approximation does not hold yet.
    """
    if min(estimate.control_units, estimate.treatment_units) < burn_in_units:
        return InferenceResult(
            EffectInterval(estimate.absolute, -inf, inf), EffectInterval(estimate.relative, -inf, inf), 1.0
        )
    ratio = _mixture_ratio(estimate.units, alpha, planned_units)
    width = sqrt((1 + ratio) / ratio * (2 * log(1 / alpha) + log(1 + ratio)))
    return _build_result(estimate, width, always_valid_p(estimate, alpha, planned_units))


def always_valid_p(estimate: EffectEstimate, alpha: float, planned_units: int) -> float:
    """Return the p-value of the mixture sequential probability ratio test at this look, 1 without variance."""
    error = estimate.standard_error
    if not error > 0:
        return 1.0
    ratio = _mixture_ratio(estimate.units, alpha, planned_units)
    z = estimate.absolute / error
    exponent = 0.5 * log(1 + ratio) - 0.5 * z * z * ratio / (1 + ratio)
    return min(1.0, exp(exponent))


def infer_repeated(estimate: EffectEstimate, boundary: float) -> InferenceResult:
    """Return the repeated confidence interval of a look, with a critical value from `group_sequential`."""
    return _build_result(estimate, boundary, _two_sided_p(estimate))


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


def _mixture_ratio(units: int, alpha: float, planned_units: int) -> float:
    """Return the mixture's variance over the estimate's variance for the narrowest interval at `planned_units`."""
    best = -2 * log(alpha) + log(-2 * log(alpha) + 1)
    return best * units / planned_units


def _build_result(estimate: EffectEstimate, width: float, p_value: float) -> InferenceResult:
    """Return absolute and relative intervals of `width` standard errors."""
    absolute, error = estimate.absolute, width * estimate.standard_error
    relative, relative_error = estimate.relative, width * estimate.relative_standard_error
    return InferenceResult(
        EffectInterval(absolute, absolute - error, absolute + error),
        EffectInterval(relative, relative - relative_error, relative + relative_error),
        p_value,
    )


def _two_sided_p(estimate: EffectEstimate) -> float:
    """Return the two-sided p-value of the normal test, NaN without variance."""
    error = estimate.standard_error
    return 2 * float(norm.sf(abs(estimate.absolute / error))) if error > 0 else nan

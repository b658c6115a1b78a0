"""Readings of one estimate: a single look's interval, an always-valid one, and a Bayesian one beside them."""

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
    """Absolute and relative effect with intervals of one kind, and its p-value."""

    absolute: EffectInterval
    relative: EffectInterval
    p_value: float


@dataclass(frozen=True)
class BayesianResult:
    """Posterior of the relative effect under a normal prior around 0.

    expected_loss: what shipping the treatment costs on average, in relative terms, in the cases where it is worse.
    """

    probability_better: float
    relative: EffectInterval
    expected_loss: float
    prior_sd: float


def infer_single_look(estimate: EffectEstimate, alpha: float) -> InferenceResult:
    """Normal interval at level 1 - alpha; it holds for one look only."""
    z = float(norm.ppf(1 - alpha / 2))
    return _reading(estimate, z, _two_sided_p(estimate))


def infer_always_valid(
    estimate: EffectEstimate, alpha: float, planned_units: int, burn_in_units: int
) -> InferenceResult:
    """Interval of an asymptotic confidence sequence: it holds at every look at once.

    Robbins' normal mixture with the estimated variance (Waudby-Smith et al. 2021, Theorem 2.2), tuned to be
    narrowest at `planned_units`; the p-value is the inverse of the mixture's likelihood ratio (mSPRT, Johari et
    al. 2017). Before `burn_in_units` units in either arm the interval is infinite: the normal limit has not set
    in.
    """
    if min(estimate.control_units, estimate.treatment_units) < burn_in_units:
        return InferenceResult(
            EffectInterval(estimate.absolute, -inf, inf), EffectInterval(estimate.relative, -inf, inf), 1.0
        )
    ratio = _mixture_ratio(estimate.units, alpha, planned_units)
    width = sqrt((1 + ratio) / ratio * (2 * log(1 / alpha) + log(1 + ratio)))
    return _reading(estimate, width, always_valid_p(estimate, alpha, planned_units))


def always_valid_p(estimate: EffectEstimate, alpha: float, planned_units: int) -> float:
    """p-value of the mixture sequential probability ratio test at this look; 1 without variance."""
    error = estimate.standard_error
    if not error > 0:
        return 1.0
    ratio = _mixture_ratio(estimate.units, alpha, planned_units)
    z = estimate.absolute / error
    exponent = 0.5 * log(1 + ratio) - 0.5 * z * z * ratio / (1 + ratio)
    return min(1.0, exp(exponent))


def infer_repeated(estimate: EffectEstimate, boundary: float) -> InferenceResult:
    """Repeated confidence interval of a group sequential look with a critical value from `group_sequential`."""
    return _reading(estimate, boundary, _two_sided_p(estimate))


def infer_bayesian(
    estimate: EffectEstimate, alpha: float, prior_sd: float, *, higher_is_better: bool
) -> BayesianResult:
    """Combine the relative effect with a normal prior of mean 0 and standard deviation `prior_sd`."""
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
    """Variance of the mixture over the variance of the estimate, for the narrowest interval at `planned_units`."""
    best = -2 * log(alpha) + log(-2 * log(alpha) + 1)
    return best * units / planned_units


def _reading(estimate: EffectEstimate, width: float, p_value: float) -> InferenceResult:
    absolute, error = estimate.absolute, width * estimate.standard_error
    relative, relative_error = estimate.relative, width * estimate.relative_standard_error
    return InferenceResult(
        EffectInterval(absolute, absolute - error, absolute + error),
        EffectInterval(relative, relative - relative_error, relative + relative_error),
        p_value,
    )


def _two_sided_p(estimate: EffectEstimate) -> float:
    error = estimate.standard_error
    return 2 * float(norm.sf(abs(estimate.absolute / error))) if error > 0 else nan

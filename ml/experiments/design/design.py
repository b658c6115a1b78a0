"""Compute how many units and days an experiment needs, from the history of its primary metric.

The planned lift scales the outcome: a proportion p becomes p (1 + lift), and a mean or ratio keeps its coefficient
of variation. The power of a single look is that of the two-sided z-test of two means with unequal variances (Chow,
Shao and Wang 2008, chapter 3), as tea-tasting has it; a service has no tea-tasting, which takes seconds to import.
Sequential inference needs more units by the square of its critical value, and its figures hold for a test that
runs to its planned end.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, log, sqrt
from typing import Any

import numpy as np
from scipy.optimize import brentq
from scipy.special import ndtr, ndtri

from ml.arrays import F64
from ml.errors import InvalidInputError
from ml.experiments.analysis.group_sequential import critical_values
from ml.experiments.definition.definition import DecisionRule, Experiment
from ml.experiments.design.history import Baseline

_BINARY_KINDS = ("proportion", "retention", "funnel")


@dataclass(frozen=True)
class SingleLook:
    """A two-sided z-test of the means of two arms, which is read once.

    Attributes:
        mean: value of the control.
        variance: variance of a unit's contribution in both arms.
        lift: relative effect.
        alpha: significance level.
        ratio: treatment units over control units.
    """

    mean: float
    variance: float
    lift: float
    alpha: float
    ratio: float

    def required_units(self, power: float) -> int:
        """Return the units of both arms that detect the effect with this power."""
        highest = -ndtri(self.alpha / 2) + ndtri(power)
        shift = float(brentq(lambda shift: self._detected(shift) - power, 0.0, highest, xtol=1e-12))
        return ceil((shift / self._shift_per_root) ** 2)

    def achieved_power(self, units: F64) -> F64:
        """Return the power with these units in both arms, the level for fewer than ten, (n,)."""
        return np.where(units < 10, self.alpha, self._detected(self._shift_per_root * np.sqrt(np.floor(units))))

    @property
    def _shift_per_root(self) -> float:
        """Return the effect in standard errors, over the root of the units of both arms."""
        return abs(self.lift * self.mean) * sqrt(self.ratio / self.variance) / (1 + self.ratio)

    def _detected(self, shift: Any) -> Any:
        """Return the share of tests that leave zero at either end, for effects in standard errors."""
        critical = -ndtri(self.alpha / 2)
        return ndtr(shift - critical) + ndtr(-shift - critical)


@dataclass(frozen=True)
class ExperimentDesign:
    """A plan.

    Attributes:
        baseline: history of the primary metric.
        lift: planned relative effect, signed.
        alpha: significance level of the rule.
        power: planned power.
        inference: inference of the rule.
        cuped: whether the variance is reduced by CUPED.
        units_per_pair: units of control and a treatment together, for `decision.planned_units` of the definition.
        units: units of all variants.
        days: whole weeks of intake in days, None if `maximum_days` do not bring enough units.
        window_days: days for which the last unit is then observed.
        curve_units: units after each day of intake, (n_days,).
        curve_power: power after each day of intake, (n_days,).
    """

    baseline: Baseline
    lift: float
    alpha: float
    power: float
    inference: str
    cuped: bool
    units_per_pair: int
    units: int
    days: int | None
    window_days: int
    curve_units: F64
    curve_power: F64

    def detectable_lift(self, days: int) -> float:
        """Return the relative lift that is detected with the planned power after these days, for small lifts."""
        pair = self.curve_units[days - 1] * self.units_per_pair / self.units
        return abs(self.lift) * sqrt(self.units_per_pair / pair) if pair else float("inf")


def design_experiment(
    experiment: Experiment, baseline: Baseline, *, power: float, maximum_days: int, cuped: bool = True
) -> ExperimentDesign:
    """Plan an experiment for its minimum detectable effect, shares, traffic and inference.

    Raises:
        InvalidInputError: the effect moves a proportion below 0 or above 1, or no variance is left.
    """
    rule = experiment.decision
    alpha = rule.alpha / len(experiment.treatments)
    last = len(experiment.steps) - 1
    shares = experiment.shares_of_step(last)
    control = shares[experiment.control]
    treatment = min(shares[name] for name in experiment.treatments)
    better = 1 if baseline.metric.better == "higher" else -1
    lift = better * experiment.minimum_detectable_effect
    variance = effective_variance(baseline, lift, treatment / control, cuped=cuped)
    if not variance > 0:
        raise InvalidInputError("history explains all of the metric's variance; plan without it")
    test = SingleLook(baseline.mean, variance, lift, alpha, treatment / control)
    single = test.required_units(power)
    inflation = _compute_inflation(rule, alpha, power)
    pair = ceil(single * inflation)
    total = ceil(pair / (control + treatment))
    traffic = experiment.layer_range[1] - experiment.layer_range[0]
    units = baseline.arrivals_until(maximum_days) * traffic * experiment.steps[last].traffic
    curve = test.achieved_power(units * (control + treatment) / inflation)
    enough = np.flatnonzero(units >= total)
    days = 7 * ceil((int(enough[0]) + 1) / 7) if len(enough) else None
    return ExperimentDesign(
        baseline,
        lift,
        rule.alpha,
        power,
        rule.inference,
        cuped,
        pair,
        total,
        days,
        baseline.window_days,
        units,
        curve,
    )


def effective_variance(baseline: Baseline, lift: float, ratio: float, *, cuped: bool) -> float:
    """Return the variance that, if both arms had it, yields the standard error of the arms' actual variances.

    Args:
        baseline: history of the metric.
        lift: planned relative effect.
        ratio: treatment units over control units.
        cuped: whether the variance is reduced by CUPED.

    Raises:
        InvalidInputError: the lift moves a proportion below 0 or above 1.
    """
    control_variance = baseline.variance * (1 - baseline.explained if cuped else 1)
    if baseline.metric.kind in _BINARY_KINDS:
        lifted = baseline.mean * (1 + lift)
        if not 0 < lifted < 1:
            raise InvalidInputError(
                f"a lift of {lift:.1%} takes the proportion {baseline.mean:.3g} to {lifted:.3g}"
            )
        treatment_variance = control_variance * lifted * (1 - lifted) / (baseline.mean * (1 - baseline.mean))
    else:
        treatment_variance = control_variance * (1 + lift) ** 2
    return (control_variance + treatment_variance / ratio) / (1 + 1 / ratio)


def _compute_inflation(rule: DecisionRule, alpha: float, power: float) -> float:
    """Return the units that the inference needs, relative to those of a single look."""
    single, reach = float(-ndtri(alpha / 2)), float(ndtri(power))
    if rule.inference == "fixed":
        return 1.0
    if rule.inference == "group_sequential":
        shares = [look / rule.looks for look in range(1, rule.looks + 1)]
        critical = critical_values(shares, alpha, rule.spending)[-1]
    else:
        # At the planned end the mixture has its best ratio, see `inference.infer_always_valid`.
        best = -2 * log(alpha) + log(-2 * log(alpha) + 1)
        critical = sqrt((1 + best) / best * (2 * log(1 / alpha) + log(1 + best)))
    return ((critical + reach) / (single + reach)) ** 2

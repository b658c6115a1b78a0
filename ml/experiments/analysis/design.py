"""Compute how many units and days an experiment needs, from the history of its primary metric.

The planned lift scales the outcome: a proportion p becomes p (1 + lift), and a mean or ratio keeps its coefficient
of variation. tea-tasting solves the power of a single look. Sequential inference needs more units by the square of
its critical value, and its figures hold for a test that runs to its planned end.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, log, sqrt

import numpy as np
import tea_tasting as tt
import tea_tasting.aggr
from scipy.stats import norm

from ml.arrays import F64
from ml.errors import InvalidInputError
from ml.experiments.analysis.baseline import Baseline
from ml.experiments.analysis.group_sequential import critical_values
from ml.experiments.definition.definition import DecisionRule, Experiment

_BINARY_KINDS = ("proportion", "retention", "funnel")


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
    """Plan an experiment for its minimum detectable effect, shares, traffic and inference."""
    rule = experiment.decision
    alpha = rule.alpha / len(experiment.treatments)
    last = len(experiment.steps) - 1
    shares = experiment.shares_of_step(last)
    control = shares[experiment.control]
    treatment = min(shares[name] for name in experiment.treatments)
    better = 1 if baseline.metric.better == "higher" else -1
    lift = better * experiment.minimum_detectable_effect
    variance = effective_variance(baseline, lift, treatment / control, cuped=cuped)
    test = _create_test(alpha, treatment / control)
    single = required_units(baseline.mean, variance, lift, test, power)
    inflation = _compute_inflation(rule, alpha, power)
    pair = ceil(single * inflation)
    total = ceil(pair / (control + treatment))
    traffic = experiment.layer_range[1] - experiment.layer_range[0]
    units = baseline.arrivals_until(maximum_days) * traffic * experiment.steps[last].traffic
    curve = np.array(
        [achieved_power(baseline.mean, variance, lift, test, n * (control + treatment) / inflation) for n in units]
    )
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


def required_units(mean: float, variance: float, lift: float, test: tt.Mean, power: float) -> int:
    """Return the units of both arms that a single look needs."""
    test.power, test.rel_effect_size = power, lift
    solutions = test.solve_power_from_aggregates(_to_aggregates(mean, variance), "n_obs")
    units: int = ceil(solutions[0].n_obs)
    return units


def achieved_power(mean: float, variance: float, lift: float, test: tt.Mean, units: float) -> float:
    """Return the power of a single look with these units in both arms, or the level for fewer than ten units."""
    if units < 10:
        return float(test.alpha)
    test.rel_effect_size, test.n_obs = lift, int(units)
    return float(test.solve_power_from_aggregates(_to_aggregates(mean, variance), "power")[0].power)


def _create_test(alpha: float, ratio: float) -> tt.Mean:
    """Create tea-tasting's test of means."""
    return tt.Mean("value", alpha=alpha, ratio=ratio, equal_var=False, use_t=False)


def _to_aggregates(mean: float, variance: float) -> tea_tasting.aggr.Aggregates:
    """Return tea-tasting's aggregates with this mean and variance."""
    return tea_tasting.aggr.Aggregates(count_=1000, mean_={"value": mean}, var_={"value": variance})


def _compute_inflation(rule: DecisionRule, alpha: float, power: float) -> float:
    """Return the units that the inference needs, relative to those of a single look."""
    single, reach = float(norm.ppf(1 - alpha / 2)), float(norm.ppf(power))
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

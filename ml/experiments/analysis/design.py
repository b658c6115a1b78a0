"""How many units and days an experiment needs, from the past of its primary metric.

The planned lift scales the outcome: a proportion p becomes p (1 + lift), a mean or ratio keeps its coefficient of
variation. The power of a single look is solved by tea-tasting; sequential inference needs more units by the square
of its critical value, and the figures for it hold for a test that runs to its planned end.
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

    units_per_pair: units of control and one treatment together; it is `decision.planned_units` of the definition.
    units: of all variants. days: whole weeks of intake, None when `maximum_days` do not bring enough units; the
    last unit is then watched for `window_days` more. curve_units, curve_power: after each day of intake, shape
    (n_days,).
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
        """Relative lift that the plan's power finds after these days of intake, for small lifts."""
        pair = self.curve_units[days - 1] * self.units_per_pair / self.units
        return abs(self.lift) * sqrt(self.units_per_pair / pair) if pair else float("inf")


def design_experiment(
    experiment: Experiment, past: Baseline, *, power: float, maximum_days: int, cuped: bool = True
) -> ExperimentDesign:
    """Plan an experiment for its own minimum detectable effect, shares, traffic and inference."""
    rule = experiment.decision
    alpha = rule.alpha / len(experiment.treatments)
    last = len(experiment.steps) - 1
    shares = experiment.shares_of_step(last)
    control = shares[experiment.control]
    treatment = min(shares[name] for name in experiment.treatments)
    better = 1 if past.metric.better == "higher" else -1
    lift = better * experiment.minimum_detectable_effect
    variance = effective_variance(past, lift, treatment / control, cuped=cuped)
    test = _test(alpha, treatment / control)
    single = required_units(past.mean, variance, lift, test, power)
    inflation = _inflation(rule, alpha, power)
    pair = ceil(single * inflation)
    total = ceil(pair / (control + treatment))
    traffic = experiment.layer_range[1] - experiment.layer_range[0]
    units = past.arrivals_until(maximum_days) * traffic * experiment.steps[last].traffic
    curve = np.array(
        [achieved_power(past.mean, variance, lift, test, n * (control + treatment) / inflation) for n in units]
    )
    enough = np.flatnonzero(units >= total)
    days = 7 * ceil((int(enough[0]) + 1) / 7) if len(enough) else None
    return ExperimentDesign(
        past, lift, rule.alpha, power, rule.inference, cuped, pair, total, days, past.window_days, units, curve
    )


def effective_variance(past: Baseline, lift: float, ratio: float, *, cuped: bool) -> float:
    """Variance which, had both arms it, gives the standard error that the arms' own variances give.

    ratio: treatment units over control units. Raises ValueError when the lift takes a proportion beyond 0 or 1.
    """
    own = past.variance * (1 - past.explained if cuped else 1)
    if past.metric.kind in _BINARY_KINDS:
        lifted = past.mean * (1 + lift)
        if not 0 < lifted < 1:
            raise InvalidInputError(f"a lift of {lift:.1%} takes the proportion {past.mean:.3g} to {lifted:.3g}")
        treated = own * lifted * (1 - lifted) / (past.mean * (1 - past.mean))
    else:
        treated = own * (1 + lift) ** 2
    return (own + treated / ratio) / (1 + 1 / ratio)


def required_units(mean: float, variance: float, lift: float, test: tt.Mean, power: float) -> int:
    """Units of both arms for a single look."""
    test.power, test.rel_effect_size = power, lift
    found = test.solve_power_from_aggregates(_aggregates(mean, variance), "n_obs")
    units: int = ceil(found[0].n_obs)
    return units


def achieved_power(mean: float, variance: float, lift: float, test: tt.Mean, units: float) -> float:
    """Power of a single look with these units in both arms; the level where there are fewer than ten."""
    if units < 10:
        return float(test.alpha)
    test.rel_effect_size, test.n_obs = lift, int(units)
    return float(test.solve_power_from_aggregates(_aggregates(mean, variance), "power")[0].power)


def _test(alpha: float, ratio: float) -> tt.Mean:
    return tt.Mean("value", alpha=alpha, ratio=ratio, equal_var=False, use_t=False)


def _aggregates(mean: float, variance: float) -> tea_tasting.aggr.Aggregates:
    return tea_tasting.aggr.Aggregates(count_=1000, mean_={"value": mean}, var_={"value": variance})


def _inflation(rule: DecisionRule, alpha: float, power: float) -> float:
    """Units that the inference needs, over those of a single look."""
    single, reach = float(norm.ppf(1 - alpha / 2)), float(norm.ppf(power))
    if rule.inference == "fixed":
        return 1.0
    if rule.inference == "group_sequential":
        shares = [look / rule.looks for look in range(1, rule.looks + 1)]
        critical = critical_values(shares, alpha, rule.spending)[-1]
    else:
        # At the planned end the mixture stands at its best ratio, see `readings.always_valid_reading`.
        best = -2 * log(alpha) + log(-2 * log(alpha) + 1)
        critical = sqrt((1 + best) / best * (2 * log(1 / alpha) + log(1 + best)))
    return ((critical + reach) / (single + reach)) ** 2

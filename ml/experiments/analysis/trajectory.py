"""Follow the primary metric over the cohorts of units, and evaluate the planned looks.

The point of a day contains all units first exposed up to that day whose window is complete. Later runs add points
and do not move earlier ones, so every look can be reproduced.
"""

from __future__ import annotations

from dataclasses import dataclass

from ml.experiments.analysis.estimates import EffectEstimate, estimate_effect
from ml.experiments.analysis.group_sequential import critical_values, repeated_p_value
from ml.experiments.analysis.inference import (
    EffectTest,
    InferenceResult,
    infer_always_valid,
    infer_single_look,
    undecided_test,
)
from ml.experiments.analysis.moments import Moments
from ml.experiments.definition.definition import DecisionRule


@dataclass(frozen=True)
class TrajectoryPoint:
    """The results once the units of the first `day + 1` days were observed for their window."""

    day: int
    estimate: EffectEstimate
    single_look: InferenceResult
    always_valid: InferenceResult


@dataclass(frozen=True)
class InterimLook:
    """A planned look.

    Attributes:
        day: cohort day of the look.
        estimate: the estimate of the units so far.
        information: share of the planned units.
        z: test statistic.
        boundary: critical value.
    """

    day: int
    estimate: EffectEstimate
    information: float
    z: float
    boundary: float

    @property
    def crossed(self) -> bool:
        """Return whether the test stops here."""
        return abs(self.z) >= self.boundary


def trace_cohorts(
    moments: Moments,
    variant: int,
    rule: DecisionRule,
    alpha: float,
    minimum_stratum_units: int,
    burn_in_units: int,
) -> list[TrajectoryPoint]:
    """Estimate the effect over the cohort days; days that add no unit are left out."""
    points: list[TrajectoryPoint] = []
    units = 0
    for day in range(moments.days):
        estimate = estimate_effect(
            moments, variant, minimum_stratum_units=minimum_stratum_units, days=slice(0, day + 1)
        )
        if estimate.units == units or not estimate.standard_error > 0:
            continue
        units = estimate.units
        points.append(_to_point(day, estimate, rule, alpha, burn_in_units))
    return points


def final_point(estimate: EffectEstimate, rule: DecisionRule, alpha: float, burn_in_units: int) -> TrajectoryPoint:
    """Return the only point of a metric that is not followed over the cohorts."""
    return _to_point(0, estimate, rule, alpha, burn_in_units)


def _to_point(
    day: int, estimate: EffectEstimate, rule: DecisionRule, alpha: float, burn_in_units: int
) -> TrajectoryPoint:
    """Return a point with its intervals."""
    return TrajectoryPoint(
        day,
        estimate,
        infer_single_look(estimate, alpha),
        infer_always_valid(estimate, alpha, rule.planned_units, burn_in_units, rule.alpha),
    )


def evaluate_looks(
    points: list[TrajectoryPoint], rule: DecisionRule, alpha: float, *, complete: bool
) -> list[InterimLook]:
    """Evaluate the looks of a group sequential test so far.

    A look takes place on the first day on which its planned share of the units is reached. When the test is
    complete, the last day is its last look and may spend all of the remaining alpha.
    """
    days: list[tuple[TrajectoryPoint, float]] = []
    for look in range(1, rule.looks + 1):
        share = look / rule.looks
        point = next((p for p in points if p.estimate.units >= share * rule.planned_units), None)
        if point is None:
            break
        information = 1.0 if look == rule.looks else min(point.estimate.units / rule.planned_units, 1.0)
        if days and days[-1][0].day == point.day:
            days[-1] = (point, information)
        elif not days or information > days[-1][1]:
            days.append((point, information))
    if complete and points and (not days or days[-1][1] < 1):
        if days and days[-1][0].day == points[-1].day:
            days.pop()
        days.append((points[-1], 1.0))
    criticals = critical_values([information for _, information in days], alpha, rule.spending)
    return [
        InterimLook(
            point.day,
            point.estimate,
            information,
            point.estimate.absolute / point.estimate.standard_error,
            critical,
        )
        for (point, information), critical in zip(days, criticals, strict=True)
    ]


def group_sequential_test(
    looks: list[InterimLook], latest: EffectEstimate, rule: DecisionRule, *, may_stop: bool
) -> EffectTest:
    """Return the test at the look that stopped the experiment, otherwise at the last look.

    Its intervals are the repeated confidence intervals of that look. Before the first look it rejects nothing.

    Args:
        looks: planned looks so far.
        latest: estimate of all units so far, for the time before the first look.
        rule: the decision rule.
        may_stop: whether the metric can stop the experiment; only the primary metric can.
    """
    last = len(looks) - 1
    stopped = next((place for place, look in enumerate(looks) if look.crossed), last) if may_stop else last
    if stopped < 0:
        return undecided_test(latest)
    look, information = looks[stopped], [look.information for look in looks[: stopped + 1]]
    return EffectTest(
        look.estimate,
        repeated_p_value(look.z, information, rule.spending),
        lambda alpha: critical_values(information, alpha, rule.spending)[-1],
    )

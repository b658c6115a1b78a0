"""Follow the primary metric over the cohorts of units, and evaluate the planned looks.

The point of a day contains all units first exposed up to that day whose window is complete. Later runs add points
and do not move earlier ones, so every look can be reproduced.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import inf

from ml.experiments.analysis.estimates import EffectEstimate, estimate_effect
from ml.experiments.analysis.group_sequential import critical_values
from ml.experiments.analysis.inference import (
    InferenceResult,
    infer_always_valid,
    infer_repeated,
    infer_single_look,
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
        information: share of the planned units.
        z: test statistic.
        boundary: critical value.
        inference: repeated confidence interval.
    """

    day: int
    information: float
    z: float
    boundary: float
    inference: InferenceResult

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
        points.append(
            TrajectoryPoint(
                day,
                estimate,
                infer_single_look(estimate, alpha),
                infer_always_valid(estimate, alpha, rule.planned_units, burn_in_units),
            )
        )
    return points


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
            information,
            point.estimate.absolute / point.estimate.standard_error,
            critical,
            infer_repeated(point.estimate, critical),
        )
        for (point, information), critical in zip(days, criticals, strict=True)
    ]


def infer_group_sequential(looks: list[InterimLook], latest: EffectEstimate) -> InferenceResult:
    """Return the inference at the look that stopped the test, otherwise at the last look.

    Before the first look it is infinite.
    """
    stopped = next((look for look in looks if look.crossed), looks[-1] if looks else None)
    return stopped.inference if stopped else infer_repeated(latest, inf)

"""Estimate how an effect varies by segment (with shrinkage), by weekday, and over time since the exposure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from math import nan, sqrt

import numpy as np
from scipy.stats import chi2, norm
from statsmodels.stats.meta_analysis import combine_effects

from ml.arrays import F64, I8, I32, Bools
from ml.experiments.analysis.estimates import CONTROL, EffectEstimate, estimate_effect
from ml.experiments.analysis.exposures import Units
from ml.experiments.analysis.moments import Moments
from ml.experiments.analysis.outcomes import UnitDays
from ml.experiments.definition.definition import Experiment

WEEKDAYS: tuple[str, ...] = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


@dataclass(frozen=True)
class GroupEffect:
    """Relative effect in a group.

    Attributes:
        group: name of the group.
        units: units of both arms.
        effect: measured relative effect.
        standard_error: its standard error.
        shrunk: effect shrunk towards the effect of all groups.
        shrunk_error: standard error of the shrunk effect.
    """

    group: str
    units: int
    effect: float
    standard_error: float
    shrunk: float
    shrunk_error: float


@dataclass(frozen=True)
class Heterogeneity:
    """Relative effects by group; a lift that scales the metric is equal across groups only in relative terms.

    Attributes:
        groups: effects of the groups.
        p_value: test that all effects are equal (Cochran's Q).
        tau: standard deviation of the true effects.
    """

    groups: tuple[GroupEffect, ...]
    p_value: float
    tau: float


@dataclass(frozen=True)
class DayEffect:
    """Difference of the daily means on a day since the exposure, with a 95% interval for that day."""

    day: int
    effect: float
    low: float
    high: float


@dataclass(frozen=True)
class Novelty:
    """Effect per day in the first and the second half of the window.

    Attributes:
        early: effect in the first half.
        late: effect in the second half.
        p_value: test that both are equal.
        days: effect on each day.
    """

    early: float
    late: float
    p_value: float
    days: tuple[DayEffect, ...]


def estimate_by_segment(
    moments: Moments, strata: list[tuple[int, ...]], names: tuple[str, ...], variant: int
) -> Heterogeneity:
    """Estimate the effect by segment; `strata` lists the strata of the moments that make up each segment."""
    effects = []
    for members, name in zip(strata, names, strict=True):
        part = moments.select_strata(members)
        effects.append((name, estimate_effect(part, variant)))
    return shrink_effects(effects)


def estimate_by_weekday(moments: Moments, experiment: Experiment, variant: int) -> Heterogeneity:
    """Estimate the effect by the UTC weekday of the unit's cohort day."""
    effects = []
    for weekday in range(7):
        days = [
            day for day in range(moments.days) if (experiment.starts_at + timedelta(days=day)).weekday() == weekday
        ]
        if days:
            effects.append((WEEKDAYS[weekday], estimate_effect(moments.select_days(days), variant)))
    return shrink_effects(effects)


def shrink_effects(effects: list[tuple[str, EffectEstimate]]) -> Heterogeneity:
    """Shrink effects to their mean by empirical Bayes, with the spread of true effects by Paule and Mandel.

    Groups without a relative effect or a standard error are left out. Nothing is shrunk if fewer than two groups
    remain.
    """
    usable = [(name, e) for name, e in effects if e.relative_standard_error > 0]
    if not usable:
        return Heterogeneity((), nan, nan)
    values = np.array([e.relative for _, e in usable])
    errors = np.array([e.relative_standard_error for _, e in usable])
    if len(usable) == 1:
        value, error = float(values[0]), float(errors[0])
        only = GroupEffect(usable[0][0], usable[0][1].units, value, error, value, error)
        return Heterogeneity((only,), nan, nan)
    # The effects are scaled because the iteration for the spread stops at an absolute tolerance.
    scale = float(np.median(errors))
    combined = combine_effects(values / scale, (errors / scale) ** 2, method_re="iterated")
    spread = max(float(combined.tau2), 0.0) * scale**2
    mean = float(combined.mean_effect_re) * scale if spread else float(combined.mean_effect_fe) * scale
    keep = spread / (spread + errors**2)
    # The mean is uncertain itself, and the shrunk effects inherit that uncertainty.
    mean_variance = 1 / np.sum(1 / (spread + errors**2))
    shrunk = keep * values + (1 - keep) * mean
    shrunk_error = np.sqrt(keep * errors**2 + (1 - keep) ** 2 * mean_variance)
    groups = tuple(
        GroupEffect(name, e.units, float(values[i]), float(errors[i]), float(shrunk[i]), float(shrunk_error[i]))
        for i, (name, e) in enumerate(usable)
    )
    return Heterogeneity(groups, float(chi2.sf(combined.q, len(usable) - 1)), sqrt(spread))


def estimate_novelty(
    days: UnitDays,
    units: Units,
    matured: Bools,
    measure: str,
    window: int,
    variant: int,
) -> Novelty | None:
    """Compare a measure's daily effect in the halves of the window, and follow it day by day.

    Only units that were observed for the whole window count.

    Returns:
        The comparison, or None for a window of a single day or arms of fewer than two units.
    """
    half = window // 2
    sizes = [int(np.count_nonzero(matured & (units.variant == arm))) for arm in (CONTROL, variant)]
    if half < 1 or min(sizes) < 2:
        return None
    inside = (days.day >= 0) & (days.day < window) & matured[days.unit]
    rows = np.flatnonzero(inside)
    unit, day = days.unit[rows], days.day[rows]
    values = days.values(measure)[rows].astype(np.float64)
    early = np.bincount(unit, weights=values * (day < half), minlength=days.n_units) / half
    late = np.bincount(unit, weights=values * (day >= half), minlength=days.n_units) / (window - half)
    arms = [matured & (units.variant == arm) for arm in (CONTROL, variant)]
    change = late - early
    difference = change[arms[1]].mean() - change[arms[0]].mean()
    error = sqrt(sum(change[arm].var(ddof=1) / size for arm, size in zip(arms, sizes, strict=True)))
    return Novelty(
        float(early[arms[1]].mean() - early[arms[0]].mean()),
        float(late[arms[1]].mean() - late[arms[0]].mean()),
        2 * float(norm.sf(abs(difference / error))) if error > 0 else nan,
        _estimate_daily(units.variant[unit], day, values, sizes, window, variant),
    )


def _estimate_daily(
    arm: I8,
    day: I32,
    values: F64,
    sizes: list[int],
    window: int,
    variant: int,
) -> tuple[DayEffect, ...]:
    """Estimate the difference of the daily means on each day of the window."""
    means, variances = [], []
    for code, size in zip((CONTROL, variant), sizes, strict=True):
        rows = arm == code
        total = np.bincount(day[rows], weights=values[rows], minlength=window)
        squares = np.bincount(day[rows], weights=values[rows] ** 2, minlength=window)
        mean = total / size
        means.append(mean)
        variances.append((squares / size - mean**2) / (size - 1))
    effect = means[1] - means[0]
    width = float(norm.ppf(0.975)) * np.sqrt(np.maximum(variances[0] + variances[1], 0))
    return tuple(
        DayEffect(
            index, float(effect[index]), float(effect[index] - width[index]), float(effect[index] + width[index])
        )
        for index in range(window)
    )

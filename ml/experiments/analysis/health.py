"""Whether the experiment's data can be trusted: sample ratio, exposures, balance before the start."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.stats import chi2, chi2_contingency

from ml.experiments.analysis.exposures import ExposureCounts, Units
from ml.experiments.definition.definition import Experiment
from ml.settings.experiments import ExperimentSettings


@dataclass(frozen=True)
class SampleRatioCheck:
    """Units by variant against the shares of the definition; `expected` sums the steps of the ramp."""

    variants: tuple[str, ...]
    observed: tuple[int, ...]
    expected: tuple[float, ...]
    statistic: float
    p_value: float
    alarm: bool


@dataclass(frozen=True)
class HealthCheck:
    """One named check; `detail` says what was found in words."""

    name: str
    passed: bool
    detail: str


def check_sample_ratio(units: Units, experiment: Experiment, alarm_p: float) -> SampleRatioCheck:
    """Chi-square test of the units' split, each step of the ramp against the shares it had.

    Units first seen in a step were split by that step's shares, so a ramp raises no alarm, whatever its totals
    are.
    """
    observed = np.zeros(len(units.variants))
    expected = np.zeros(len(units.variants))
    statistic, freedom = 0.0, 0
    for index in range(len(experiment.steps)):
        counts = np.bincount(units.variant[units.step == index], minlength=len(units.variants)).astype(float)
        shares = experiment.shares_of_step(index)
        share = np.array([shares[name] for name in units.variants])
        wanted = counts.sum() * share
        observed += counts
        expected += wanted
        if counts.sum() == 0:
            continue
        shown = share > 0
        statistic += float(((counts[shown] - wanted[shown]) ** 2 / wanted[shown]).sum())
        statistic += float("inf") if counts[~shown].any() else 0.0
        freedom += int(shown.sum()) - 1
    p_value = float(chi2.sf(statistic, freedom)) if freedom else 1.0
    return SampleRatioCheck(
        units.variants,
        tuple(int(count) for count in observed),
        tuple(float(count) for count in expected),
        statistic,
        p_value,
        p_value < alarm_p,
    )


def check_exposures(
    units: Units,
    counts: ExposureCounts,
    ratio: SampleRatioCheck,
    before: dict[str, float],
    experiment: Experiment,
    settings: ExperimentSettings,
) -> list[HealthCheck]:
    """All checks of an analysis.

    before: p-value of each metric's difference before the exposure, where there was history.
    """
    checks = [
        HealthCheck(
            "sample ratio",
            not ratio.alarm,
            f"{_split(ratio)}, p = {ratio.p_value:.3g}; an alarm below {settings.srm_alarm_p:g}",
        ),
        HealthCheck(
            "one variant a person",
            counts.mixed_share <= settings.mixed_units_alarm_share,
            f"{counts.mixed_units:,} persons saw two variants ({counts.mixed_share:.2%}); "
            + ("they count for the first" if experiment.mixed_units == "first" else "they are left out"),
        ),
        HealthCheck(
            "only known variants",
            counts.unknown_variant_rows == 0,
            f"{counts.unknown_variant_rows:,} exposures name a variant that the file does not have",
        ),
        HealthCheck(
            "exposures inside the period",
            counts.outside_period_rows == 0,
            f"{counts.outside_period_rows:,} exposures lie outside the experiment's start and end",
        ),
        _balanced_segments(units, settings),
    ]
    if before:
        worst = min(before, key=lambda name: before[name])
        threshold = settings.imbalance_alarm_p / len(before)
        checks.append(
            HealthCheck(
                "alike before the exposure",
                before[worst] >= threshold,
                f"largest difference in {worst}, p = {before[worst]:.3g} over {len(before)} metrics",
            )
        )
    return checks


def _balanced_segments(units: Units, settings: ExperimentSettings) -> HealthCheck:
    cells = units.segment.astype(np.int64) * len(units.variants) + units.variant
    table = np.bincount(cells, minlength=len(units.segments) * len(units.variants))
    table = table.reshape(len(units.segments), len(units.variants))
    table = table[table.sum(axis=1) >= settings.minimum_stratum_units]
    if len(table) < 2 or (table.sum(axis=0) == 0).any():
        return HealthCheck("variants alike in every segment", True, "fewer than two segments to compare")
    p_value = float(chi2_contingency(table).pvalue)
    return HealthCheck(
        "variants alike in every segment",
        p_value >= settings.imbalance_alarm_p,
        f"shares compared over {len(table)} segments, p = {p_value:.3g}",
    )


def _split(ratio: SampleRatioCheck) -> str:
    total = sum(ratio.observed)
    parts = [
        f"{name} {count:,} ({count / total:.2%}, planned {wanted / total:.2%})" if total else f"{name} 0"
        for name, count, wanted in zip(ratio.variants, ratio.observed, ratio.expected, strict=True)
    ]
    return ", ".join(parts)

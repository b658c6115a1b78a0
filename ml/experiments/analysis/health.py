"""Check whether the data of an experiment are reliable: sample ratio, exposures and balance before the start."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.stats import chi2, chi2_contingency

from ml.experiments.analysis.exposures import ExposureCounts, Units
from ml.experiments.definition.definition import Experiment
from ml.settings.experiments import ExperimentSettings


@dataclass(frozen=True)
class SampleRatioCheck:
    """Units by variant compared with the shares of the definition.

    Attributes:
        variants: names of the variants.
        observed: observed units.
        expected: expected units, summed over the steps of the ramp.
        statistic: chi-square statistic.
        p_value: p-value of the test.
        alarm: whether the p-value lies below the threshold.
    """

    variants: tuple[str, ...]
    observed: tuple[int, ...]
    expected: tuple[float, ...]
    statistic: float
    p_value: float
    alarm: bool


@dataclass(frozen=True)
class HealthCheck:
    """A named check; `detail` explains the result in words."""

    name: str
    passed: bool
    detail: str


def check_sample_ratio(units: Units, experiment: Experiment, alarm_p: float) -> SampleRatioCheck:
    """Test the split of the units, each step of the ramp against the shares in force.

    Units first seen in a step were split by that step's shares, so a ramp raises no alarm, whatever its totals
    are.
    """
    observed = np.zeros(len(units.variants))
    expected = np.zeros(len(units.variants))
    statistic, degrees = 0.0, 0
    for index in range(len(experiment.steps)):
        counts = np.bincount(units.variant[units.step == index], minlength=len(units.variants)).astype(float)
        shares = experiment.shares_of_step(index)
        share = np.array([shares[name] for name in units.variants])
        expected_count = counts.sum() * share
        observed += counts
        expected += expected_count
        if counts.sum() == 0:
            continue
        has_share = share > 0
        statistic += float(
            ((counts[has_share] - expected_count[has_share]) ** 2 / expected_count[has_share]).sum()
        )
        statistic += float("inf") if counts[~has_share].any() else 0.0
        degrees += int(has_share.sum()) - 1
    p_value = float(chi2.sf(statistic, degrees)) if degrees else 1.0
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
    imbalance: dict[str, float],
    experiment: Experiment,
    settings: ExperimentSettings,
) -> list[HealthCheck]:
    """Run all checks of an analysis.

    Args:
        units: the units.
        counts: counts of exposure rows and units.
        ratio: sample ratio check.
        imbalance: p-value of each metric's difference before the exposure, for metrics with history.
        experiment: definition of the experiment.
        settings: thresholds.
    """
    checks = [
        HealthCheck(
            "sample ratio",
            not ratio.alarm,
            f"{_describe_split(ratio)}, p = {ratio.p_value:.3g}; the alarm threshold is {settings.srm_alarm_p:g}",
        ),
        HealthCheck(
            "one variant per person",
            counts.mixed_share <= settings.mixed_units_alarm_share,
            _describe_mixed(counts, is_first_counted=experiment.mixed_units == "first"),
        ),
        HealthCheck(
            "only known variants",
            counts.unknown_variant_rows == 0,
            f"{counts.unknown_variant_rows:,} exposures name a variant that is not defined",
        ),
        HealthCheck(
            "exposures inside the period",
            counts.outside_period_rows == 0,
            f"{counts.outside_period_rows:,} exposures lie outside of the experiment's period",
        ),
        *_check_segments(units, settings),
    ]
    if imbalance:
        worst = min(imbalance, key=lambda name: imbalance[name])
        threshold = settings.imbalance_alarm_p / len(imbalance)
        checks.append(
            HealthCheck(
                "variants alike before the exposure",
                imbalance[worst] >= threshold,
                f"largest difference in {worst}, p = {imbalance[worst]:.3g}, among {len(imbalance)} metrics",
            )
        )
    return checks


def _check_segments(units: Units, settings: ExperimentSettings) -> list[HealthCheck]:
    """Test whether the variants have the same shares in every segment; empty with fewer than two to compare."""
    cells = units.segment.astype(np.int64) * len(units.variants) + units.variant
    table = np.bincount(cells, minlength=len(units.segments) * len(units.variants))
    table = table.reshape(len(units.segments), len(units.variants))
    table = table[table.sum(axis=1) >= settings.minimum_stratum_units]
    if len(table) < 2 or (table.sum(axis=0) == 0).any():
        return []
    p_value = float(chi2_contingency(table).pvalue)
    return [
        HealthCheck(
            "variants alike in every segment",
            p_value >= settings.imbalance_alarm_p,
            f"shares compared across {len(table)} segments, p = {p_value:.3g}",
        )
    ]


def _describe_split(ratio: SampleRatioCheck) -> str:
    """Describe observed and planned shares."""
    total = sum(ratio.observed)
    parts = [
        f"{name} {count:,} ({count / total:.2%}, planned {expected_count / total:.2%})" if total else f"{name} 0"
        for name, count, expected_count in zip(ratio.variants, ratio.observed, ratio.expected, strict=True)
    ]
    return ", ".join(parts)


def _describe_mixed(counts: ExposureCounts, *, is_first_counted: bool) -> str:
    if not counts.mixed_units:
        return "nobody saw two variants"
    people = "1 person" if counts.mixed_units == 1 else f"{counts.mixed_units:,} persons"
    each = "each counts for the first variant" if is_first_counted else "they do not count"
    return f"{people} saw two variants ({counts.mixed_share:.2%}); {each}"

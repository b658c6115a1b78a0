"""A sequential test that may be looked at after every hour: an e-detector of the kind of Shiryaev and Roberts.

J. Shin, A. Ramdas and A. Rinaldo, E-detectors: a nonparametric framework for sequential change detection, 2023.
Each day a new test of "nothing that matters changed since today" begins. Its evidence is a likelihood ratio of a
change that matters to one that is half as large, tempered by the dispersion of the series. Its mean is 1 or below
while each day's share or volume stays between the usual and that smaller change, whatever it does in between: days
may depend on each other, a site may grow, and the usual need not be known exactly.
The detector is the sum over all beginnings; tests of changes that may be over in hours begin with each hour, with
an equal part of the day's weight. While no more changes, the expected number of days until it exceeds a threshold
is at least the threshold. A day's factor of the other tests is cut at a limit, which keeps that property: the
smaller of a supermartingale and a constant is a supermartingale.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ml.arrays import F64
from ml.monitoring.expectation import Expectation
from ml.monitoring.series import Series, Subject
from ml.settings.operation import MonitoringSettings

NEARLY_ALL = 0.98
TOLERATED = 0.5  # of the smallest change that matters: in logarithms, or of the loss of a field
TOLERATED_QUALITY = 0.25  # what known visitors click wanders least


@dataclass(frozen=True)
class Evidence:
    """Evidence for a change.

    Attributes:
        log_evidence: (days, periods) logarithm of the detector after each period; its exponential is at most the
            number of days in the mean while nothing changes.
        onset: (days, periods) the day, with its fraction, on which the change most likely began, seen from each
            period.
    """

    log_evidence: F64
    onset: np.ndarray


def detect(
    series: Series, expectation: Expectation, settings: MonitoringSettings, log_threshold: float
) -> Evidence:
    """Follow a series.

    Args:
        series: The counts.
        expectation: What is usual; days without any are passed over.
        settings: Smallest changes that matter, and how much one day may say.
        log_threshold: Logarithm of the threshold of which `day_share` is a part.
    """
    tests = _tests(series, settings)
    gains = np.stack([_log_ratio(series, expectation, test) for test in tests])
    is_free = np.array([series.subject is Subject.QUALITY or test.is_of_total_loss for test in tests])
    limit = np.where(is_free, np.inf, settings.day_share * log_threshold)
    alternatives, days, periods = gains.shape
    log_detector = np.full(alternatives, -np.inf)
    log_evidence = np.full((days, periods), -np.inf)
    onset = np.zeros((days, periods))
    cusum, began = np.zeros(alternatives), np.zeros(alternatives)
    at_midnight = np.arange(periods) == 0
    begins = is_free[:, None] | at_midnight  # free tests begin with each period, others at midnight
    log_weights = np.log(_weights_of_beginnings(series))
    for day in range(days):
        if np.isnan(expectation.usual[day]).any():
            continue
        total = np.minimum(np.cumsum(gains[:, day], axis=1), limit[:, None])
        before = np.hstack([np.zeros((alternatives, 1)), total[:, :-1]])
        new = np.where(is_free[:, None], log_weights[day] - before, np.where(at_midnight, 0.0, -np.inf))
        after = total + np.logaddexp(log_detector[:, None], np.logaddexp.accumulate(new, axis=1))
        log_evidence[day] = np.logaddexp.reduce(after, axis=0) - np.log(alternatives)

        path = np.where(begins, cusum[:, None] + before, np.inf)
        lowest = np.minimum.accumulate(path, axis=1)
        place = np.maximum.accumulate(np.where(path <= lowest, np.arange(periods), 0), axis=1)
        start = np.where(lowest <= 0, day + place / periods, began[:, None])
        onset[day] = np.take_along_axis(start, np.argmax(after, axis=0)[None, :], axis=0)[0]
        log_detector, began = after[:, -1], start[:, -1]
        cusum = cusum + total[:, -1] - np.minimum(lowest[:, -1], 0)
    return Evidence(log_evidence, onset)


def _weights_of_beginnings(series: Series) -> F64:
    """(days, periods) what a test that begins with each period counts; they add up to 1 a day.

    Where a cause is known to have begun, its periods have half of the day's weight.
    """
    days, periods = series.counts.shape
    weights = np.full((days, periods), 1 / periods)
    if series.likely_onsets is not None:
        causes = series.likely_onsets.sum(axis=1, keepdims=True)
        shares = np.divide(series.likely_onsets, causes, out=weights.copy(), where=causes > 0)
        weights = (weights + shares) / 2
    return weights


@dataclass(frozen=True)
class _Test:
    """A change that matters against the largest one that does not, as ratios to the usual.

    They are ratios of shares for a field, of volumes for a volume, else of odds.
    """

    change: float
    tolerated: float

    @property
    def is_of_total_loss(self) -> bool:
        """Whether nearly all is gone, which no audience brings about."""
        return self.change <= 1 - NEARLY_ALL


def _tests(series: Series, settings: MonitoringSettings) -> list[_Test]:
    if series.subject is Subject.FIELD:
        tolerated = 1 - TOLERATED * settings.smallest_loss
        return [_Test(change, tolerated) for change in (1 - settings.smallest_loss, 0.5, 1 - NEARLY_ALL)]
    least = settings.smallest_volume_ratio if series.is_volume else settings.smallest_odds_ratio
    is_quality = series.subject is Subject.QUALITY
    tolerated = TOLERATED_QUALITY if is_quality else TOLERATED
    powers = (-1, -2, -3) if is_quality else (1, 2, 3, -1, -2, -3)  # more clicks than usual are no harm
    return [_Test(least**power, least ** np.copysign(tolerated, power)) for power in powers]


def _log_ratio(series: Series, expectation: Expectation, test: _Test) -> F64:
    """(days, periods) log likelihood ratio of a test, tempered by the dispersion."""
    if series.parts:
        of_parts = (_log_ratio(*each, test) for each in zip(series.parts, expectation.parts, strict=True))
        return np.asarray(sum(np.nan_to_num(gain, nan=0.0) for gain in of_parts))
    usual, counts = expectation.usual, series.counts
    if series.is_volume:
        gain = counts * np.log(test.change / test.tolerated) - usual * (test.change - test.tolerated)
    else:
        changed, tolerated = (
            usual * ratio if series.subject is Subject.FIELD else _with_odds(usual, ratio)
            for ratio in (test.change, test.tolerated)
        )
        lost = np.log((1 - changed) / (1 - tolerated))
        trials = expectation.trials_for_loss if test.is_of_total_loss else expectation.trials
        gain = counts * np.log(changed / tolerated) + (trials - counts) * lost
    # That nearly all is lost is told from a day on which fewer have the field without the spread of the days.
    return np.asarray(gain / (expectation.clustering if test.is_of_total_loss else expectation.dispersion))


def _with_odds(share: F64, ratio: float) -> F64:
    """The share of which the odds are those of `share`, times a ratio."""
    odds = share / (1 - share) * ratio
    return np.asarray(odds / (1 + odds))

"""What is usual on a weekday and at an hour, learned from the weeks before without their odd days."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ml.arrays import F64
from ml.monitoring.series import Series, Subject
from ml.settings.operation import MonitoringSettings

WEEK = 7
LEAST_RESIDUALS = 4
TRIMMED = 0.12  # share of the reference days that is left out at either end
PRIOR_TRIALS = 10.0  # trials of the overall share by which those of an hour or weekday are steadied
PRIOR_DAYS = 0.25  # days of the overall volume, likewise
LEAST_LOSS = 0.01  # of a field: a few senders without it turn up on any site
SURGE, SURGE_PEOPLE = 2.0, 10.0  # times the usual, and so many more: what chance alone does not bring
LOSS_TRIALS = 1.5  # times the usual: on two of ten simulated sites a small browser's loss is seen hours earlier
BLOCK_DAYS = 3  # items are in fashion for some days
TRIMMED_VARIANCE = 0.7  # what is left of a mean of squares once the largest are trimmed


@dataclass(frozen=True)
class Expectation:
    """What is usual for a series.

    Attributes:
        usual: (days, periods) the share, or the volume; NaN on days without enough history.
        dispersion: (days, periods) variance of the counts in multiples of the binomial or Poisson one, at least 1
            and at least the events of a person in that period, which may share their fate.
        clustering: (days, periods) those events of a person alone: the dispersion where shares do not move from
            day to day.
        trials: (days, periods) the trials that are judged. For a field, no more than usual: what comes beyond may
            be the audience of a campaign, and takes no value from the others.
        trials_for_loss: (days, periods) the same for the loss of nearly all values, with some more than usual: of
            what a campaign brings beyond that, nearly all would have to be without the field to look like it.
        parts: What is usual for the parts of the series, in their order.
    """

    usual: F64
    dispersion: F64
    clustering: F64
    trials: F64
    trials_for_loss: F64
    parts: tuple[Expectation, ...] = ()


def expect(series: Series, settings: MonitoringSettings) -> Expectation:
    """Learn what is usual for each day from the reference days before it.

    A share is that of the reference days without those where it was highest and lowest, times what is usual
    for the hour and for the weekday, in odds. A volume is the mean of such days, times factors of both.
    Rhythms of a share are drawn together as James and Stein do, so that noise becomes none. The dispersion is the
    trimmed mean of squared residuals of the reference days, over hours, days and three days; the largest one
    counts. What is learned holds until the end of the week.

    What is usual for a sum follows from its parts. A part without enough history adds what came.
    """
    if series.usual_as is not None:
        return replace(expect(series.usual_as, settings), trials=series.trials)
    if series.parts:
        return _of_sum(series, tuple(expect(part, settings) for part in series.parts))
    days, periods = series.counts.shape
    usual = np.full((days, periods), np.nan)
    events_of_a_person = _events_of_a_person(series)
    clustering = np.ones((days, periods))
    judged_trials, trials_for_loss = series.trials.copy(), series.trials.copy()
    dispersion = np.ones((days, periods))
    first = _first_day(series)
    judged = first + settings.grace_days + settings.lag_days
    for day in [judged, *range((judged // WEEK + 1) * WEEK, days, WEEK)]:
        if day >= days:
            break
        end = day - settings.lag_days
        begin = max(end - settings.reference_days, first)
        weekdays = np.arange(begin, end) % WEEK
        counts, trials = series.counts[begin:end], series.trials[begin:end]
        learn = _usual_volume if series.is_volume else _usual_share
        fitted = learn(counts, trials, weekdays)
        expected = np.minimum(fitted, 1 - LEAST_LOSS) if series.subject is Subject.FIELD else fitted
        week = np.arange(day, min((day // WEEK + 1) * WEEK, days))
        usual[week] = expected[week % WEEK]
        if series.subject is Subject.FIELD:
            usual_trials = _usual_volume(trials, trials, weekdays)[week % WEEK]
            came = series.counts[week], series.trials[week]
            judged_trials[week] = _without_surge(*came, usual_trials)
            trials_for_loss[week] = _without_surge(*came, LOSS_TRIALS * usual_trials)
        if series.may_surge:
            many = SURGE * np.cumsum(_usual_volume(trials, trials, weekdays)[week % WEEK], axis=1) + SURGE_PEOPLE
            usual[week] = np.where(np.cumsum(series.trials[week], axis=1) > many, np.nan, usual[week])
        size = np.ones_like(trials) if series.is_volume else trials
        variance = size * expected[weekdays] * (1 if series.is_volume else 1 - expected[weekdays])
        spread = _dispersion(counts - size * fitted[weekdays], variance)
        clustering[week] = np.maximum(events_of_a_person[week], events_of_a_person[begin:end].mean())
        dispersion[week] = np.maximum(spread, clustering[week])
    return Expectation(usual, dispersion, clustering, judged_trials, trials_for_loss)


def _of_sum(series: Series, parts: tuple[Expectation, ...]) -> Expectation:
    """What is usual for a sum of parts whose shares and volumes are known."""
    came = [
        np.where(np.isnan(each.usual), part.counts, each.usual * part.trials)
        for part, each in zip(series.parts, parts, strict=True)
    ]
    total = np.divide(sum(came), series.trials, out=np.zeros_like(series.trials), where=series.trials > 0)
    is_judged = np.any([~np.isnan(each.usual) for each in parts], axis=0)
    ones = np.ones_like(total)
    return Expectation(np.where(is_judged, total, np.nan), ones, ones, series.trials, series.trials, parts)


def _without_surge(counts: F64, trials: F64, usual: F64) -> F64:
    """(days, periods) trials without those beyond the usual until that hour of the day, but all with a value."""
    judged = np.empty_like(trials)
    left = np.zeros(len(trials))
    for period in range(trials.shape[1]):
        left += usual[:, period]
        judged[:, period] = np.clip(left, counts[:, period], trials[:, period])
        left = np.maximum(left - judged[:, period], 0.0)
    return judged


def _events_of_a_person(series: Series) -> F64:
    """(days, periods) events of a person in the mean of each period, at least 1; 1 where it is not known."""
    if series.people is None:
        return np.ones_like(series.counts)
    size = series.counts if series.is_volume else series.trials
    return np.maximum(size / np.maximum(series.people, 1.0), 1.0)


def _first_day(series: Series) -> int:
    """The first day on which the series has anything to count."""
    active = np.flatnonzero(series.size > 0)
    return int(active[0]) if len(active) else len(series.size)


def _usual_share(counts: F64, trials: F64, weekdays: np.ndarray) -> F64:
    """(7, periods) the usual share."""
    total = trials.sum()
    floor = 0.5 / (total + 1)
    daily = counts.sum(axis=1) / np.maximum(trials.sum(axis=1), 1e-9)
    kept = _without_odd_days(daily, trials.sum(axis=1) > 0)
    share = np.clip(_ratio(counts[kept].sum(), trials[kept].sum()), floor, 1 - floor)

    def steadied(some_counts: F64, some_trials: F64) -> F64:
        ratio = (some_counts + PRIOR_TRIALS * share) / (some_trials + PRIOR_TRIALS)
        variance = np.maximum(some_trials * share * (1 - share), 1e-9)
        squares = float((((some_counts - some_trials * share) ** 2) / variance)[some_trials > 0].sum())
        kept_part = max(0.0, 1 - (len(ratio) - 1) / max(squares, 1e-9))
        return np.asarray(kept_part * (_logit(np.clip(ratio, floor, 1 - floor)) - _logit(share)))

    of_hour = steadied(counts[kept].sum(axis=0), trials[kept].sum(axis=0))
    by_weekday = [
        (counts[kept & (weekdays == day)].sum(), trials[kept & (weekdays == day)].sum()) for day in range(WEEK)
    ]
    of_weekday = steadied(*np.array(by_weekday).T)
    logits = _logit(share) + of_weekday[:, None] + of_hour[None, :]
    return np.asarray(1 / (1 + np.exp(-logits)))


def _usual_volume(counts: F64, trials: F64, weekdays: np.ndarray) -> F64:
    """(7, periods) the usual volume."""
    del trials
    totals = counts.sum(axis=1)
    by_weekday = np.array(
        [np.median(totals[weekdays == day]) if (weekdays == day).any() else 0 for day in range(7)]
    )
    seen = np.array([(weekdays == day).sum() for day in range(WEEK)])
    level = max(float(np.median(totals)), 0.5)
    factor = (by_weekday * seen + level * PRIOR_DAYS) / (seen + PRIOR_DAYS) / level
    kept = _without_odd_days(totals / factor[weekdays], np.ones(len(totals), dtype=bool))
    level = max(float(np.mean(totals[kept] / factor[weekdays[kept]])), 0.5)
    shape = counts[kept].sum(axis=0) + 0.5
    return np.asarray(level * factor[:, None] * (shape / shape.sum())[None, :])


def _dispersion(residuals: F64, variance: F64) -> float:
    """Dispersion of (days, periods) residuals whose variance would be that of chance alone."""
    by_hour = _mean_square(residuals, variance)
    days = [values.sum(axis=1) for values in (residuals, variance)]
    by_day = _mean_square(*days)
    whole = len(residuals) // BLOCK_DAYS * BLOCK_DAYS
    blocks = [values[:whole].reshape(-1, BLOCK_DAYS).sum(axis=1) for values in days]
    return max(1.0, by_hour, by_day, _mean_square(*blocks))


def _mean_square(residuals: F64, variance: F64) -> float:
    """Trimmed mean of squared residuals in units of their variance; 1 where there are too few."""
    # Where hardly anything is expected, a single event would look like a large deviation.
    used = variance > 0.2
    if used.sum() < LEAST_RESIDUALS:
        return 1.0
    squares = np.sort(residuals[used] ** 2 / variance[used])
    kept = squares[: max(round(len(squares) * (1 - TRIMMED)), 1)]
    return float(kept.mean() / TRIMMED_VARIANCE)


def _without_odd_days(values: F64, usable: np.ndarray) -> np.ndarray:
    """(days,) which usable days are left once the highest and the lowest values are trimmed."""
    kept = np.zeros(len(values), dtype=bool)
    order = np.flatnonzero(usable)[np.argsort(values[usable], kind="stable")]
    trimmed = round(len(order) * TRIMMED)
    kept[order[trimmed : len(order) - trimmed]] = True
    return kept


def _ratio(counts: float, trials: float) -> float:
    return counts / trials if trials > 0 else 0.5


def _logit(share: F64 | float) -> F64:
    return np.asarray(np.log(share) - np.log1p(-np.asarray(share)))

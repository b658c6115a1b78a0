"""Alarms: changes that are large and sure, one for each cause, with the slice that carries it."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from dataclasses import dataclass

import numpy as np

from ml.monitoring.detector import Evidence, detect
from ml.monitoring.expectation import Expectation, expect
from ml.monitoring.series import Series, Subject, WatchedSite
from ml.settings.operation import MonitoringSettings

MOST = 0.8  # a slice that carries so much of a change is its carrier
ENOUGH = 0.5  # of the smallest change that matters, in logarithms: what has to be seen since the onset


@dataclass(frozen=True)
class Watched:
    """A series, what is usual for it, and by how many its false alarms have to be rarer than those of the site.

    False alarms are shared out among the subjects that a site has, and within a subject among its series, so that
    many fields do not make worse answers harder to see.
    """

    series: Series
    expectation: Expectation
    comparisons: int


@dataclass(frozen=True)
class Change:
    """A change of one series.

    Attributes:
        series: The series.
        onset: Day, with its fraction, on which it most likely began.
        detected: Day, with its fraction, at whose end it was sure.
        usual: Share or daily volume that was to be expected since the onset.
        observed: What came instead.
        odds_of_chance: How often a site where nothing changed would show as much within a day, at most.
    """

    series: Series
    onset: float
    detected: float
    usual: float
    observed: float
    odds_of_chance: float


@dataclass(frozen=True)
class Alarm:
    """Changes that have one cause.

    Attributes:
        subject: What changed first in the order of causes.
        measure: Its measure.
        dimension: By what the carrier of the change is told apart; `everything` where all slices carry it.
        slice: The carrier.
        since: When it most likely began, UTC; a midnight for what is watched by the day.
        detected_at: When it was sure, UTC.
        usual: What was to be expected.
        observed: What came instead.
        odds_of_chance: How often a site where nothing changed would show as much within a day, at most.
        follows: Measures that changed with it.
    """

    subject: Subject
    measure: str
    dimension: str
    slice: str
    since: dt.datetime
    detected_at: dt.datetime
    usual: float
    observed: float
    odds_of_chance: float
    follows: tuple[str, ...]


def find_alarms(site: WatchedSite, settings: MonitoringSettings) -> list[Alarm]:
    """Look at all series of a site and return its alarms in the order in which they were sure.

    The result depends on the tables alone, so that every run over the same days finds the same alarms. After an
    alarm, a series is quiet until what is usual has been learned anew from the days since.
    """
    sizes = Counter(series.subject for series in site.series)
    sums = Counter(series.subject for series in site.series if series.parts)

    def comparisons(series: Series) -> int:
        """Sums of parts have half of the false alarms of their subject, the others share the other half."""
        of_sums, of_all = sums[series.subject], sizes[series.subject]
        if of_sums in (0, of_all):
            return len(sizes) * of_all
        return 2 * len(sizes) * (of_sums if series.parts else of_all - of_sums)

    watched = [
        Watched(series, expect(series, settings), comparisons(series))
        for series in site.series
        if not _is_complete(series)
    ]
    changes = [change for each in watched for change in _changes(each, settings)]
    groups = _group(sorted(changes, key=lambda change: change.detected), settings)
    alarms: list[Alarm] = []
    for alarm in (_alarm(group, site, watched) for group in groups):
        if not any(_goes_on(earlier, alarm, settings) for earlier in alarms):
            alarms.append(alarm)
    return alarms


def _goes_on(earlier: Alarm, alarm: Alarm, settings: MonitoringSettings) -> bool:
    """Whether an alarm is about what an earlier one said, before that has become the usual."""
    is_about_the_same = (earlier.subject, earlier.measure, earlier.dimension, earlier.slice) == (
        alarm.subject, alarm.measure, alarm.dimension, alarm.slice
    )  # fmt: skip
    relearned = earlier.detected_at + dt.timedelta(days=settings.reference_days + settings.lag_days)
    return is_about_the_same and alarm.detected_at < relearned


def _is_complete(series: Series) -> bool:
    """Whether a field is never missing, so that nothing can be said against it."""
    return series.subject is Subject.FIELD and bool((series.counts >= series.trials).all())


def _changes(watched: Watched, settings: MonitoringSettings) -> list[Change]:
    series = watched.series
    log_threshold = float(np.log(settings.days_between_false_alarms * watched.comparisons))
    evidence = detect(series, watched.expectation, settings, log_threshold)
    periods = series.counts.shape[1]
    is_sure = (evidence.log_evidence >= log_threshold).ravel()
    changes: list[Change] = []
    quiet_until = 0
    for place in np.flatnonzero(is_sure):
        day, period = divmod(int(place), periods)
        if day < quiet_until:
            continue
        change = _change(watched, evidence, day, period)
        if not _matters(series, change, settings):
            continue
        changes.append(change)
        quiet_until = day + settings.reference_days + settings.lag_days
    return changes


def _change(watched: Watched, evidence: Evidence, day: int, period: int) -> Change:
    series, onset = watched.series, float(evidence.onset[day, period])
    usual, observed = _compare(watched, onset, day, period)
    detected = day + (period + 1) / series.counts.shape[1]
    odds = float(min(watched.comparisons * np.exp(-evidence.log_evidence[day, period]), 1.0))
    return Change(series, onset, detected, usual, observed, odds)


def _compare(watched: Watched, onset: float, day: int, period: int) -> tuple[float, float]:
    """The usual and the observed share, or volume a day, from the onset to the end of a period."""
    series = watched.series
    periods = series.counts.shape[1]
    stretch = slice(round(onset * periods), day * periods + period + 1)
    counts, trials, usual = (
        values.ravel()[stretch] for values in (series.counts, series.trials, watched.expectation.usual)
    )
    if series.is_volume:
        days = len(counts) / periods
        return float(usual.sum() / days), float(counts.sum() / days)
    total = max(float(trials.sum()), 1e-9)
    return float((usual * trials).sum() / total), float(counts.sum() / total)


def _matters(series: Series, change: Change, settings: MonitoringSettings) -> bool:
    """Whether what was seen since the onset is large, whatever the evidence."""
    if series.subject is Subject.FIELD:
        return change.observed <= change.usual * (1 - ENOUGH * settings.smallest_loss)
    if series.is_volume:
        size = abs(np.log(max(change.observed, 1e-9) / change.usual))
        return bool(size >= ENOUGH * np.log(settings.smallest_volume_ratio))
    observed = np.clip(change.observed, 1e-6, 1 - 1e-6)
    size = abs(np.log(observed / (1 - observed)) - np.log(change.usual / (1 - change.usual)))
    return bool(size >= ENOUGH * np.log(settings.smallest_odds_ratio))


def _group(changes: list[Change], settings: MonitoringSettings) -> list[list[Change]]:
    """Changes by cause: whatever began at about the same time as the first change of a group is in it."""
    groups: list[list[Change]] = []
    for change in changes:
        for group in groups:
            began = [other.onset for other in group]
            if min(began) - settings.same_cause_days <= change.onset <= max(began) + settings.same_cause_days:
                group.append(change)
                break
        else:
            groups.append([change])
    return groups


def _alarm(group: list[Change], site: WatchedSite, watched: list[Watched]) -> Alarm:
    """Name the cause from what was known when the first change was sure."""
    first = group[0].detected
    at_once = [change for change in group if change.detected <= first + 1e-9]
    subject = min(change.series.subject for change in at_once)
    of_subject = [change for change in at_once if change.series.subject is subject]
    cause = min(of_subject, key=lambda change: change.odds_of_chance)
    dimension, value = _carrier(cause, site, watched)
    followers = {change.series.measure for change in group} - {cause.series.measure}
    return Alarm(
        subject=subject,
        measure=cause.series.measure,
        dimension=dimension,
        slice=value,
        since=site.moment(cause.onset),
        detected_at=site.moment(first),
        usual=cause.usual,
        observed=cause.observed,
        odds_of_chance=cause.odds_of_chance,
        follows=tuple(sorted(followers)),
    )


def _carrier(cause: Change, site: WatchedSite, watched: list[Watched]) -> tuple[str, str]:
    """The slice that carries a change.

    For a lost field it is the slice that lost the largest part of its values among those that account for most of
    what is missing. A change of taste is carried by the category that gained most. A change of quality is that of
    a model version, if one began to answer between two days before the onset and the alarm.
    """
    series = cause.series
    if series.subject is Subject.QUALITY:
        new = [name for name, day in site.versions.items() if cause.onset - 2 <= day <= cause.detected]
        return ("model_version", new[-1]) if new else (series.dimension, series.slice)
    if series.subject is Subject.FIELD:
        return _carrier_of_loss(cause, [other for other in watched if _kind(other.series) == _kind(series)])
    if series.subject is Subject.TASTE:
        categories = [other for other in watched if other.series.dimension == "category"]
        gains = [(_difference(other, cause)[0], other.series) for other in categories]
        gain, largest = max(gains, key=lambda pair: pair[0], default=(0.0, series))
        return (largest.dimension, largest.slice) if gain > 0 else (series.dimension, series.slice)
    return series.dimension, series.slice


def _kind(series: Series) -> tuple[Subject, str]:
    return series.subject, series.measure


def _carrier_of_loss(cause: Change, peers: list[Watched]) -> tuple[str, str]:
    losses = []
    for peer in peers:
        difference, usual = _difference(peer, cause)
        losses.append((-difference, usual, peer.series))
    missing = max((loss for loss, _, peer in losses if peer.dimension == "everything"), default=0.0)
    carriers = [
        (loss / usual, loss, peer) for loss, usual, peer in losses if usual > 0 and loss >= MOST * missing > 0
    ]
    _, _, carrier = max(carriers, key=lambda entry: entry[:2], default=(0.0, 0.0, cause.series))
    return carrier.dimension, carrier.slice


def _difference(watched: Watched, cause: Change) -> tuple[float, float]:
    """Observed minus usual counts from the onset of the cause until it was sure, and the usual ones."""
    series = watched.series
    periods = series.counts.shape[1]
    begin = round(cause.onset * periods)
    stretch = slice(begin, max(round(cause.detected * periods), begin + 1))
    counts, trials = series.counts.ravel()[stretch], series.trials.ravel()[stretch]
    usual = watched.expectation.usual.ravel()[stretch] * (1 if series.is_volume else trials)
    is_judged = ~np.isnan(usual)
    return float((counts - usual)[is_judged].sum()), float(usual[is_judged].sum())

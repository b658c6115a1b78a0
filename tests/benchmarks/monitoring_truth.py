"""Alarms of simulated sites against what was planted, and the delay of river's ADWIN on the same series.

Quiet sites are run as in use: each week the newest days are looked at anew, and the alarms that the journal opens
are counted.
"""

from __future__ import annotations

import datetime as dt
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from figure import Figure
from river.drift import ADWIN

from ml.home import Home
from ml.monitoring.alarms import Alarm, find_alarms
from ml.monitoring.journal import OPENED, Journal
from ml.monitoring.series import Series, Subject, WatchedSite
from ml.monitoring.watched_tables import watched_site
from ml.settings.operation import MonitoringSettings
from ml.settings.simulator import SimulatorSettings
from ml.settings.warehouse import WarehouseSettings
from ml.sources.simulator import Scenario, ScenarioSite
from tests.ml.monitoring.simulated_counts import count_site

START = dt.date(2026, 3, 1)
SEEDS = 10
QUIET_DAYS, CHANGED_DAYS = 120, 84
SETTINGS = MonitoringSettings()
WATCHED_DAYS = WarehouseSettings().watched_days
DELTAS = tuple(10.0**-power for power in (2, 4, 8, 16, 32, 64))


@dataclass(frozen=True)
class Planted:
    """A scenario: what its alarm is about, and how soon it has to come."""

    scenario: Scenario
    subject: Subject
    most_hours: float
    carrier: Callable[[dict[str, object], Alarm], bool]


def _names_slice(truth: dict[str, object], alarm: Alarm) -> bool:
    return (alarm.dimension, alarm.slice) == (truth["dimension"], truth["slice"])


def _names_field(truth: dict[str, object], alarm: Alarm) -> bool:
    return _names_slice(truth, alarm) and alarm.measure == truth["field"]


PLANTED = (
    Planted(Scenario.BROKEN_TRACKER, Subject.FIELD, 6, _names_field),
    Planted(Scenario.TASTE_CHANGE, Subject.TASTE, 72, _names_slice),
    Planted(Scenario.SLOW_TASTE_CHANGE, Subject.TASTE, 28 * 24, _names_slice),
    Planted(Scenario.WORSE_CHAMPION, Subject.QUALITY, 24, _names_slice),
    Planted(Scenario.NEW_DEVICE, Subject.AUDIENCE, 96, _names_slice),
)


def measure(size: float) -> Iterator[Figure]:
    """`size` 1 is ten seeds of the demo's site; smaller sizes take fewer seeds."""
    seeds = range(1, max(1, round(SEEDS * size)) + 1)
    quiet = [_site(Scenario.QUIET, seed, QUIET_DAYS) for seed in seeds]
    alarms = sum(_opened(_tables(Scenario.QUIET, seed, QUIET_DAYS)[0]) for seed in seeds)
    watched = len(seeds) * (QUIET_DAYS - SETTINGS.grace_days - SETTINGS.lag_days)
    yield Figure("monitoring_false_alarms", alarms / watched * 60, "alarms in 60 quiet days", rows=watched)
    for planted in PLANTED:
        changed = [_site(planted.scenario, seed, CHANGED_DAYS) for seed in seeds]
        outcomes = [_outcome(site, truth, planted) for site, truth in changed]
        name = f"monitoring_{planted.scenario.value}"
        hours = [delay for delay, _ in outcomes]
        yield Figure(f"{name}_in_time", float(np.mean(np.array(hours) <= planted.most_hours)), "share of sites")
        yield Figure(f"{name}_named", float(np.mean([named for _, named in outcomes])), "share of sites")
        rival = _adwin_delays(quiet, changed, planted)
        yield Figure(
            f"{name}_delay",
            float(np.median(hours)),
            "hours, median",
            "river ADWIN at as many false alarms",
            float(np.median(rival)),
            float(np.median(hours) / np.median(rival)) if np.isfinite(np.median(rival)) else 0.0,
        )


@cache
def _tables(scenario: Scenario, seed: int, days: int) -> tuple[tuple[pa.Table, ...], dict[str, object]]:
    """The tables of a simulated site, and the row of the truth about its change."""
    site = ScenarioSite(SimulatorSettings(days=days), seed, START, scenario)
    truth = [row for row in site.truth(days).to_pylist() if row["what"] == scenario.value]
    return count_site(site, days), truth[0] if truth else {}


@cache
def _site(scenario: Scenario, seed: int, days: int) -> tuple[WatchedSite, dict[str, object]]:
    """The series of a simulated site, and the row of the truth about its change."""
    tables, truth = _tables(scenario, seed, days)
    return watched_site(*tables, SETTINGS), truth


def _opened(tables: tuple[pa.Table, ...]) -> int:
    """Alarms in the journal of a site that was looked at each week."""
    with tempfile.TemporaryDirectory() as folder:
        journal = Journal(Home(Path(folder)))
        for day in range(4 * 7, QUIET_DAYS + 1, 7):
            first, end = (START + dt.timedelta(days=number) for number in (max(day - WATCHED_DAYS, 0), day))
            parts = [
                table.filter(
                    (pc.field(name) >= pa.scalar(first).cast(table[name].type))
                    & (pc.field(name) < pa.scalar(end).cast(table[name].type))
                )
                for table, name in zip(tables, ("hour", "hour", "date"), strict=True)
            ]
            now = dt.datetime.combine(end, dt.time(3), dt.UTC)
            journal.record(find_alarms(watched_site(*parts, SETTINGS), SETTINGS), now, SETTINGS)
        return sum(entry.what == OPENED for entry in journal.entries())


def _outcome(site: WatchedSite, truth: dict[str, object], planted: Planted) -> tuple[float, bool]:
    """Hours until the alarm about the planted subject, infinite without one, and whether it names the carrier."""
    for alarm in find_alarms(site, SETTINGS):
        if alarm.subject is planted.subject and alarm.detected_at > truth["starts_at"]:
            return (alarm.detected_at - truth["starts_at"]).total_seconds() / 3600, planted.carrier(truth, alarm)
    return float("inf"), False


def _adwin_delays(
    quiet: list[tuple[WatchedSite, dict[str, object]]],
    changed: list[tuple[WatchedSite, dict[str, object]]],
    planted: Planted,
) -> list[float]:
    """Hours until ADWIN's first alarm on the series of the subject.

    Its sensitivity is the highest one with which it gives no more false alarms on the same series of quiet sites
    than this project does.
    """
    ours = sum(alarm.subject is planted.subject for site, _ in quiet for alarm in find_alarms(site, SETTINGS))
    for delta in DELTAS:
        false_alarms = sum(
            len(_adwin_alarms(series, delta, 0.0)) for site, _ in quiet for series in _of(site, planted.subject)
        )
        if false_alarms <= ours:
            break
    else:
        return [float("inf")] * len(changed)
    delays = []
    for site, truth in changed:
        begin = (truth["starts_at"] - site.moment(0)).total_seconds() / 86400
        days = [day for series in _of(site, planted.subject) for day in _adwin_alarms(series, delta, begin)]
        delays.append((min(days) - begin) * 24 if days else float("inf"))
    return delays


def _of(site: WatchedSite, subject: Subject) -> list[Series]:
    """The series of a subject; a field that is never missing tells ADWIN nothing."""
    of_subject = (series for series in site.series if series.subject is subject)
    return [series for series in of_subject if series.is_volume or (series.counts < series.trials).any()]


def _adwin_alarms(series: Series, delta: float, since: float) -> list[float]:
    """Days at whose end ADWIN saw a change of the share, those after `since`."""
    detector = ADWIN(delta=delta)
    periods = series.counts.shape[1]
    alarms = []
    for place, (count, trials) in enumerate(zip(series.counts.ravel(), series.trials.ravel(), strict=True)):
        if trials <= 0:
            continue
        detector.update(count / trials)
        day = (place + 1) / periods
        if detector.drift_detected and day > max(since, SETTINGS.grace_days + SETTINGS.lag_days):
            alarms.append(day)
    return alarms

"""Alarms on simulated sites beside those of Evidently on the same tables: false ones, and the delay of true ones.

Evidently needs pandas 2 and so has an environment of its own. The variable EVIDENTLY_PYTHON names its Python, made
by

    python -m venv evidently-env && evidently-env/bin/pip install evidently "pandas<3"

Without it Evidently is left out, and a line says so. Each morning its preset for drift compares the day before
with the four weeks that this project learns from, column by column: which category returning visitors viewed,
devices and countries of page views, whether an event has a field, by field and browser, and whether an answer
was clicked, by slot. Its tests and thresholds are its defaults. A column that drifts is an alarm, or it takes
half of the columns, which is its default for a whole table. Days on which an alarm goes on count as one alarm.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
from figure import Figure
from monitoring_truth import CHANGED_DAYS, PLANTED, QUIET_DAYS, SETTINGS, START, Planted, _site, _tables

from ml.monitoring.alarms import find_alarms
from ml.monitoring.series import Subject
from ml.sources.simulator import Scenario

VARIABLE = "EVIDENTLY_PYTHON"
SEEDS = 2
LAST_AFTER = 7  # days after a change on which Evidently still looks
FIELDS = ("user_id", "item_id", "page_url")  # those that the simulator breaks
MOST_ROWS = 20_000  # of a reference; more make Evidently slow and change none of its shares
EVIDENTLY = """
import json, os, sys, warnings
os.environ["DO_NOT_TRACK"] = "1"
warnings.simplefilter("ignore")
import pandas as pd
from evidently import Report
from evidently.presets import DataDriftPreset

def frame(name, counts):
    return pd.DataFrame({name: [value for value, count in counts.items() for _ in range(count)]}, dtype=object)

for line in sys.stdin:
    day = json.loads(line)
    drifted = []
    for name in day["current"]:  # one by one: the columns have different numbers of rows
        current, reference = (frame(name, day[part][name]) for part in ("current", "reference"))
        result = Report([DataDriftPreset()]).run(current, reference).dict()
        if any(metric["value"]["count"] for metric in result["metrics"] if isinstance(metric["value"], dict)):
            drifted.append(name)
    print(json.dumps(drifted), flush=True)
"""

Counts = dict[str, dict[str, int]]


def measure(size: float) -> Iterator[Figure]:
    """`size` 1 is two seeds of each scenario; smaller sizes take one."""
    python = os.environ.get(VARIABLE)
    if python is None:
        print(f"Evidently is left out: {VARIABLE} names no Python; see the head of {__file__}")
        return
    seeds = range(1, max(1, round(SEEDS * size)) + 1)
    watched = len(seeds) * (QUIET_DAYS - SETTINGS.grace_days - SETTINGS.lag_days)
    ours = sum(len(find_alarms(_site(Scenario.QUIET, seed, QUIET_DAYS)[0], SETTINGS)) for seed in seeds)
    first = SETTINGS.grace_days + SETTINGS.lag_days
    quiet = [_drifted_days(python, Scenario.QUIET, seed, range(first, QUIET_DAYS), QUIET_DAYS) for seed in seeds]
    for rule, least in (("any column", 0.0), ("half of the columns", 0.5)):
        theirs = sum(_spells([share > least for _, share in days]) for days in quiet)
        name = f"evidently_false_alarms, {rule}"
        ratio = ours / theirs if theirs else float("nan")
        yield Figure(
            name, ours / watched * 60, "alarms in 60 quiet days", "Evidently", theirs / watched * 60, ratio
        )
    for planted in PLANTED:
        outcomes = [_delays(python, planted, seed) for seed in seeds]
        delay, rival = (float(np.median([each[place] for each in outcomes])) for place in (0, 1))
        yield Figure(
            f"evidently_{planted.scenario.value}",
            delay,
            "hours, median",
            "Evidently, any column",
            rival,
            delay / rival,
        )


def _spells(is_alarm: list[bool]) -> int:
    """Alarms: days that follow an alarm with an alarm belong to it."""
    return sum(now and not before for before, now in zip([False, *is_alarm], is_alarm, strict=False))


def _delays(python: str, planted: Planted, seed: int) -> tuple[float, float]:
    """Hours from the change to the alarm about its subject, of this project and of Evidently."""
    site, truth = _site(planted.scenario, seed, CHANGED_DAYS)
    at: Any = truth["starts_at"]
    ours = [
        (alarm.detected_at - at).total_seconds() / 3600
        for alarm in find_alarms(site, SETTINGS)
        if alarm.subject is planted.subject and alarm.detected_at > at
    ]
    first = (at.date() - START).days
    days = _drifted_days(python, planted.scenario, seed, range(first, first + LAST_AFTER), CHANGED_DAYS)
    hours_left = 24 - at.hour
    prefix = planted.subject.name.lower()
    theirs = [
        24 * number + hours_left
        for number, (names, _) in enumerate(days)
        if any(name.startswith(prefix) for name in names)
    ]
    return min(ours, default=float("inf")), min(theirs, default=float("inf"))


def _drifted_days(
    python: str, scenario: Scenario, seed: int, days: range, simulated: int
) -> list[tuple[list[str], float]]:
    """What drifts on each day, as names of columns that begin with their subject, and the share of the columns."""
    counted = _counted(_tables(scenario, seed, simulated)[0])
    lines, columns = [], []
    for day in days:
        current = _between(counted, day, day + 1)
        reference = _between(counted, day - SETTINGS.lag_days - SETTINGS.reference_days, day - SETTINGS.lag_days)
        both = sorted(current.keys() & reference.keys())
        columns.append(len(both))
        lines.append(
            json.dumps(
                {"current": {n: current[n] for n in both}, "reference": {n: _thinned(reference[n]) for n in both}}
            )
        )
    done = subprocess.run(
        [python, "-c", EVIDENTLY], input="\n".join(lines), capture_output=True, text=True, check=True
    )
    drifted = [json.loads(line) for line in done.stdout.splitlines()]
    return [(names, len(names) / total if total else 0.0) for names, total in zip(drifted, columns, strict=True)]


def _thinned(counts: dict[str, int]) -> dict[str, int]:
    factor = min(1.0, MOST_ROWS / max(sum(counts.values()), 1))
    return {value: round(count * factor) for value, count in counts.items()}


def _counted(tables: tuple[Any, ...]) -> pd.DataFrame:
    """Rows `day`, `column`, `value`, `count` of all columns."""
    events, answers, views = (table.to_pandas() for table in tables)
    pages = events[events["event_type"] == "page_view"]
    parts = []
    for dimension in ("device_type", "country"):
        rows = pages[pages["dimension"] == dimension]
        parts.append(
            _rows(rows["hour"], f"{Subject.AUDIENCE.name.lower()} {dimension}", rows["slice"], rows["events"])
        )
    of_browsers = pages[pages["dimension"] == "browser"]
    for field in FIELDS:
        names = f"{Subject.FIELD.name.lower()} {field} " + of_browsers["slice"]
        having = of_browsers[f"with_{field}"]
        parts.append(_rows(of_browsers["hour"], names, "there", having))
        parts.append(_rows(of_browsers["hour"], names, "missing", of_browsers["events"] - having))
    of_known = answers[answers["audience"] == "known"]
    names = f"{Subject.QUALITY.name.lower()} " + of_known["slot"]
    parts.append(_rows(of_known["hour"], names, "clicked", of_known["clicked_answers"]))
    parts.append(_rows(of_known["hour"], names, "not", of_known["answers"] - of_known["clicked_answers"]))
    returning = views[views["audience"] == "returning"]
    name = f"{Subject.TASTE.name.lower()} category"
    parts.append(_rows(pd.to_datetime(returning["date"]), name, returning["category"], returning["views"]))
    return pd.concat(parts)


def _rows(moments: pd.Series, column: Any, value: Any, count: pd.Series) -> pd.DataFrame:
    days = (moments.dt.normalize() - pd.Timestamp(START)).dt.days
    return pd.DataFrame({"day": days, "column": column, "value": value, "count": count})


def _between(counted: pd.DataFrame, first: int, end: int) -> Counts:
    """Counts of the values of each column on the days [first, end)."""
    rows = counted[(counted["day"] >= first) & (counted["day"] < end)]
    sums = rows.groupby(["column", "value"], observed=True)["count"].sum()
    counts: Counts = {}
    for (column, value), count in sums.items():
        counts.setdefault(str(column), {})[str(value)] = int(count)
    return counts

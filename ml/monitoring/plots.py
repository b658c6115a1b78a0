"""Plots of what is watched, over time, beside what is usual."""

from __future__ import annotations

import matplotlib.dates as mdates
import numpy as np
from matplotlib.figure import Figure

from ml.monitoring.alarms import Alarm
from ml.monitoring.expectation import expect
from ml.monitoring.series import Series, Subject, WatchedSite
from ml.settings.operation import MonitoringSettings

TITLES = {
    Subject.FIELD: "Filled fields",
    Subject.VOLUME: "Volume a day",
    Subject.AUDIENCE: "Shares of page views",
    Subject.TASTE: "Shares of what returning people view",
    Subject.QUALITY: "Clicked answers",
}
MOST_LINES = 8


def plot_watched(site: WatchedSite, alarms: list[Alarm], settings: MonitoringSettings) -> dict[str, Figure]:
    """Draw one figure per subject: day by day what came, dashed what is usual, and where an alarm began.

    Of a subject with many series the largest are drawn, and those of an alarm.
    """
    figures = {}
    for subject, title in TITLES.items():
        of_subject = [series for series in site.series if series.subject is subject]
        if not of_subject:
            continue
        concerned = [alarm for alarm in alarms if alarm.subject is subject]
        figures[subject.name.lower()] = _plot(site, _drawn(of_subject, concerned), title, concerned, settings)
    return figures


def _drawn(of_subject: list[Series], alarms: list[Alarm]) -> list[Series]:
    named = {(alarm.measure, alarm.dimension, alarm.slice) for alarm in alarms}
    order = sorted(
        of_subject,
        key=lambda series: (
            (series.measure, series.dimension, series.slice) not in named,
            -float(np.median(series.size)),
        ),
    )
    return order[:MOST_LINES]


def _plot(
    site: WatchedSite, drawn: list[Series], title: str, alarms: list[Alarm], settings: MonitoringSettings
) -> Figure:
    figure = Figure(figsize=(9, 4), layout="constrained")
    axes = figure.subplots()
    for series in drawn:
        n_days = len(series.counts)
        days = mdates.date2num([site.moment(day) for day in range(n_days)])
        sizes = np.ones(n_days) if series.is_volume else series.size
        observed = np.divide(series.counts.sum(axis=1), sizes, out=np.full(n_days, np.nan), where=sizes > 0)
        expected = expect(series, settings).usual * (1 if series.is_volume else series.trials)
        usual = np.divide(expected.sum(axis=1), sizes, out=np.full(n_days, np.nan), where=sizes > 0)
        label = " ".join(filter(None, (series.measure, series.slice)))
        (line,) = axes.plot(days, observed, label=label, linewidth=1.2)
        axes.plot(days, usual, linestyle="--", linewidth=0.8, color=line.get_color())
    for alarm in alarms:
        axes.axvline(mdates.date2num(alarm.since), color="black", linewidth=0.8)
    axes.set_title(f"{title}; dashed: usual")
    axes.set_ylim(bottom=0)
    axes.xaxis.set_major_formatter(mdates.ConciseDateFormatter(mdates.AutoDateLocator()))
    axes.legend(fontsize=7, loc="upper left", bbox_to_anchor=(1, 1), frameon=False)
    return figure

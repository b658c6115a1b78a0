"""Plot an analysis or a design with matplotlib, without global state."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from math import isfinite

import numpy as np
from matplotlib.axes import Axes
from matplotlib.dates import AutoDateLocator, DateFormatter, date2num
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from ml.experiments.analysis.analysis import ExperimentAnalysis
from ml.experiments.analysis.heterogeneity import Heterogeneity, Novelty
from ml.experiments.analysis.inference import EffectInterval
from ml.experiments.analysis.results import PrimaryMetricDetail
from ml.experiments.design.design import ExperimentDesign

INK = "#1f2933"
MUTED = "#7b8794"
BLUE = "#2563a8"
PALE = "#bcd3ea"
GOOD = "#2f855a"
BAD = "#c53030"
WIDTH_INCHES = 8.6


@dataclass(frozen=True)
class ForestRow:
    """A row of a forest plot in relative terms; `good` sets its colour, None leaves it grey."""

    label: str
    interval: EffectInterval
    good: bool | None = None


def plot_forest(rows: Sequence[ForestRow], *, target: float | None = None) -> Figure:
    """Plot effects with intervals in rows; `target` marks the minimum detectable effect."""
    figure = Figure(figsize=(WIDTH_INCHES, 0.34 * len(rows) + 0.75), layout="constrained")
    axes = figure.subplots()
    bounds = [b for row in rows for b in (row.interval.low, row.interval.high, row.interval.value) if isfinite(b)]
    reach = 1.1 * max(max(map(abs, bounds), default=0.01), 0.001)
    # An extremely wide interval is cut at the edge, so that the others remain visible.
    widths = (row.interval.high - row.interval.low for row in rows)
    narrow = sorted(width for width in widths if isfinite(width))
    if narrow:
        values = [abs(row.interval.value) for row in rows if isfinite(row.interval.value)]
        reach = min(reach, max(6 * narrow[len(narrow) // 2], 1.3 * max(values, default=0.0)))
    for place, row in enumerate(reversed(rows)):
        colour = MUTED if row.good is None else GOOD if row.good else BAD
        low, high = max(row.interval.low, -2 * reach), min(row.interval.high, 2 * reach)
        axes.plot([low, high], [place, place], color=colour, linewidth=2.4, solid_capstyle="round")
        axes.plot([row.interval.value], [place], "o", color=colour, markersize=6)
    axes.axvline(0, color=INK, linewidth=0.9)
    if target is not None:
        axes.axvline(target, color=BLUE, linewidth=0.9, linestyle=(0, (4, 3)))
    axes.set_xlim(*_find_limits([*bounds, target or 0.0], reach))
    axes.set_ylim(-0.6, len(rows) - 0.4)
    axes.set_yticks(range(len(rows)), [row.label for row in reversed(rows)])
    _finish(axes, percent_x=True)
    axes.grid(axis="x", color="#e4e7eb", linewidth=0.7)
    axes.tick_params(axis="y", length=0)
    return figure


def _find_limits(values: Sequence[float], reach: float) -> tuple[float, float]:
    """The ends of an axis that shows the values and 0, and nothing further from 0 than `reach`."""
    low, high = max(min(*values, 0.0), -reach), min(max(*values, 0.0), reach)
    margin = 0.06 * (high - low)
    return low - margin, high + margin


def plot_trajectory(analysis: ExperimentAnalysis, detail: PrimaryMetricDetail) -> Figure | None:
    """Plot the relative effect over the cohorts, with the always-valid and the single-look interval."""
    points = [point for point in detail.trajectory if point.single_look.relative.is_bounded]
    if len(points) < 2:
        return None
    figure = Figure(figsize=(WIDTH_INCHES, 3.1), layout="constrained")
    axes = figure.subplots()
    start = analysis.experiment.starts_at
    dates = date2num([start + timedelta(days=point.day) for point in points])
    always = [point.always_valid.relative for point in points]
    single = [point.single_look.relative for point in points]
    finite = [i for i, interval in enumerate(always) if interval.is_bounded]
    axes.fill_between(
        dates[finite],
        [always[i].low for i in finite],
        [always[i].high for i in finite],
        color=PALE,
        alpha=0.55,
        linewidth=0,
        label="always valid",
    )
    axes.fill_between(
        dates,
        [i.low for i in single],
        [i.high for i in single],
        color=BLUE,
        alpha=0.28,
        linewidth=0,
        label="single look",
    )
    axes.plot(dates, [i.value for i in single], color=BLUE, linewidth=1.8)
    better = 1 if analysis.metrics[analysis.experiment.primary_metric].better == "higher" else -1
    target = better * analysis.experiment.minimum_detectable_effect
    axes.axhline(0, color=INK, linewidth=0.9)
    axes.axhline(target, color=MUTED, linewidth=0.9, linestyle=(0, (4, 3)), label="minimum effect")
    # The first cohorts carry little information, so the last ones determine the axis.
    last = always[-1] if finite else single[-1]
    bounds = [abs(bound) for bound in (last.low, last.high, last.value) if isfinite(bound)]
    reach = max(3.0 * max(bounds, default=0.01), 1.5 * abs(target))
    shown = [
        bound for interval in (*always, *single) for bound in (interval.low, interval.high) if isfinite(bound)
    ]
    axes.set_ylim(*_find_limits([*shown, target], reach))
    axes.yaxis.set_major_formatter(FuncFormatter(_format_percent))
    axes.set_xlabel("units first exposed up to", color=MUTED, fontsize=9)
    axes.legend(frameon=False, fontsize=8.5, ncols=3, loc="upper right")
    _finish(axes)
    axes.xaxis.set_major_locator(AutoDateLocator(maxticks=8))
    axes.xaxis.set_major_formatter(DateFormatter("%d %b"))
    return figure


def plot_groups(heterogeneity: Heterogeneity) -> Figure | None:
    """Plot relative effects by group: grey as measured, blue after shrinkage."""
    if len(heterogeneity.groups) < 2:
        return None
    figure = Figure(figsize=(WIDTH_INCHES, 0.42 * len(heterogeneity.groups) + 0.9), layout="constrained")
    axes = figure.subplots()
    for place, group in enumerate(reversed(heterogeneity.groups)):
        for value, error, offset, colour, label in (
            (group.effect, group.standard_error, 0.13, MUTED, "as measured"),
            (group.shrunk, group.shrunk_error, -0.13, BLUE, "shrunk to the mean"),
        ):
            low, high = value - 1.96 * error, value + 1.96 * error
            axes.plot([low, high], [place + offset] * 2, color=colour, linewidth=2, solid_capstyle="round")
            axes.plot(
                [value], [place + offset], "o", color=colour, markersize=5, label=label if place == 0 else None
            )
    axes.axvline(0, color=INK, linewidth=0.9)
    axes.set_yticks(
        range(len(heterogeneity.groups)), [f"{g.group} ({g.units:,})" for g in reversed(heterogeneity.groups)]
    )
    axes.legend(frameon=False, fontsize=8.5, ncols=2, loc="lower right", bbox_to_anchor=(1, 1))
    _finish(axes, percent_x=True)
    axes.grid(axis="x", color="#e4e7eb", linewidth=0.7)
    axes.tick_params(axis="y", length=0)
    return figure


def plot_novelty(novelty: Novelty, measure: str) -> Figure:
    """Plot the daily effect over the days since the exposure."""
    figure = Figure(figsize=(WIDTH_INCHES, 2.5), layout="constrained")
    axes = figure.subplots()
    day = np.array([point.day for point in novelty.days])
    effect = np.array([point.effect for point in novelty.days])
    low, high = (np.array([getattr(point, side) for point in novelty.days]) for side in ("low", "high"))
    axes.errorbar(
        day, effect, yerr=[effect - low, high - effect], fmt="o", color=BLUE, ecolor=PALE, elinewidth=2.4
    )
    axes.axhline(0, color=INK, linewidth=0.9)
    axes.set_xlabel("day since the first exposure", color=MUTED, fontsize=9)
    axes.set_ylabel(f"{measure} per unit and day", color=MUTED, fontsize=9)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    _finish(axes)
    return figure


def plot_power(design: ExperimentDesign) -> Figure:
    """Plot the power of a design against its days of intake."""
    figure = Figure(figsize=(WIDTH_INCHES, 3.4), layout="constrained")
    axes = figure.subplots()
    days = np.arange(1, len(design.curve_power) + 1)
    axes.plot(days, design.curve_power, color=BLUE, linewidth=2)
    axes.axhline(design.power, color=MUTED, linewidth=0.9, linestyle=(0, (4, 3)))
    for week in range(7, len(days) + 1, 7):
        axes.axvline(week, color="#e4e7eb", linewidth=0.7, zorder=0)
    if design.days is not None and design.days <= len(days):
        power = design.curve_power[design.days - 1]
        axes.plot([design.days], [power], "o", color=GOOD, markersize=8)
        axes.annotate(
            f"{design.days} days: {power:.0%}",
            (design.days, power),
            textcoords="offset points",
            xytext=(8, -16),
            color=GOOD,
        )
    axes.set_ylim(0, 1.02)
    axes.set_xlim(0, len(days))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:.0%}"))
    axes.set_xlabel(
        f"days of intake (each unit is then observed for {design.window_days} days)", color=MUTED, fontsize=9
    )
    axes.set_ylabel(f"power for a lift of {design.lift:+.1%}", color=MUTED, fontsize=9)
    _finish(axes)
    return figure


def _finish(axes: Axes, *, percent_x: bool = False) -> None:
    """Apply the common style to axes."""
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.spines["bottom"].set_color("#cbd2d9")
    axes.tick_params(colors=INK, labelsize=9)
    if percent_x:
        axes.xaxis.set_major_formatter(FuncFormatter(_format_percent))
        axes.xaxis.set_major_locator(MaxNLocator(7))


def _format_percent(value: float, _: object) -> str:
    """Format a tick in percent."""
    return f"{value:+.1%}".replace("+0.0%", "0").replace("-0.0%", "0").replace(".0%", "%")

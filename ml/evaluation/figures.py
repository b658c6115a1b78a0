"""Plots of compared candidates."""

from __future__ import annotations

from collections.abc import Mapping

from matplotlib.figure import Figure

from ml.evaluation.bootstrap import Interval


def comparison_plot(intervals: Mapping[str, Interval], metric: str) -> Figure:
    """The metric of each candidate with its interval, best on top."""
    names = sorted(intervals, key=lambda name: intervals[name].mean)
    figure = Figure(figsize=(7, 0.5 * len(names) + 1.5), layout="constrained")
    axes = figure.subplots()
    for place, name in enumerate(names):
        interval = intervals[name]
        axes.plot(
            [interval.low, interval.high], [place, place], color="#34618d", linewidth=3, solid_capstyle="round"
        )
        axes.plot(interval.mean, place, "o", color="#34618d")
    axes.set_xlim(left=min(0.0, axes.get_xlim()[0]))  # so that a small difference does not look large
    axes.set_yticks(range(len(names)), names)
    axes.set_xlabel(f"{metric}, mean over users and 95% bootstrap interval")
    axes.grid(axis="x", alpha=0.3)
    return figure

"""Plot paths with matplotlib: transitions, the commonest ways, what states are worth, and credits of channels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import PathPatch
from matplotlib.path import Path as Outline

from ml.arrays import F64, I64
from ml.sequences.paths.contexts import CONVERTS, GOES_ON, Moves
from ml.sequences.paths.paths import Paths
from ml.sequences.paths.stationarity import GroupComparison

COLOURS = ("#0072B2", "#E69F00", "#56B4E9", "#CC79A7", "#F0C808", "#7A5195", "#8C564B", "#4D4D4D")
CONVERTED_COLOUR, LEFT_COLOUR, REST_COLOUR = "#009E73", "#BBBBBB", "#D9D9D9"
CONVERTED, LEFT, REST = "converted", "left", "other"
MOST_STATES = 15
SANKEY_STATES, SANKEY_STEPS = 6, 4
BAR_WIDTH = 0.06
LABELLED_SHARE = 0.005  # below, labels would lie on each other


def plot_transitions(paths: Paths) -> Figure:
    """Plot the shares of what follows each of the most frequent states, the ends included."""
    shown = min(len(paths.states), MOST_STATES)
    moves = Moves.of(paths)
    outcome = np.where(moves.kinds == GOES_ON, np.minimum(moves.symbols, shown), shown + 1)
    outcome += (moves.kinds != GOES_ON) & (moves.kinds != CONVERTS)
    before = np.where(moves.is_first, shown, np.minimum(moves.previous, shown + 1))
    counts = np.zeros((shown + 1, shown + 3))
    of_shown = before <= shown
    np.add.at(counts, (before[of_shown], outcome[of_shown]), 1)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    figure = Figure(figsize=(3.4 + 0.5 * shown, 2.4 + 0.36 * shown), layout="constrained")
    axes = figure.subplots()
    image = axes.imshow(shares, cmap="Blues", vmin=0, vmax=1, aspect="auto")
    names = [_shorten(name) for name in paths.states[:shown]]
    axes.set_xticks(range(shown + 3), [*names, REST, CONVERTED, LEFT], rotation=60, ha="right", fontsize=8)
    axes.set_yticks(range(shown + 1), [*names, "(start)"], fontsize=8)
    axes.set(xlabel="next", ylabel="from")
    for row, column in zip(*np.nonzero(shares >= 0.01), strict=True):
        colour = "white" if shares[row, column] > 0.5 else "black"
        axes.text(
            column, row, f"{shares[row, column]:.0%}"[:-1], ha="center", va="center", fontsize=7, color=colour
        )
    figure.colorbar(image, label="share of what follows (in the cells in %)", shrink=0.8)
    return figure


def plot_ways(paths: Paths) -> Figure:
    """Plot the commonest ways through the first steps of visits as a Sankey diagram."""
    columns, names = _first_steps(paths)
    figure = Figure(figsize=(10.5, 5.2), layout="constrained")
    axes = figure.subplots()
    colours = [*COLOURS[: len(names) - 3], REST_COLOUR, CONVERTED_COLOUR, LEFT_COLOUR]
    bases = [_draw_column(axes, step, columns[:, step], names, colours) for step in range(columns.shape[1])]
    for step in range(columns.shape[1] - 1):
        _draw_flows(axes, step, columns[:, step : step + 2], bases[step].copy(), bases[step + 1].copy(), colours)
    axes.set_xticks(range(columns.shape[1]), [f"step {step + 1}" for step in range(columns.shape[1])])
    axes.set(yticks=[], xlim=(-0.1, columns.shape[1] - 0.35))
    axes.invert_yaxis()
    for side in ("top", "right", "left", "bottom"):
        axes.spines[side].set_visible(False)
    return figure


def _first_steps(paths: Paths) -> tuple[I64, list[str]]:
    """Return where each path is at its first steps, (p, steps), and the names of the places; -1 after its end."""
    shown = min(len(paths.states), SANKEY_STATES)
    names = [*paths.states[:shown], REST, CONVERTED, LEFT]
    columns = np.full((len(paths), SANKEY_STEPS + 1), -1)
    for step in range(SANKEY_STEPS + 1):
        is_there = paths.lengths > step
        columns[is_there, step] = np.minimum(paths.codes[paths.offsets[:-1][is_there] + step], shown)
        ends = paths.lengths == step
        columns[ends, step] = np.where(paths.converted[ends], shown + 1, shown + 2)
    return columns, names


def _draw_column(axes: Axes, step: int, places: I64, names: Sequence[str], colours: Sequence[str]) -> F64:
    """Draw the bars of one step, and return where each begins."""
    counts = np.bincount(places[places >= 0], minlength=len(names)).astype(np.float64)
    gap = 0.012 * len(places)
    bases = np.concatenate([[0.0], np.cumsum(counts + gap * (counts > 0))[:-1]])
    for place in np.flatnonzero(counts).tolist():
        axes.bar(step, counts[place], BAR_WIDTH, bases[place], color=colours[place])
        share = counts[place] / len(places)
        if share >= LABELLED_SHARE:
            label = f" {_shorten(names[place])} {share:.0%}"
            axes.text(
                step + BAR_WIDTH / 2, bases[place] + counts[place] / 2, label, va="center", fontsize=8, zorder=3
            )
    return bases


def _draw_flows(axes: Axes, step: int, pairs: I64, start: F64, end: F64, colours: Sequence[str]) -> None:
    """Draw the bands between two steps; `start` and `end` are where the next band of each place begins."""
    n_places = len(colours)
    goes_on = pairs[(pairs >= 0).all(axis=1)]
    counts = np.bincount(goes_on[:, 0] * n_places + goes_on[:, 1], minlength=n_places**2).reshape(
        n_places, n_places
    )
    left, right = step + BAR_WIDTH / 2, step + 1 - BAR_WIDTH / 2
    middle = (left + right) / 2
    for source, target in zip(*np.nonzero(counts), strict=True):
        height = counts[source, target]
        low, high = start[source], end[target]
        points = [
            *((left, low), (middle, low), (middle, high), (right, high)),
            *((right, high + height), (middle, high + height), (middle, low + height), (left, low + height)),
        ]
        kinds = [Outline.MOVETO, *[Outline.CURVE4] * 3, Outline.LINETO, *[Outline.CURVE4] * 3]
        colour = colours[target] if target >= n_places - 2 else colours[source]
        axes.add_patch(PathPatch(Outline(points, kinds), facecolor=colour, alpha=0.35, linewidth=0))
        start[source] += height
        end[target] += height


def plot_removal(paths: pa.Table, level: str) -> Figure:
    """Plot what would be missing without each of the most visited states of a level, with intervals."""
    rows = _rows(paths, level)[:MOST_STATES]
    figure, axes = _create_bars(len(rows))
    for place, row in enumerate(rows):
        if row["removal_effect"] is not None:
            axes.barh(place, row["removal_effect"], color=COLOURS[0], alpha=0.8)
        if row["removal_effect_low"] is not None:
            axes.plot([row["removal_effect_low"], row["removal_effect_high"]], [place, place], color="black")
    axes.set_yticks(range(len(rows)), [_shorten(row["state"]) for row in rows], fontsize=8)
    axes.set(xlabel="share of the conversions that would be missing without it", xlim=(0, 1.02))
    axes.invert_yaxis()
    return figure


def plot_credits(attribution: pa.Table, dimension: str) -> Figure:
    """Plot the share of the conversions that each method credits to each channel or campaign."""
    rows = attribution.filter(pc.equal(attribution.column("dimension"), dimension)).to_pylist()
    touches = list(dict.fromkeys(row["touch"] for row in rows))
    methods = list(dict.fromkeys(row["method"] for row in rows))
    figure, axes = _create_bars(1 + 2 * len(touches))
    height = 0.8 / max(len(methods), 1)
    for number, method in enumerate(methods):
        shares = {row["touch"]: row["share"] for row in rows if row["method"] == method}
        places = np.arange(len(touches)) + (number - (len(methods) - 1) / 2) * height
        axes.barh(
            places, [shares.get(touch, 0.0) for touch in touches], height, color=COLOURS[number], label=method
        )
    axes.set_yticks(range(len(touches)), [_shorten(touch) for touch in touches], fontsize=8)
    axes.set(xlabel="share of the conversions")
    axes.invert_yaxis()
    if methods:
        axes.legend(fontsize=8, frameon=False)
    return figure


def plot_differences(levels: dict[str, Paths], comparisons: Sequence[GroupComparison]) -> Figure | None:
    """Plot the conversion of visits in the groups that differ, with intervals over people; None without any."""
    apart = {comparison.grouping: comparison for comparison in comparisons if comparison.differs}
    rows = [
        (f"{grouping}: {name}", *_conversion(levels[comparison.level].take(comparison.group_of_path == number)))
        for grouping, comparison in apart.items()
        for number, name in enumerate(comparison.groups)
    ]
    if not rows:
        return None
    figure, axes = _create_bars(len(rows))
    for place, (_, share, error) in enumerate(rows):
        axes.errorbar(share, place, xerr=1.96 * error, fmt="o", color=COLOURS[0], capsize=2)
    axes.set_yticks(range(len(rows)), [_shorten(name) for name, _, _ in rows], fontsize=8)
    axes.set(xlabel="share of the visits that converted")
    axes.invert_yaxis()
    return figure


def _conversion(paths: Paths) -> tuple[float, float]:
    """Return the share of paths that converted and its standard error over people."""
    share = float(paths.converted.mean())
    deviations = np.bincount(paths.people, paths.converted - share)
    return share, float(np.sqrt((deviations**2).sum()) / len(paths))


def _rows(paths: pa.Table, level: str) -> list[dict[str, Any]]:
    """Return the rows of all visits at a level, the most visited state first."""
    rows = [row for row in paths.to_pylist() if row["level"] == level and row["grouping"] == "all"]
    return sorted(rows, key=lambda row: -row["visits"])


def _create_bars(rows: int) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(7.2, 1.0 + 0.3 * rows), layout="constrained")
    axes = figure.subplots()
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    return figure, axes


def _shorten(name: str, longest: int = 32) -> str:
    return name if len(name) <= longest else f"{name[: longest - 1]}…"

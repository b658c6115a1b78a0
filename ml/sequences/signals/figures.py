"""Plot the effects of signals with their intervals."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
from matplotlib.figure import Figure

from ml.sequences.signals.study import DOSE, EVERYBODY, FOLLOWED, HAPPENED

ROWS_MOST = 25
WIDEST = 3.0
FOUND_COLOUR, OTHER_COLOUR = "#0072B2", "#8C8C8C"


def plot_effects(signals: pa.Table) -> Figure:
    """Plot the lift of each signal and of the orders that were found; discoveries are blue, raw lifts hollow."""
    rows = [row for row in signals.to_pylist() if row["segment"] == EVERYBODY and row["comparison"] != DOSE]
    rows = [row for row in rows if row["comparison"] == HAPPENED or row["is_discovery"]]
    rows = sorted(rows, key=lambda row: (row["comparison"] == FOLLOWED, -row["lift"]))[:ROWS_MOST]
    figure = Figure(figsize=(7.2, 1.2 + 0.28 * len(rows)), layout="constrained")
    axes = figure.subplots()
    axes.axvline(0, color="#BBBBBB", linewidth=1)
    for place, row in enumerate(rows):
        colour = FOUND_COLOUR if row["is_discovery"] else OTHER_COLOUR
        axes.plot([max(row["lift_low"], -1), min(row["lift_high"], WIDEST)], [place, place], color=colour)
        axes.plot(min(row["lift"], WIDEST), place, "o", color=colour, markersize=5)
        if row["raw_lift"] is not None and row["raw_lift"] <= WIDEST:
            axes.plot(row["raw_lift"], place, "o", markerfacecolor="none", color=OTHER_COLOUR, markersize=5)
    axes.set_yticks(range(len(rows)), [_name(row) for row in rows], fontsize=8)
    axes.set(xlabel="lift of conversion: adjusted with its 95% interval, and as counted (hollow)")
    axes.invert_yaxis()
    return figure


def _name(row: dict[str, Any]) -> str:
    return str(row["signal"]) if row["then_signal"] is None else f"{row['signal']}, then {row['then_signal']}"

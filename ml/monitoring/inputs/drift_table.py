"""The drift of the inputs as a table, one row per column, and as a plot."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
from matplotlib.figure import Figure

from ml.monitoring.inputs.drift import DRIFTED, LOST, QUIET, ColumnDrift
from ml.monitoring.inputs.profile import ColumnProfile
from ml.monitoring.inputs.reference import Reference, Unknown
from ml.monitoring.inputs.windows import INTERACTIONS, USERS, InputWindow
from ml.monitoring.inputs.words import verdict
from ml.settings.operation import MonitoringSettings

SCHEMA = pa.schema(
    [
        pa.field("frame", pa.string()),
        pa.field("column_name", pa.string()),
        pa.field("kind", pa.string()),
        pa.field("reference_until", pa.timestamp("us")),
        pa.field("window_end", pa.timestamp("us")),
        pa.field("rows_then", pa.float64()),
        pa.field("rows_now", pa.int64()),
        pa.field("missing_then", pa.float64()),
        pa.field("missing_now", pa.float64()),
        pa.field("unseen_then", pa.float64()),
        pa.field("unseen_now", pa.float64()),
        pa.field("psi", pa.float64()),
        pa.field("js", pa.float64()),
        pa.field("lasting_psi", pa.float64()),
        pa.field("p", pa.float64()),
        pa.field("missing_p", pa.float64()),
        pa.field("state", pa.string()),
        pa.field("verdict", pa.string()),
    ]
)
_MOST_PANELS = 12
_MOST_BARS = 10
_COLORS = {LOST: "tab:red", DRIFTED: "tab:red"}


def drift_table(
    drifts: Sequence[ColumnDrift], unknown: Unknown, reference: Reference, window: InputWindow
) -> pa.Table:
    """Return what was compared; a last row each for people and items that the model has not seen."""
    moments = {"reference_until": reference.trained_until, "window_end": window.end}
    rows = [
        {
            "frame": drift.profile.frame,
            "column_name": drift.profile.column,
            "kind": drift.profile.kind,
            **moments,
            **{name: getattr(drift, name) for name in SCHEMA.names if hasattr(drift, name)},
            "verdict": verdict(drift),
        }
        for drift in drifts
    ]
    for frame, column, share, who in (
        (USERS, "user_id", unknown.people, "of the people came after the training"),
        (
            INTERACTIONS,
            "item_id",
            unknown.clicks,
            "of the interactions are with items that the model does not know",
        ),
    ):
        rows.append(
            {
                "frame": frame,
                "column_name": column,
                "kind": "ids",
                **moments,
                "rows_now": len(window.tables[frame]),
                "unseen_then": 0.0,
                "unseen_now": share,
                "state": QUIET,
                "verdict": f"{share:.0%} {who}",
            }
        )
    return pa.Table.from_pylist(rows, schema=SCHEMA)


def plot_drift(drifts: Sequence[ColumnDrift], settings: MonitoringSettings) -> Figure:
    """Draw the size of each column's change beside the smallest that matters."""
    ordered = sorted(drifts, key=lambda drift: drift.psi)
    figure = Figure(figsize=(8, 1 + 0.3 * len(ordered)), layout="constrained")
    axes = figure.subplots()
    colors = [_COLORS.get(drift.state, "tab:blue") for drift in ordered]
    axes.barh([drift.profile.name for drift in ordered], [drift.psi for drift in ordered], color=colors)
    axes.axvline(settings.smallest_psi, color="black", linestyle="--", linewidth=0.8)
    axes.set_xlabel("population stability index; dashed: smallest change that matters; red: alarm")
    return figure


def plot_profiles(columns: Sequence[ColumnProfile]) -> Figure:
    """Draw the shares of the most frequent values, or of the bins, of the columns of a reference."""
    drawn = columns[:_MOST_PANELS]
    n_rows = max(-(-len(drawn) // 3), 1)
    figure = Figure(figsize=(11, 2.2 * n_rows), layout="constrained")
    for panel, profile in zip(figure.subplots(n_rows, 3, squeeze=False).ravel(), drawn, strict=False):
        counts = np.asarray(profile.counts[:_MOST_BARS], dtype=float)
        names = [*profile.values[:_MOST_BARS], "others"] if profile.kind == "values" else _bin_names(profile)
        panel.barh(names[: len(counts)], counts / max(sum(profile.counts), 1))
        panel.invert_yaxis()
        panel.tick_params(labelsize=6)
        panel.set_title(f"{profile.name}, {profile.missing / max(_rows(profile), 1):.0%} missing", fontsize=8)
    for panel in figure.axes[len(drawn) :]:
        panel.set_axis_off()
    return figure


def _bin_names(profile: ColumnProfile) -> list[str]:
    return [*(f"≤ {edge:g}" for edge in profile.edges), "above"]


def _rows(profile: ColumnProfile) -> int:
    return sum(profile.counts) + profile.missing

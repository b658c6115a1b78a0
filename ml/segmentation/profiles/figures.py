"""Plot a segmentation with matplotlib: map of users, comparison of candidates, sizes, traits and migration."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from textwrap import fill
from typing import Any

import numpy as np
import pyarrow as pa
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ml.arrays import F64, I64
from ml.segmentation.clusters.algorithms import NOISE
from ml.segmentation.clusters.selection import ClusteringCandidate
from ml.segmentation.profiles.labels import FeatureLabels
from ml.segmentation.profiles.profiles import SegmentProfile

# Okabe and Ito's colours, which colour-blind readers can distinguish, and four more.
COLOURS = (
    "#0072B2",
    "#E69F00",
    "#009E73",
    "#CC79A7",
    "#D55E00",
    "#56B4E9",
    "#F0C808",
    "#7A5195",
    "#8C564B",
    "#4D4D4D",
)
NOISE_COLOUR = "#BBBBBB"
MAP_USERS = 4_000
ALGORITHM_NAMES = {
    "kmeans": "k-means",
    "gaussian_mixture": "Gaussian mixture",
    "dbscan": "DBSCAN",
    "hdbscan": "HDBSCAN",
}


def segment_colour(position: int) -> str:
    """Return the colour of the segment at this position of the profiles."""
    return COLOURS[position % len(COLOURS)]


def plot_user_map(Z: F64, segments: I64, profiles: Sequence[SegmentProfile], seed: int = 0) -> Figure:
    """Plot users on the two directions that separate the segments most, coloured by segment number (n,)."""
    figure, axes = _create_axes(7.2, 5.2)
    rows = np.random.default_rng(seed).permutation(len(Z))[:MAP_USERS]
    x, y = separating_plane(Z[rows], segments[rows])
    if (segments[rows] == NOISE).any():
        outside = segments[rows] == NOISE
        axes.scatter(x[outside], y[outside], s=5, color=NOISE_COLOUR, label="no segment", linewidths=0)
    for position, profile in enumerate(profiles):
        inside = segments[rows] == profile.segment
        axes.scatter(
            x[inside], y[inside], s=6, color=segment_colour(position), alpha=0.6, linewidths=0, label=profile.name
        )
    axes.set(xticks=[], yticks=[], xlabel="direction that separates most", ylabel="second direction")
    if profiles:
        axes.legend(markerscale=3, fontsize=8, frameon=False, loc="upper left", bbox_to_anchor=(1.0, 1.0))
    return figure


def separating_plane(Z: F64, segments: I64) -> tuple[F64, F64]:
    """Project Z (n, d) onto the plane through the segments' centres with the widest spread; returns (n,), (n,)."""
    if not Z.shape[1]:
        return np.zeros(len(Z)), np.zeros(len(Z))
    numbers = np.unique(segments[segments != NOISE])
    if len(numbers) < 3 or Z.shape[1] < 3:
        return Z[:, 0], Z[:, min(1, Z.shape[1] - 1)]
    centres = np.stack([Z[segments == segment].mean(axis=0) for segment in numbers])
    _, _, directions = np.linalg.svd(centres - centres.mean(axis=0), full_matrices=False)
    return Z @ directions[0], Z @ directions[1]


def plot_choice(candidates: Sequence[ClusteringCandidate]) -> Figure:
    """Plot silhouette and stability of every candidate, with the silhouette of structureless data."""
    figure = Figure(figsize=(9.0, 3.6), layout="constrained")
    left, right = figure.subplots(1, 2)
    for axes, measure, title in (
        (left, "silhouette", "Silhouette"),
        (right, "bootstrap_stability", "Agreement of resamples (adjusted Rand)"),
    ):
        _strip_spines(axes)
        for position, (algorithm, label) in enumerate(ALGORITHM_NAMES.items()):
            points = [(c.segments, getattr(c, measure)) for c in candidates if c.algorithm == algorithm]
            if points:
                style = "o-" if algorithm in ("kmeans", "gaussian_mixture") else "s"
                axes.plot(
                    *zip(*points, strict=True), style, color=segment_colour(position), label=label, markersize=4
                )
        chosen = [(c.segments, getattr(c, measure)) for c in candidates if c.chosen]
        if chosen:
            axes.plot(
                *zip(*chosen, strict=True), "o", color="black", fillstyle="none", markersize=12, label="chosen"
            )
        axes.set(title=title, xlabel="segments")
        axes.set_ylim(bottom=min(0.0, axes.get_ylim()[0]), top=max(1.0, axes.get_ylim()[1]))
    null = {c.segments: c.null_silhouette for c in candidates if c.algorithm == "kmeans"}
    left.plot(list(null), list(null.values()), ":", color="grey", label="structureless data")
    left.legend(fontsize=8, frameon=False)
    return figure


def plot_sizes(profiles: Sequence[SegmentProfile]) -> Figure:
    """Plot the number of users per segment."""
    figure, axes = _create_axes(7.2, 0.6 + 0.4 * len(profiles))
    names = [profile.name for profile in profiles]
    axes.barh(names, [p.size for p in profiles], color=[segment_colour(i) for i in range(len(profiles))])
    for position, profile in enumerate(profiles):
        axes.text(profile.size, position, f" {profile.size:,} ({profile.share:.0%})", va="center", fontsize=8)
    axes.invert_yaxis()
    axes.set(xlabel="users", xlim=(0, 1.2 * max((p.size for p in profiles), default=1)))
    return figure


def plot_traits(profiles: Sequence[SegmentProfile], wording: FeatureLabels, maximum_features: int = 20) -> Figure:
    """Plot the effect sizes of the features that separate segments most: green for more, brown for less.

    A difference that may be chance is 0.
    """
    effects = [
        {trait.feature: trait.effect if trait.is_certain else 0.0 for trait in profile.traits}
        for profile in profiles
    ]
    strongest = {name: max(abs(effect[name]) for effect in effects) for name in (effects[0] if effects else {})}
    features = sorted(strongest, key=lambda name: (-strongest[name], name))[:maximum_features]
    figure, axes = _create_axes(4.4 + 0.75 * len(profiles), 2.2 + 0.28 * len(features))
    values = np.array([[effect[name] for effect in effects] for name in features]).reshape(
        len(features), len(effects)
    )
    image = axes.imshow(values, cmap="BrBG", vmin=-2, vmax=2, aspect="auto")
    axes.spines[:].set_visible(False)
    axes.set_yticks(range(len(features)), [wording.label(name) for name in features], fontsize=9)
    names = [fill(profile.name, 22) for profile in profiles]
    axes.set_xticks(range(len(profiles)), names, fontsize=8, rotation=35, ha="left", rotation_mode="anchor")
    axes.tick_params(length=0, top=False, labeltop=True, labelbottom=False)
    figure.colorbar(image, ax=axes, label="effect size (Cohen's d)", shrink=0.7)
    return figure


def plot_migration(moves: pa.Table, colours: Mapping[int, str]) -> Figure:
    """Plot the flow of users from the previous segments (left) to the present ones (right).

    The width of a band is the number of users.

    Args:
        moves: the table that `ml.segmentation.clusters.identity.compute_migration` returns.
        colours: colour by number of the segment.
    """
    rows = moves.to_pylist()
    left = list(dict.fromkeys(row["from_name"] for row in rows))
    arrivals = sorted(rows, key=lambda row: (row["to_segment"] is None, row["to_segment"] or 0))
    right = list(dict.fromkeys(row["to_name"] for row in arrivals))
    figure, axes = _create_axes(8.0, 0.8 + 0.5 * max(len(left), len(right)))
    axes.set_axis_off()
    total = sum(row["users"] for row in rows)
    gap = 0.03 * total
    starts, ends = _stack_blocks(rows, "from_name", left, gap), _stack_blocks(rows, "to_name", right, gap)
    for side, names, tops in ((0.0, left, dict(starts)), (1.0, right, dict(ends))):
        for name in names:
            size = sum(row["users"] for row in rows if row["from_name" if side == 0.0 else "to_name"] == name)
            align = "right" if side == 0.0 else "left"
            axes.text(
                side + (-0.02 if side == 0.0 else 0.02),
                tops[name] - size / 2,
                f"{name} ({size:,})",
                ha=align,
                va="center",
                fontsize=8,
            )
    curve = np.linspace(0, 1, 40)
    bend = 3 * curve**2 - 2 * curve**3
    for row in sorted(rows, key=lambda row: (left.index(row["from_name"]), right.index(row["to_name"]))):
        a, b = starts[row["from_name"]], ends[row["to_name"]]
        top = a + (b - a) * bend
        colour = colours.get(row["from_segment"], NOISE_COLOUR)
        axes.fill_between(curve, top - row["users"], top, color=colour, alpha=0.55, linewidth=0)
        starts[row["from_name"]] -= row["users"]
        ends[row["to_name"]] -= row["users"]
    axes.set_xlim(-0.6, 1.6)
    return figure


def _stack_blocks(
    rows: Sequence[Mapping[str, Any]], key: str, names: Sequence[str], gap: float
) -> dict[str, float]:
    """Return the upper edge of each name's block when the blocks are stacked, the first on top."""
    tops, edge = {}, 0.0
    for name in names:
        tops[name] = edge
        edge -= sum(row["users"] for row in rows if row[key] == name) + gap
    return tops


def _create_axes(width: float, height: float) -> tuple[Figure, Axes]:
    """Create a figure with one bare axes."""
    figure = Figure(figsize=(width, height), layout="constrained")
    axes = figure.subplots()
    _strip_spines(axes)
    return figure, axes


def _strip_spines(axes: Axes) -> None:
    """Remove the upper and right spine."""
    axes.spines[["top", "right"]].set_visible(False)

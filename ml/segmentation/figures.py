"""Plots of a segmentation as matplotlib figures: the map of users, the choice, sizes, traits and migration."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ml.segmentation.algorithms import NOISE
from ml.segmentation.choice import Candidate
from ml.segmentation.features import FloatMatrix
from ml.segmentation.profiles import Profile

# Okabe and Ito's colours, which colour-blind readers can tell apart, and four more.
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


def colour_of(position: int) -> str:
    """Colour of the segment at this position of the profiles."""
    return COLOURS[position % len(COLOURS)]


def user_map(
    Z: FloatMatrix, segments: npt.NDArray[np.int64], profiles: Sequence[Profile], seed: int = 0
) -> Figure:
    """Users on the two components that separate the segments most, coloured by segment number (n,)."""
    figure, axes = _canvas(7.2, 5.2)
    rows = np.random.default_rng(seed).permutation(len(Z))[:MAP_USERS]
    x, y = separating_plane(Z[rows], segments[rows])
    if (segments[rows] == NOISE).any():
        outside = segments[rows] == NOISE
        axes.scatter(x[outside], y[outside], s=5, color=NOISE_COLOUR, label="no segment", linewidths=0)
    for position, profile in enumerate(profiles):
        inside = segments[rows] == profile.segment
        axes.scatter(
            x[inside], y[inside], s=6, color=colour_of(position), alpha=0.6, linewidths=0, label=profile.name
        )
    axes.set(xticks=[], yticks=[], xlabel="direction that separates most", ylabel="second direction")
    axes.legend(markerscale=3, fontsize=8, frameon=False, loc="upper left", bbox_to_anchor=(1.0, 1.0))
    return figure


def separating_plane(
    Z: FloatMatrix, segments: npt.NDArray[np.int64]
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Coordinates (n,), (n,) of Z (n, d) on the plane through the segments' centres with the widest spread."""
    found = np.unique(segments[segments != NOISE])
    if len(found) < 3 or Z.shape[1] < 3:
        return Z[:, 0], Z[:, min(1, Z.shape[1] - 1)]
    centres = np.stack([Z[segments == segment].mean(axis=0) for segment in found])
    _, _, directions = np.linalg.svd(centres - centres.mean(axis=0), full_matrices=False)
    return Z @ directions[0], Z @ directions[1]


def choice_plot(candidates: Sequence[Candidate]) -> Figure:
    """Silhouette and stability of every candidate by number of segments, beside what no structure would reach."""
    figure = Figure(figsize=(9.0, 3.6), layout="constrained")
    left, right = figure.subplots(1, 2)
    for axes, measure, title in (
        (left, "silhouette", "Silhouette"),
        (right, "bootstrap_stability", "Found again in resamples (adjusted Rand)"),
    ):
        _bare(axes)
        for position, (algorithm, label) in enumerate(ALGORITHM_NAMES.items()):
            points = [(c.segments, getattr(c, measure)) for c in candidates if c.algorithm == algorithm]
            if points:
                style = "o-" if algorithm in ("kmeans", "gaussian_mixture") else "s"
                axes.plot(*zip(*points, strict=True), style, color=colour_of(position), label=label, markersize=4)
        chosen = [(c.segments, getattr(c, measure)) for c in candidates if c.chosen]
        if chosen:
            axes.plot(
                *zip(*chosen, strict=True), "o", color="black", fillstyle="none", markersize=12, label="chosen"
            )
        axes.set(title=title, xlabel="segments")
    null = {c.segments: c.null_silhouette for c in candidates if c.algorithm == "kmeans"}
    left.plot(list(null), list(null.values()), ":", color="grey", label="without structure")
    left.legend(fontsize=8, frameon=False)
    return figure


def sizes_plot(profiles: Sequence[Profile]) -> Figure:
    """Users per segment."""
    figure, axes = _canvas(7.2, 0.6 + 0.4 * len(profiles))
    names = [profile.name for profile in profiles]
    axes.barh(names, [p.size for p in profiles], color=[colour_of(i) for i in range(len(profiles))])
    for position, profile in enumerate(profiles):
        axes.text(profile.size, position, f" {profile.size:,} ({profile.share:.0%})", va="center", fontsize=8)
    axes.invert_yaxis()
    axes.set(xlabel="users", xlim=(0, 1.2 * max((p.size for p in profiles), default=1)))
    return figure


def traits_plot(profiles: Sequence[Profile], most: int = 24) -> Figure:
    """Effect sizes of the features that separate segments most: segments × features, blue above, orange below."""
    strongest: dict[str, float] = {}
    for profile in profiles:
        for trait in profile.traits:
            strongest[trait.feature] = max(strongest.get(trait.feature, 0.0), abs(trait.effect))
    features = sorted(strongest, key=lambda name: (-strongest[name], name))[:most]
    effects = np.array([[{t.feature: t.effect for t in p.traits}[name] for p in profiles] for name in features])
    figure, axes = _canvas(3.5 + 0.9 * len(profiles), 1.8 + 0.26 * len(features))
    image = axes.imshow(effects, cmap="PuOr_r", vmin=-2, vmax=2, aspect="auto")
    axes.set_yticks(range(len(features)), features, fontsize=8)
    axes.set_xticks(range(len(profiles)), [p.name for p in profiles], fontsize=8, rotation=25, ha="right")
    figure.colorbar(image, ax=axes, label="effect size against everybody else (Cohen's d)", shrink=0.8)
    return figure


def _canvas(width: float, height: float) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(width, height), layout="constrained")
    axes = figure.subplots()
    _bare(axes)
    return figure, axes


def _bare(axes: Axes) -> None:
    axes.spines[["top", "right"]].set_visible(False)

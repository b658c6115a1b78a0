"""The README's pictures, drawn from what the project knows: Dagster's asset graph and the demo's results."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

import dagster as dg
from dagster._core.definitions.assets.graph.asset_graph import AssetGraph
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch

from orchestration.demo.demo_results import DemoResults
from orchestration.demo.report import BASELINE
from orchestration.warehouse.dbt_project import MARTS_GROUP, WAREHOUSE_GROUPS

STAGE_COLOURS = {
    "events": "#4c78a8",
    "warehouse": "#72b7b2",
    "segmentation": "#54a24b",
    "experiments": "#b279a2",
    "sequences": "#eeca3b",
    "recommendation": "#f58518",
    "publishing": "#e45756",
    "usage": "#ff9da6",
    "monitoring": "#9c755f",
}
OTHER_COLOUR = "#9d9da1"
INTERMEDIATE = ("stg_", "int_")
DPI = 150
MOST_NAMES = 10


def draw_pipeline(definitions: dg.Definitions, file: Path) -> None:
    """Stages as columns in the order of the data, with their assets; the tables before the marts as a count."""
    graph = definitions.resolve_asset_graph()
    stage_of = {
        key: MARTS_GROUP if graph.get(key).group_name in WAREHOUSE_GROUPS else graph.get(key).group_name
        for key in graph.toposorted_asset_keys
        if key in graph.materializable_asset_keys
    }
    assets: dict[str, list[str]] = defaultdict(list)
    for key in sorted(stage_of, key=lambda key: -_readers(graph, key, stage_of)):
        assets[stage_of[key]].append(key.to_user_string())
    feeds = {
        (stage_of[parent], stage)
        for key, stage in stage_of.items()
        for parent in graph.get(key).parent_keys
        if parent in stage_of and stage_of[parent] != stage
    }
    columns = _columns(list(assets), feeds)
    figure = Figure(figsize=(3.1 * len(columns), 5.4), layout="constrained")
    axes = figure.subplots()
    axes.set_axis_off()
    boxes: dict[str, tuple[float, float, float]] = {}
    for place, column in enumerate(columns):
        top = 0.0
        for stage in column:
            height = _draw_stage(axes, place * 3.4, top, stage, _shown(assets[stage]))
            boxes[stage] = (place * 3.4, top - height / 2, place)
            top -= height + 0.5
    for source, target in sorted(feeds):
        _draw_arrow(axes, boxes[source], boxes[target])
    axes.set_xlim(-0.2, 3.4 * len(columns) - 0.6)
    axes.autoscale_view(scalex=False)
    figure.savefig(file, dpi=DPI)


def draw_results(results: DemoResults, file: Path) -> None:
    """Segments by size, and the candidates against the popularity baseline."""
    figure = Figure(figsize=(11, 4.2), layout="constrained")
    left, right = figure.subplots(1, 2)
    profiles = sorted(results.profiles.to_pylist(), key=lambda row: row["size"])
    left.barh(
        [row["name"] for row in profiles], [row["size"] for row in profiles], color=STAGE_COLOURS["segmentation"]
    )
    left.set_title("Segments found", loc="left")
    left.set_xlabel("users")
    metric = "ndcg_at_10"
    rows = sorted(results.candidates.to_pylist(), key=lambda row: row[metric])
    colours = [_candidate_colour(row["model"], results.champion) for row in rows]
    right.barh([row["model"] for row in rows], [row[metric] for row in rows], color=colours)
    right.set_title("Recommenders on what users did next", loc="left")
    right.set_xlabel("NDCG@10; grey: the popularity baseline")
    for axes in (left, right):
        axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(file, dpi=DPI)


def _readers(graph: AssetGraph, key: dg.AssetKey, stage_of: Mapping[dg.AssetKey, str]) -> int:
    """How many assets of other stages read this one: what a stage is for stands on top."""
    return sum(stage_of.get(child) not in (None, stage_of[key]) for child in graph.get(key).child_keys)


def _columns(stages: Sequence[str], feeds: set[tuple[str, str]]) -> list[list[str]]:
    """Stages by their distance from the events: the longest way through the graph of stages."""
    depth: dict[str, int] = {}

    def measure(stage: str, above: tuple[str, ...]) -> int:
        if stage not in depth:
            sources = [source for source, target in feeds if target == stage and source not in above]
            depth[stage] = 1 + max((measure(source, (*above, stage)) for source in sources), default=-1)
        return depth[stage]

    for stage in stages:
        measure(stage, ())
    return [[stage for stage in stages if depth[stage] == place] for place in range(max(depth.values()) + 1)]


def _shown(assets: Sequence[str]) -> list[str]:
    """Names as the picture shows them; the tables before the marts are one line."""
    named = [asset for asset in assets if not asset.startswith(INTERMEDIATE)]
    behind = len(assets) - len(named)
    return [
        *named[:MOST_NAMES],
        *([f"and {len(named) - MOST_NAMES} more"] if len(named) > MOST_NAMES else []),
        *([f"({behind} intermediate tables)"] if behind else []),
    ]


def _draw_stage(axes: Axes, x: float, top: float, stage: str, assets: Sequence[str]) -> float:
    height = 0.55 + 0.3 * len(assets)
    colour = STAGE_COLOURS.get(stage, OTHER_COLOUR)
    axes.add_patch(
        FancyBboxPatch(
            (x, top - height), 2.6, height, boxstyle="round,pad=0.05", facecolor=f"{colour}22", edgecolor=colour
        )
    )
    axes.text(x + 0.1, top - 0.1, stage, weight="bold", color=colour, va="top", fontsize=11)
    for line, asset in enumerate(assets):
        axes.text(x + 0.1, top - 0.5 - 0.3 * line, asset, va="top", fontsize=8, family="monospace")
    return height


def _draw_arrow(axes: Axes, source: tuple[float, float, float], target: tuple[float, float, float]) -> None:
    if target[2] - source[2] != 1:
        return
    axes.add_patch(
        FancyArrowPatch(
            (source[0] + 2.65, source[1]),
            (target[0] - 0.05, target[1]),
            arrowstyle="-|>",
            mutation_scale=14,
            color="#888888",
            connectionstyle="arc3,rad=0.05",
        )
    )


def _candidate_colour(model: str, champion: str) -> str:
    if model == champion:
        return STAGE_COLOURS["recommendation"]
    return OTHER_COLOUR if model == BASELINE else "#f9c088"

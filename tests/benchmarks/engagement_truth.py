"""Engagement classes of all people of a simulated site, passers-by included, against the planted ones."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

from figure import Figure

from ml.settings.simulator import SimulatorSettings
from tests.dbt_project.built import parsed_project, warehouse_in
from tests.dbt_project.simulated_engagement import engagement, share_right, simulate

SEEDS = (1, 2, 3)


def measure(size: float) -> Iterator[Figure]:
    """`size` 1 is three sites of the default size; smaller sizes take fewer users."""
    defaults = SimulatorSettings()
    settings = defaults.model_copy(update={"users": max(100, round(defaults.users * size))})
    for seed in SEEDS:
        with tempfile.TemporaryDirectory() as folder:
            warehouse = warehouse_in(Path(folder) / "home", parsed_project(Path(folder) / "dbt"))
            pairs = engagement(warehouse, simulate(warehouse, settings, seed), settings.days)
        right = share_right(pairs)
        yield Figure(f"engagement_truth_right_seed_{seed}", right, "share of people", rows=len(pairs))
        for name in sorted({truth for truth, _ in pairs}):
            part = [pair for pair in pairs if pair[0] == name]
            yield Figure(f"engagement_truth_{name}_seed_{seed}", share_right(part), "share", rows=len(part))

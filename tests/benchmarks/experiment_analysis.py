"""Analysing one experiment: ten million exposed units, twelve metrics, six segments, thirty days."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from figure import Figure, in_own_process

from ml.experiments.analysis.analysis import analyse_experiment
from ml.experiments.definition.definition import ExperimentDefinitions
from ml.experiments.definition.definitions_file import load_metric_library
from ml.settings.experiments import ExperimentSettings

START = datetime(2026, 9, 1, tzinfo=UTC)
UNITS = 10_000_000
ROOT = Path(__file__).resolve().parents[2]
METRICS = (
    "clicks_per_user", "page_views_per_user", "sessions_per_user", "engaged_seconds_per_user",
    "page_views_per_session",
    "recommendation_click_rate", "recommendation_clickers", "rejection_rate", "retention_next_week", "conversion",
    "revenue_per_user", "median_engaged_seconds",
)  # fmt: skip


def measure(size: float) -> Iterator[Figure]:
    """Yield seconds and peak memory of reading two Parquet files and analysing them, in a process of its own."""
    from tempfile import TemporaryDirectory

    units = max(round(UNITS * size), 10_000)
    with TemporaryDirectory() as folder:
        in_own_process(write_tables, folder, units)
        done = in_own_process(analyse_files, folder)
    yield Figure(
        "experiment_analysis",
        done.seconds,
        "s",
        "bar",
        60.0,
        done.seconds / 60.0,
        units,
        done.seconds,
        done.peak_mib,
    )
    yield Figure(
        "experiment_analysis_memory",
        done.peak_mib,
        "MiB",
        "bar",
        4096.0,
        done.peak_mib / 4096,
        units,
        done.seconds,
    )


def analyse_files(folder: str) -> str:
    """Read and analyse; returns the verdict."""
    settings = ExperimentSettings()
    found = analyse_experiment(
        definitions(),
        "ranker",
        pq.read_table(f"{folder}/exposures.parquet"),
        pq.read_table(f"{folder}/outcomes.parquet"),
        START + timedelta(days=44),
        settings,
    )
    return found.decision.verdict


def write_tables(folder: str, units: int) -> None:
    """Write the exposures of ten million people over thirty days.

    Each person has a day of outcomes before the exposure and one or two after it.
    """
    rng = np.random.default_rng(1)
    start = int(START.timestamp() * 1e6)
    writers: dict[str, pq.ParquetWriter] = {}
    for first in range(0, units, 500_000):
        n = min(500_000, units - first)
        ids = pc.binary_join_element_wise("user-", pc.cast(pa.array(np.arange(first, first + n)), pa.string()), "")
        exposures = pa.table(
            {
                "unit_id": ids,
                "user_id": ids,
                "variant": pa.DictionaryArray.from_arrays(
                    rng.integers(0, 2, n, np.int8), ["control", "challenger"]
                ).cast(pa.string()),
                "first_exposed_at": pa.array(start + rng.integers(0, 30 * 86_400_000_000, n), pa.timestamp("us")),
                "segment": pa.DictionaryArray.from_arrays(rng.integers(0, 6, n, np.int8), list("abcdef")).cast(
                    pa.string()
                ),
            }
        )
        stretches = [
            (np.arange(n), 0),
            (np.flatnonzero(rng.random(n) < 0.3), -3),
            (np.flatnonzero(rng.random(n) < 0.2), 8),
        ]
        unit = np.concatenate([units_of_day for units_of_day, _ in stretches])
        day = np.concatenate([np.full(len(units_of_day), d, np.int32) for units_of_day, d in stretches])
        rows = len(unit)
        views = rng.poisson(3.0, rows) + 1
        purchases = (rng.random(rows) < 0.02).astype(np.int64)
        outcomes = pa.table(
            {
                "user_id": ids.take(pa.array(unit)),
                "day": day,
                "sessions": rng.poisson(0.3, rows) + 1,
                "page_views": views,
                "engaged_seconds": views * rng.gamma(2.0, 20.0, rows),
                "impressions": 3 * views,
                "clicks": rng.binomial(views, 0.4),
                "recommendation_clicks": rng.binomial(views, 0.1),
                "purchases": purchases,
                "revenue": purchases * rng.lognormal(3.5, 0.9, rows),
                "dislikes": (rng.random(rows) < 0.01).astype(np.int64),
            }
        )
        for name, table in (("exposures", exposures), ("outcomes", outcomes)):
            if name not in writers:
                writers[name] = pq.ParquetWriter(f"{folder}/{name}.parquet", table.schema)
            writers[name].write_table(table)
    for writer in writers.values():
        writer.close()


def definitions() -> ExperimentDefinitions:
    """The experiment of the benchmark."""
    body = {
        "id": "ranker",
        "hypothesis": "It brings more clicks",
        "unit": "user",
        "variants": {"control": {"share": 0.5}, "challenger": {"share": 0.5}},
        "primary_metric": METRICS[0],
        "secondary_metrics": METRICS[1:],
        "guardrails": [{"metric": "rejection_rate", "margin": 0.05}],
        "minimum_detectable_effect": 0.01,
        "starts_at": START,
        "ends_at": START + timedelta(days=30),
        "decision": {"planned_units": UNITS},
    }
    return ExperimentDefinitions.model_validate(
        {"metrics": load_metric_library(), "experiments": {"ranker": body}}
    )

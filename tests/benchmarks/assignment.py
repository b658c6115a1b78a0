"""Assigning a column of units, against a loop over single units.

The experiment has a layer, a holdout and a ramp.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa
from figure import Figure

from ml.experiments.definition.assignment import assign_unit, assign_units
from ml.experiments.definition.definition import ExperimentDefinitions

START = datetime(2026, 9, 1, tzinfo=UTC)
UNITS = 5_000_000
COMPARED = 100_000


def measure(size: float) -> Iterator[Figure]:
    """Yield units a second, and in how many of 100,000 ids the column and the single answer differ."""
    units = max(round(UNITS * size), COMPARED)
    ids = pa.array([f"user-{i:x}-{i * 2654435761 % 2**32:08x}" for i in range(units)])
    country = np.random.default_rng(0).choice(["DE", "AT", "CH"], units)
    context = pa.table({"country": country})
    experiments = definitions()
    seconds = min(timed(lambda: assign_units(experiments, "ranker", ids, context, START)) for _ in range(3))
    few = ids.slice(0, COMPARED).to_pylist()
    contexts = [{"country": value} for value in country[:COMPARED].tolist()]
    begin = time.perf_counter()
    singles = [
        assign_unit(experiments, "ranker", unit, known, START) for unit, known in zip(few, contexts, strict=True)
    ]
    loop = COMPARED / (time.perf_counter() - begin)
    rate = units / seconds
    yield Figure("assignment", rate, "units/s", "assign_one in a loop", loop, rate / loop, units, seconds)
    found = assign_units(experiments, "ranker", ids.slice(0, COMPARED), context.slice(0, COMPARED), START)
    differ = sum(
        left != right.variant for left, right in zip(found.variant_column().to_pylist(), singles, strict=True)
    )
    yield Figure("assignment_differences", differ, "of 100,000 ids", rows=COMPARED)


def definitions() -> ExperimentDefinitions:
    """One experiment that needs every gate."""
    body = {
        "id": "ranker",
        "hypothesis": "It brings more clicks",
        "unit": "user",
        "variants": {"control": {"share": 0.5}, "challenger": {"share": 0.5}},
        "targeting": 'country in ["DE", "AT"]',
        "primary_metric": "clicks_per_user",
        "minimum_detectable_effect": 0.05,
        "starts_at": START,
        "ends_at": START + timedelta(days=28),
        "layer": "ranking",
        "layer_range": (0.0, 0.8),
        "ramp": ({"from": START, "traffic": 0.5},),
    }
    holdout = {"share": 0.05, "starts_at": START, "ends_at": START + timedelta(days=90)}
    return ExperimentDefinitions.model_validate(
        {"layers": {"ranking": {}}, "holdouts": {"autumn": holdout}, "experiments": {"ranker": body}}
    )


def timed(work: object) -> float:
    """Seconds of one call."""
    begin = time.perf_counter()
    work()
    return time.perf_counter() - begin

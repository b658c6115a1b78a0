"""The histories of the metrics as rows of the table `experiment_baselines`, which the console plans from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from pydantic import TypeAdapter

from ml.experiments.definition.metrics import Metric
from ml.experiments.design.history import Baseline

_METRIC: TypeAdapter[Metric] = TypeAdapter(Metric)


@dataclass(frozen=True)
class PublishedBaselines:
    """What is published of the histories.

    Attributes:
        measured: the history of each metric that can be planned, by its name.
        faults: why each of the others cannot.
    """

    measured: dict[str, Baseline]
    faults: dict[str, str]


def describe_baseline(name: str, baseline: Baseline) -> dict[str, Any]:
    """Return the row of a metric that was measured."""
    return {
        "metric": name,
        "definition": baseline.metric.model_dump_json(),
        "fault": "",
        "mean": baseline.mean,
        "variance": baseline.variance,
        "explained": baseline.explained,
        "people": baseline.units,
        "window_days": baseline.window_days,
        "starts_on": baseline.starts_on,
        "arrivals": baseline.arrivals.astype(np.int64).tolist(),
    }


def describe_fault(name: str, metric: Metric, fault: str) -> dict[str, Any]:
    """Return the row of a metric that cannot be planned."""
    return {"metric": name, "definition": metric.model_dump_json(), "fault": fault}


def read_baselines(rows: pa.Table) -> PublishedBaselines:
    """Read the rows of the table."""
    measured: dict[str, Baseline] = {}
    faults: dict[str, str] = {}
    for row in rows.to_pylist():
        if row["fault"]:
            faults[row["metric"]] = row["fault"]
            continue
        measured[row["metric"]] = Baseline(
            _METRIC.validate_json(row["definition"]),
            row["mean"],
            row["variance"],
            row["explained"],
            row["people"],
            row["starts_on"],
            np.array(row["arrivals"], dtype=np.float64),
            row["window_days"],
        )
    return PublishedBaselines(measured, faults)

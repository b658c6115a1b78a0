"""The asset that compares what models read now with what the model in use was trained on."""

from __future__ import annotations

import datetime as dt

import dagster as dg
import pyarrow as pa

from ml.bundle import find_current
from ml.home import Home
from ml.monitoring.alerts import tell_people
from ml.monitoring.inputs.drift import compare_window
from ml.monitoring.inputs.drift_alarms import record_drift
from ml.monitoring.inputs.drift_table import SCHEMA, drift_table, plot_drift
from ml.monitoring.inputs.reference import FOLDER, Reference, measure_unknown
from ml.monitoring.inputs.windows import ITEMS, USERS
from ml.monitoring.journal import Journal
from orchestration.defs.metadata import figure_metadata, table_metadata
from orchestration.defs.monitoring import GROUP
from orchestration.defs.resources import HomeResource, WarehouseResource
from orchestration.warehouse.frames import MARTS
from orchestration.warehouse.input_windows import read_newest

SHOWN = ["frame", "column_name", "psi", "js", "p", "missing_then", "missing_now", "unseen_now", "verdict"]


@dg.asset(
    deps=[*MARTS, "alarms"],
    group_name=GROUP,
    kinds={"python", "duckdb"},
    description=(
        "The newest week of every column that the model in use reads, against the weeks before its training: size,"
        " evidence, missing and unseen values. One row per column. A change that is large, certain and lasting is"
        " an alarm, unless another alarm explains it. It runs before a new bundle replaces the current one."
    ),
)
def input_drift(home: HomeResource, warehouse: WarehouseResource) -> dg.MaterializeResult[None]:
    """Compare with the reference in the current bundle, write the table, note what is new and tell people."""
    settings = home.settings()
    reference = _published_reference(home.home())
    if reference is None:
        warehouse.write("input_drift", pa.Table.from_pylist([], schema=SCHEMA))
        return dg.MaterializeResult(
            metadata={"columns": 0, "reason": "no bundle with a reference is published yet"}
        )
    newest = read_newest(warehouse.read, reference.columns_of(USERS), reference.columns_of(ITEMS))
    window = newest.with_clicks(reference.items)
    drifts = compare_window(reference.columns, reference.trained_until, window, settings.monitoring)
    unknown = measure_unknown(reference, window)
    table = drift_table(drifts, unknown, reference, window)
    warehouse.write("input_drift", table)
    journal, now = Journal(home.home()), dt.datetime.now(dt.UTC)
    fresh = record_drift(journal, drifts, unknown.clicks, window, now, settings.monitoring)
    sent = tell_people(home.home(), settings, now)
    return dg.MaterializeResult(
        metadata={
            "columns": len(drifts),
            "unknown_people": unknown.people,
            "unknown_clicks": unknown.clicks,
            "largest_psi": max((drift.psi for drift in drifts), default=0.0),
            "drift": table_metadata(table.select(SHOWN), ".3g"),
            "new_alarms": len(fresh),
            "alerts_sent": len(sent),
            "plot": figure_metadata(plot_drift(drifts, settings.monitoring)),
        }
    )


def _published_reference(home: Home) -> Reference | None:
    bundle = find_current([home.published])
    return Reference.load(bundle / FOLDER) if bundle is not None else None

"""What experiments need of the warehouse and the home: definitions, tables and where the reports lie."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa

from ml.experiments.definition.definition import Experiment, ExperimentDefinitions
from ml.experiments.definition.definitions_file import load_experiments
from ml.home import Home
from ml.settings import Settings
from ml.site.definition_files import definition_file, editable_file
from orchestration.warehouse.warehouse import Warehouse, WarehouseMissingError


@dataclass(frozen=True)
class ExperimentTables:
    """Rows of one experiment; `as_of` is the time of the last activity that the warehouse knows."""

    exposures: pa.Table
    outcomes: pa.Table
    as_of: datetime


def definitions_file(home: Home, settings: Settings) -> Path:
    """The file of definitions that is in force."""
    return definition_file(home, settings.experiments.file)


def editable_definitions_file(home: Home, settings: Settings) -> Path:
    """The file of definitions that commands write to: the site's, or without a site the home's own copy."""
    return editable_file(home, settings.experiments.file)


def load_definitions(home: Home, settings: Settings) -> ExperimentDefinitions:
    """The checked definitions; raises ExperimentsFileError with every fault and its line."""
    return load_experiments(definitions_file(home, settings))


def read_mart(warehouse: Warehouse, name: str, condition: str = "true") -> pa.Table:
    """Rows of a mart; raises WarehouseMissingError, with what to do, where it was never built."""
    if name not in warehouse.tables():
        raise WarehouseMissingError(f"the warehouse has no table {name}: run `tessera materialize` first")
    return warehouse.read(f"select * from {name} where {condition}")


def read_tables(warehouse: Warehouse, experiment_id: str) -> ExperimentTables:
    """Read an experiment's rows; ids are checked at load, so they are safe inside a query."""
    return ExperimentTables(
        read_mart(warehouse, "exposures", f"experiment_id = '{experiment_id}'"),
        read_mart(warehouse, "experiment_outcomes", f"experiment_id = '{experiment_id}'"),
        last_activity(warehouse),
    )


def exposed_users(warehouse: Warehouse) -> dict[str, int]:
    """Number of people whom the warehouse has seen in each experiment; empty where it was never built."""
    if "exposures" not in warehouse.tables():
        return {}
    rows = warehouse.read("select experiment_id, count(distinct user_id) as users from exposures group by 1")
    return dict(zip(rows["experiment_id"].to_pylist(), rows["users"].to_pylist(), strict=True))


def last_activity(warehouse: Warehouse) -> datetime:
    """Time of the last activity of any user, in UTC."""
    found: datetime = warehouse.read("select max(last_seen_at) as at from users")["at"][0].as_py()
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found


def report_folder(home: Home, experiment_id: str) -> Path:
    """Folder of an experiment's report and plots."""
    return home.reports / "experiments" / experiment_id


def is_due(experiment: Experiment, experiments: ExperimentDefinitions, as_of: datetime) -> bool:
    """Whether an analysis can still change: it has begun, and the last unit has not seen its longest window."""
    longest = max(experiments.metrics[name].end_day or 0 for name in experiment.metric_names)
    return experiment.starts_at <= as_of < experiment.ends_at + timedelta(days=longest + 1)

"""Read what experiments need: definitions, tables of the warehouse and the folders of reports."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa

from ml.console.tables import CONSOLE_TABLES
from ml.errors import InvalidInputError
from ml.experiments.definition.definition import Experiment, ExperimentDefinitions
from ml.experiments.definition.definitions_file import load_experiments
from ml.experiments.definition.metrics import MEASURES, Metric
from ml.experiments.definition.usable_definitions import UsableDefinitions, load_usable_experiments
from ml.experiments.design.published_baselines import describe_baseline, describe_fault
from ml.home import Home
from ml.settings import Settings
from ml.site.definition_files import definition_file, editable_file
from orchestration.warehouse.warehouse import Warehouse, WarehouseMissingError


@dataclass(frozen=True)
class ExperimentTables:
    """Rows of an experiment.

    Attributes:
        exposures: rows of the mart `exposures`.
        outcomes: rows of the mart `experiment_outcomes`.
        as_of: time of the last activity in the warehouse.
    """

    exposures: pa.Table
    outcomes: pa.Table
    as_of: datetime


def definitions_file(home: Home, settings: Settings) -> Path:
    """Return the file of definitions that is in force."""
    return definition_file(home, settings.experiments.file)


def editable_definitions_file(home: Home, settings: Settings) -> Path:
    """Return the file of definitions that commands write to: the site's, or else the home's own copy."""
    return editable_file(home, settings.experiments.file)


def load_definitions(home: Home, settings: Settings) -> ExperimentDefinitions:
    """Load the checked definitions; raises ExperimentsFileError with every fault and its line."""
    return load_experiments(definitions_file(home, settings))


def load_usable_definitions(home: Home, settings: Settings) -> UsableDefinitions:
    """Load the definitions without those that have a fault; raises ExperimentsFileError for another fault."""
    return load_usable_experiments(definitions_file(home, settings))


def read_mart(warehouse: Warehouse, name: str, condition: str = "true") -> pa.Table:
    """Read rows of a mart; raises WarehouseMissingError if the mart was not built yet."""
    if name not in warehouse.tables():
        raise WarehouseMissingError(f"the warehouse has no table {name}: run `tessera materialize` first")
    return warehouse.read(f"select * from {name} where {condition}")


def read_tables(warehouse: Warehouse, experiment_id: str) -> ExperimentTables:
    """Read the rows of an experiment. Ids are checked when they are loaded, so they are safe within a query."""
    return ExperimentTables(
        read_mart(warehouse, "exposures", f"experiment_id = '{experiment_id}'"),
        read_mart(warehouse, "experiment_outcomes", f"experiment_id = '{experiment_id}'"),
        last_activity(warehouse),
    )


def measure_baselines(warehouse: Warehouse, metrics: Mapping[str, Metric], history_days: int) -> pa.Table:
    """Measure the history of each metric as `tessera experiment design` does, or say why it cannot be planned.

    Returns:
        The rows of the console's table `experiment_baselines`.
    """
    from ml.experiments.analysis.baseline import HistoryError, measure_baseline  # noqa: PLC0415  slow to load

    longest = max((metric.covariate_days for metric in metrics.values()), default=0)
    # A replay reads its days, the covariates' days before them, and which day was the first of all.
    days = warehouse.read(
        f"""
            select user_id, date, {", ".join(MEASURES)} from user_days
            where date > (select max(date) from user_days) - {history_days + longest}
                or date = (select min(date) from user_days)
        """
    )
    ids = days["user_id"].combine_chunks().dictionary_encode()
    days = days.set_column(0, "user_id", ids)
    rows = []
    for name, metric in metrics.items():
        try:
            rows.append(describe_baseline(name, measure_baseline(metric, days, history_days)))
        except (HistoryError, InvalidInputError) as error:
            rows.append(describe_fault(name, metric, str(error)))
    return pa.Table.from_pylist(rows, schema=CONSOLE_TABLES["experiment_baselines"].schema)


def exposed_users(warehouse: Warehouse) -> dict[str, int]:
    """Count the people who were exposed to each experiment; empty if the warehouse was never built."""
    if "exposures" not in warehouse.tables():
        return {}
    rows = warehouse.read("select experiment_id, count(distinct user_id) as users from exposures group by 1")
    return dict(zip(rows["experiment_id"].to_pylist(), rows["users"].to_pylist(), strict=True))


def last_activity(warehouse: Warehouse) -> datetime:
    """Return the time of the last activity of any user, in UTC."""
    moment: datetime = warehouse.read("select max(last_seen_at) as at from users")["at"][0].as_py()
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment


def report_folder(home: Home, experiment_id: str) -> Path:
    """Return the folder of an experiment's report and plots."""
    return home.reports / "experiments" / experiment_id


def is_final(experiment: Experiment, definitions: ExperimentDefinitions, as_of: datetime) -> bool:
    """Return whether an analysis cannot change any more: all units were observed for the longest window."""
    return as_of >= experiment.ends_at + timedelta(days=_longest_window(experiment, definitions) + 1)


def fingerprint_analysis(
    warehouse: Warehouse, experiment: Experiment, definitions: ExperimentDefinitions, settings: Settings
) -> str:
    """Return a digest of all that an analysis depends on, so that a final one is made anew when that changes.

    These are the definition with its metrics, the settings of analyses, the exposures and the outcomes of the days
    that count: late events, an erased person or a mended definition change the digest, a later visit does not.
    """
    metrics = [definitions.metrics[name].model_dump_json() for name in experiment.metric_names]
    days = max(_longest_window(experiment, definitions), (experiment.ends_at - experiment.starts_at).days + 1)
    condition = f"experiment_id = '{experiment.id}'"
    parts = [
        experiment.model_dump_json(),
        *metrics,
        settings.experiments.model_dump_json(),
        _digest_rows(warehouse, "exposures", condition),
        _digest_rows(warehouse, "experiment_outcomes", f"{condition} and day < {days}"),
    ]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def _digest_rows(warehouse: Warehouse, table: str, condition: str) -> str:
    """Return the number of rows and a sum of their hashes, which does not depend on their order."""
    digest = "count(*) as n, cast(sum(hash(entry)) as varchar) as digest"
    rows = warehouse.read(f"select {digest} from {table} as entry where {condition}")
    return f"{rows['n'][0]} {rows['digest'][0]}"


def _longest_window(experiment: Experiment, definitions: ExperimentDefinitions) -> int:
    """Return the days of the longest window of an experiment's metrics."""
    return max(definitions.metrics[name].end_day or 0 for name in experiment.metric_names)

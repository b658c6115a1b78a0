"""What assets are given: the home with its settings, the warehouse, the registry and dbt."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import dagster as dg
import pyarrow as pa
from dagster_dbt import DbtCliInvocation, DbtCliResource
from dagster_dbt.errors import DagsterDbtCliRuntimeError
from packaging.version import Version

from ml.events.log import EventLog
from ml.home import Home, protect_new_files, replace_file
from ml.settings import Settings, load_site_settings
from ml.site.definition_files import HOME_VARIABLE, read_home
from ml.site.exchange_rates import publish_exchange_rates
from orchestration.product_files import DBT_PROJECT_FOLDER, default_home
from orchestration.runtime.instance import FULL_REFRESH
from orchestration.warehouse.dbt_logs import leave_variables_out_of_logs
from orchestration.warehouse.dbt_project import (
    DBT_EXECUTABLE,
    PIPELINE_TARGET,
    DbtError,
    dbt_target,
    dbt_variables,
    definition_fingerprint,
)
from orchestration.warehouse.warehouse import Warehouse

if TYPE_CHECKING:
    from ml.registry.registry import Registry

# Unit tests speak of logic, which does not change from night to night: the test suite runs them. Nobody reads the
# manifest of a build, since Dagster has the one that it was given.
BUILD = ("build", "--exclude-resource-type", "unit_test", "--no-write-json")
_DBT_ERRORS = "Errors parsed from dbt logs:"  # before it stands the command with all its variables


class HomeResource(dg.ConfigurableResource):  # type: ignore[type-arg]
    """The one folder that holds all that a run writes, and the settings of the run."""

    path: str | None = None

    def home(self) -> Home:
        """`path` if it is set, else TESSERA_HOME, else the default, with the site that TESSERA_SITE names."""
        given = {HOME_VARIABLE: self.path} if self.path else {}
        return read_home({**os.environ, **given}, default_home())

    def settings(self) -> Settings:
        """The settings of the home's site, checked."""
        return load_site_settings(self.home()).settings

    def event_log(self) -> EventLog:
        """The append-only log below this home."""
        return EventLog(self.home())


class WarehouseResource(dg.ConfigurableResource):  # type: ignore[type-arg]
    """The DuckDB file. A run holds its writer's lock from its first step to its last."""

    home: HomeResource

    def setup_for_execution(self, context: dg.InitResourceContext) -> None:
        """Take the lock for the whole run; a second run fails here, told who has it."""
        run = context.run
        self.get().take(f"run {run.run_id[:8]} ({run.job_name})" if run else "a run without a name")

    def teardown_after_execution(self, context: dg.InitResourceContext) -> None:
        """Give the lock back."""
        self.get().lock.release()

    def get(self) -> Warehouse:
        """The warehouse of this home."""
        return Warehouse(self.home.home().warehouse)

    def read(self, table_or_sql: str) -> pa.Table:
        """A table's rows, or a query's."""
        return self.get().read(table_or_sql)

    def write(self, table_name: str, rows: pa.Table) -> None:
        """Replace the table by the rows."""
        self.get().write(table_name, rows)

    @contextmanager
    def writing(self, holder: str) -> Iterator[None]:
        """Hold the writer's lock; `holder` says what for. DuckDB is closed, so that dbt may open it inside."""
        with self.get().writing(holder):
            yield


class RegistryResource(dg.ConfigurableResource):  # type: ignore[type-arg]
    """MLflow: runs, models and the champion."""

    home: HomeResource

    def get(self) -> Registry:
        """The registry of this home; MLflow is loaded only now, since Dagster's pages start without it."""
        from ml.registry.registry import Registry  # noqa: PLC0415

        home = self.home.home()
        return Registry(home.mlflow_uri, home.artifacts)


class WarehouseDbt(DbtCliResource):
    """dbt on the warehouse of the home, with the settings as `--vars`."""

    home: HomeResource

    def cli(
        self, args: Sequence[str], *, variables: Mapping[str, Any] | None = None, **options: Any
    ) -> DbtCliInvocation:
        """Run dbt in the home; `variables` join those of the settings."""
        os.environ["TESSERA_HOME"] = str(self.home.home().path)
        leave_variables_out_of_logs()
        values = {**dbt_variables(self.home.settings()), **(variables or {})}
        return super().cli([*args, "--vars", json.dumps(values)], **options)

    def run(self, args: Sequence[str], context: dg.AssetExecutionContext) -> Iterator[Any]:
        """Run dbt on the models that `context` selects, and yield the events of Dagster.

        Raises:
            DbtError: A model or a test failed; the message holds what dbt says about it.
        """
        with dbt_target(self.home.home()) as folder:
            try:
                yield from self.cli(args, context=context, target_path=folder).stream()
            except DagsterDbtCliRuntimeError as error:
                raise DbtError(str(error).split(_DBT_ERRORS, 1)[-1].strip()) from None

    def build(self, context: dg.AssetExecutionContext) -> Iterator[Any]:
        """Build the models that `context` selects, incrementally where the tables allow it.

        They do not after a change of the SQL or of its settings, since tables that mix two definitions would be
        wrong, nor where a full refresh was asked for. The record of what the tables were built by is written last,
        so that a killed refresh is done again as a whole.
        """
        home, settings = self.home.home(), self.home.settings()
        knobs = settings.warehouse
        publish_exchange_rates(home, knobs.exchange_rates_file, knobs.currency, knobs.exchange_rate_days)
        record = home.path / "dbt" / "built_by.sha256"
        definition = definition_fingerprint(settings)
        built_by = record.read_text(encoding="utf-8") if record.exists() else None
        refresh = built_by != definition or FULL_REFRESH in context.run.tags
        if refresh:
            record.unlink(missing_ok=True)
        yield from self.run([*BUILD, *(["--full-refresh"] if refresh else [])], context)
        if not context.is_subset:
            replace_file(record, definition.encode())

    def _initialize_dbt_core_adapter(self, args: Sequence[str]) -> Any:
        """Return none: it serves row counts and columns alone, and would parse all macros of dbt here."""
        return None

    @property
    def _cli_version(self) -> Version:
        """The installed version, without the seconds that asking the dbt command takes."""
        return Version(version("dbt-core"))


@dg.definitions
def resources() -> dg.Definitions:
    """The resources under the names that assets ask for, and one process a run.

    The steps follow one another anyway; in one process they share the lock and what they import.
    """
    protect_new_files()  # Dagster also loads this without the command line
    home = HomeResource()
    return dg.Definitions(
        executor=dg.in_process_executor,
        resources={
            "home": home,
            "warehouse": WarehouseResource(home=home),
            "registry": RegistryResource(home=home),
            "dbt": WarehouseDbt(
                home=home,
                project_dir=str(DBT_PROJECT_FOLDER),
                target=PIPELINE_TARGET,
                dbt_executable=str(DBT_EXECUTABLE),
            ),
        },
    )

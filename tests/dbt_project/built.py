"""A warehouse in a temporary home: events go into its log, dbt builds in this process, tables come out as rows."""

from __future__ import annotations

import datetime as dt
import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pyarrow as pa
from dbt.adapters.duckdb.connections import DuckDBConnectionManager
from dbt.cli.main import dbtRunner
from dbt.contracts.graph.manifest import Manifest

from ml.events.contract import EVENT_SCHEMA
from ml.events.log import EventLog
from ml.home import Home
from ml.settings import load_settings
from ml.sources.catalogue import ITEM_SCHEMA, Catalogue
from orchestration.product_files import DBT_PROJECT_FOLDER
from orchestration.warehouse.warehouse import open_duckdb

START = dt.datetime(2026, 3, 2, 9, 0, tzinfo=dt.UTC)  # a Monday
VARIABLES = load_settings().warehouse.model_dump(mode="json")


def event(minute: float, event_type: str = "page_view", **fields: Any) -> dict[str, Any]:
    """An event `minute` minutes after START; its id is made of what it says, unless one is given."""
    occurred_at = START + dt.timedelta(minutes=minute)
    properties = fields.pop("properties", None)
    row: dict[str, Any] = dict.fromkeys(EVENT_SCHEMA.names)
    row |= {"event_type": event_type, "occurred_at": occurred_at, "received_at": occurred_at, "source": "test"}
    row |= {
        "consent": ["analytics", "personalization"],
        "properties": json.dumps(properties) if properties else None,
    }
    row |= {"event_id": f"{event_type} {minute} {sorted(fields.items())} {properties}"}
    return row | fields


@dataclass
class Built:
    """A home with its warehouse."""

    home: Home
    manifest: Manifest
    project: Path = DBT_PROJECT_FOLDER
    increments: int = 0

    def run(self, arguments: list[str]) -> Any:
        """A command of dbt; raises `AssertionError` that names what failed."""
        return invoke_dbt(arguments, self.home.path / "dbt", self.home, self.manifest, self.project)

    def copy(self, folder: Path) -> Built:
        """The same home and warehouse in another folder, to go on from here without a change to this one."""
        return replace(self, home=Home(shutil.copytree(self.home.path, folder)))

    def ingest(self, *events: Mapping[str, Any]) -> None:
        """Seal one more part that holds the events."""
        self.increments += 1
        with EventLog(self.home).ingest("test", str(self.increments)) as writer:
            writer.write(pa.Table.from_pylist(list(events), schema=EVENT_SCHEMA))

    def describe(self, **items: Mapping[str, Any]) -> None:
        """Append a snapshot of items to the catalogue; the names are the ids."""
        blank = dict.fromkeys(ITEM_SCHEMA.names) | {"updated_at": START}
        rows = [blank | {"item_id": item_id} | dict(facts) for item_id, facts in items.items()]
        Catalogue(self.home).append(pa.Table.from_pylist(rows, schema=ITEM_SCHEMA))

    def build(self, *models: str, full: bool = False) -> None:
        """`dbt run` of the models and of all that they are made of, incrementally unless `full`.

        Without names it builds the whole project, which takes twice as long as the mart `users`: a test names
        what it reads, unless its point is that everything builds.
        """
        selection = ["--select", *(f"+{model}" for model in models)] if models else []
        self.run(["run", *(["--full-refresh"] if full else []), *selection])

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """Rows of a query."""
        with open_duckdb(self.home.warehouse, read_only=True) as connection:
            return connection.sql(query).fetchall()

    def row(self, query: str) -> dict[str, Any]:
        """The only row of a query, by column."""
        with open_duckdb(self.home.warehouse, read_only=True) as connection:
            relation = connection.sql(query)
            (only,) = relation.fetchall()
            return dict(zip(relation.columns, only, strict=True))


def parsed_project(folder: Path, project: Path = DBT_PROJECT_FOLDER) -> Manifest:
    """The project's manifest, parsed in `folder`."""
    return invoke_dbt(["parse"], folder, Home(folder), project=project)


def warehouse_in(folder: Path, manifest: Manifest, project: Path = DBT_PROJECT_FOLDER) -> Built:
    """The same for tests that need several homes, another project, or a home that holds something already."""
    home = Home(folder)
    home.path.mkdir(parents=True, exist_ok=True)
    return Built(home, manifest, project)


def invoke_dbt(
    arguments: list[str],
    target: Path,
    home: Home,
    manifest: Manifest | None = None,
    project: Path = DBT_PROJECT_FOLDER,
) -> Any:
    """Run dbt in this process on the home; raises `AssertionError` that names what failed."""
    folders = ["--project-dir", project, "--profiles-dir", project]
    folders += ["--target-path", target, "--log-path", target]
    # What a run writes beside its tables costs a third of its time, and no test reads it.
    quiet = ["--quiet", "--no-use-colors", "--no-write-json", "--log-level-file", "none"]
    quiet += ["--vars", json.dumps(VARIABLES)]
    before = os.environ.get("TESSERA_HOME")
    os.environ["TESSERA_HOME"] = str(home.path)
    try:
        outcome = dbtRunner(manifest=manifest).invoke([*arguments, *map(str, folders), *quiet])
    finally:
        DuckDBConnectionManager.close_all_connections()
        os.environ.pop("TESSERA_HOME")
        if before is not None:
            os.environ["TESSERA_HOME"] = before
    if not outcome.success:
        failed = [
            node.message for node in getattr(outcome.result, "results", []) if node.status in ("error", "fail")
        ]
        raise AssertionError(f"dbt {' '.join(arguments)}: {outcome.exception or failed}")
    return outcome.result

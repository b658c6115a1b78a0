"""A warehouse in a temporary home: events go into its log, dbt builds in this process, tables come out as rows."""

from __future__ import annotations

import datetime as dt
import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
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
    run: Callable[[list[str]], Any]
    increments: int = field(default=0)

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

    def build(self, *, full: bool = False, select: str | None = None) -> None:
        """`dbt run`, incrementally unless `full`."""
        arguments = ["run", *(["--full-refresh"] if full else []), *(["--select", select] if select else [])]
        self.run(arguments)

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

    def run(arguments: list[str]) -> Any:
        return invoke_dbt(arguments, home.path / "dbt", home, manifest, project)

    return Built(home, run)


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

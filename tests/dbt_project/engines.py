"""The same models built by DuckDB and by Spark, and where the rows of a model differ."""

from __future__ import annotations

import datetime as dt
import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dbt.contracts.graph.manifest import Manifest

from tests.dbt_project.built import Built, invoke_dbt

OPTIONS = {
    "spark.sql.catalogImplementation": "in-memory",
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.shuffle.partitions": "1",
    "spark.ui.enabled": "false",
    # The rows are few: interpreting each plan once is quicker than compiling it, in Spark and in the JVM.
    "spark.sql.codegen.wholeStage": "false",
    "spark.sql.codegen.factoryMode": "NO_CODEGEN",
    "spark.sql.adaptive.enabled": "false",
    "spark.driver.extraJavaOptions": "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC",
}
# Each engine hashes differently: keys of sessions are compared by what they identify, the others not at all.
HASHES = {"event_key", "bucket_key", "content"}
SESSIONS = """
    select session_key, device_id, person_id, min(started_at), min(trusted_session_id)
    from {} group by session_key, device_id, person_id
"""
TOLERANCE = 1e-9


@dataclass
class Engines:
    """A home whose models stand in DuckDB, and in the database `tessera` of a Spark session."""

    warehouse: Built
    session: Any
    spark_manifest: Manifest

    def run_on_spark(self, arguments: list[str]) -> Any:
        """A command of dbt on the target `spark`; raises `AssertionError` that names what failed."""
        target = self.warehouse.home.path / "spark" / "dbt"
        return invoke_dbt([*arguments, "--target", "spark"], target, self.warehouse.home, self.spark_manifest)

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """Rows of a query to Spark."""
        return [tuple(row) for row in self.session.sql(query).collect()]

    def differences(self, model: str, on_duckdb: str, on_spark: str) -> tuple[int, list[str]]:
        """Compare two relations row by row, as sets in which a row may stand several times.

        Args:
            model: Their name in the messages.
            on_duckdb: The relation in DuckDB.
            on_spark: The relation in Spark, with the same columns.

        Returns:
            The number of rows in DuckDB, and a sentence for each difference.
        """
        frame = self.session.sql(f"select * from {on_spark}")
        columns = sorted(set(frame.columns) - HASHES)
        ours = self.warehouse.rows(f"select {', '.join(columns)} from {on_duckdb}")
        theirs = [tuple(row) for row in frame.select(columns).collect()]
        natural_keys = self._natural_keys() if "session_key" in columns else ({}, {})
        pairs = [_in_order(columns, rows, keys) for rows, keys in zip((ours, theirs), natural_keys, strict=True)]
        if len(ours) != len(theirs):
            return len(ours), [f"{model}: {len(ours)} rows in DuckDB, {len(theirs)} in Spark"]
        return len(ours), [
            f"{model}.{column}: {one!r} in DuckDB, {other!r} in Spark"
            for left, right in zip(*pairs, strict=True)
            for column, one, other in zip(columns, left, right, strict=True)
            if not _is_same(one, other)
        ]

    def _natural_keys(self) -> tuple[dict[int, str], dict[int, str]]:
        """What each engine's keys of sessions stand for."""
        on_duckdb = self.warehouse.rows(SESSIONS.format("intermediate.int_session_buckets"))
        on_spark = self.rows(SESSIONS.format("tessera.int_session_buckets"))
        by_key = [
            {key: repr([_plain(cell) for cell in row]) for key, *row in rows} for rows in (on_duckdb, on_spark)
        ]
        return by_key[0], by_key[1]


def parsed_for_spark(folder: Path, built: Built) -> Manifest:
    """The project's manifest for the target `spark`, parsed in `folder`."""
    return invoke_dbt(["parse", "--target", "spark"], folder, built.home, project=built.project)


def _in_order(columns: list[str], rows: list[Any], sessions: dict[int, str]) -> list[list[Any]]:
    plain = [
        [
            sessions[cell] if name == "session_key" else _plain(cell)
            for name, cell in zip(columns, row, strict=True)
        ]
        for row in rows
    ]
    # Numbers come last, and not to their last digit, so that the order is the same on both sides.
    return sorted(
        plain,
        key=lambda row: (
            repr([cell for cell in row if not isinstance(cell, float)]),
            [f"{cell:.6g}" for cell in row if isinstance(cell, float)],
        ),
    )


def _plain(cell: Any) -> Any:
    """One spelling for both engines: naive UTC, JSON by its values, maps in the order of their keys."""
    if isinstance(cell, dt.datetime):
        return cell.astimezone(dt.UTC).replace(tzinfo=None) if cell.tzinfo else cell
    if isinstance(cell, dict):
        return sorted((key, _plain(value)) for key, value in cell.items())
    if isinstance(cell, list | tuple):
        return [_plain(item) for item in cell]
    if isinstance(cell, str) and cell[:1] in ("[", "{"):
        try:
            return _plain(json.loads(cell))
        except ValueError:
            return cell
    return cell


def _is_same(one: Any, other: Any) -> bool:
    if isinstance(one, list | tuple) and isinstance(other, list | tuple):
        return len(one) == len(other) and all(map(_is_same, one, other))
    if type(one) is not type(other):
        return False
    if isinstance(one, float):
        return one == other or math.isclose(one, other, rel_tol=TOLERANCE)
    return bool(one == other)

"""All marts from 2 million simulated events by Spark and by DuckDB, from nothing, and how many rows differ."""

from __future__ import annotations

import json
import math
import os
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from figure import Figure, in_own_process
from simulated_warehouse import copied_site, kept_site, run_dbt

from ml.settings import load_settings
from orchestration.product_files import DBT_PROJECT_FOLDER
from orchestration.warehouse.warehouse import open_duckdb

EVENTS = 2_000_000
OPTIONS = {
    "spark.sql.catalogImplementation": "in-memory",
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.shuffle.partitions": "8",
    "spark.driver.memory": "8g",
    "spark.ui.enabled": "false",
}
# Each engine hashes differently: a session is compared by its id.
SESSION_OF = "(select named.session_id from {} as named where named.session_key = rows.session_key)"
TOLERANCE = 1e-9


def measure(size: float) -> Iterator[Figure]:
    """Events a second on two cores, the start of dbt and of Spark included, and rows of marts that differ."""
    with tempfile.TemporaryDirectory(prefix="tessera-spark-") as folder:
        home = copied_site(kept_site(int(EVENTS * size)), Path(folder)).path
        built = in_own_process(build_on_duckdb, home)
        sparked = in_own_process(build_on_spark, home)
        events, duckdb_cpu = built.result
        marts, spark_cpu = sparked.result
        yield Figure(
            "spark_marts", events / sparked.seconds, "events/s",
            rival="DuckDB", rival_value=events / built.seconds,
            ratio=built.seconds / sparked.seconds, rows=events, seconds=sparked.seconds, peak_mib=sparked.peak_mib,
        )  # fmt: skip
        yield Figure(
            "spark_marts: CPU time", spark_cpu, "s", rival="DuckDB", rival_value=duckdb_cpu,
            ratio=spark_cpu / duckdb_cpu,
        )  # fmt: skip
        different = {name: rows for name in marts if (rows := differing_rows(home, name, marts[name]))}
        name = f"spark_marts: rows that differ in {len(marts)} marts {different or ''}".strip()
        yield Figure(name, sum(different.values()), "rows")


def build_on_duckdb(home: Path) -> tuple[int, float]:
    """Events in the log, and the CPU seconds of the build."""
    return run_dbt(home, "run", "--full-refresh"), time.process_time()


def build_on_spark(home: Path) -> tuple[dict[str, Path], float]:
    """The folders of Parquet to which the marts were written after the build, and the CPU seconds of the build."""
    from dbt.cli.main import dbtRunner
    from pyspark.sql import SparkSession

    folder = home / "spark"
    options = OPTIONS | {"spark.sql.warehouse.dir": str(folder / "tables"), "spark.local.dir": str(folder)}
    session = SparkSession.builder.master("local[2]").config(map=options).getOrCreate()
    os.environ["TESSERA_HOME"] = str(home)
    folders = ["--project-dir", DBT_PROJECT_FOLDER, "--profiles-dir", DBT_PROJECT_FOLDER]
    folders += ["--target-path", folder / "dbt", "--log-path", folder / "dbt"]
    variables = load_settings().warehouse.model_dump_json()
    outcome = dbtRunner().invoke(["run", "--target", "spark", *map(str, folders), "--quiet", "--vars", variables])
    if not outcome.success:
        failed = [node.message for node in getattr(outcome.result, "results", []) if node.status == "error"]
        raise RuntimeError(f"dbt on Spark: {outcome.exception or failed}")
    machine = session.sparkContext._jvm.java.lang.management.ManagementFactory.getOperatingSystemMXBean()
    cpu = time.process_time() + machine.getProcessCpuTime() / 1e9
    nodes = [done.node for done in outcome.result.results]
    marts = [node.name for node in nodes if node.fqn[1] in ("marts", "segmented")]
    for name in marts:
        session.table(f"tessera.{name}").write.parquet(str(folder / "marts" / name))
    return {name: folder / "marts" / name for name in marts}, cpu


def differing_rows(home: Path, mart: str, folder: Path) -> int:
    """The rows of a mart that one engine has and the other has not; numbers may differ by 1e-9 of their size."""
    with open_duckdb(home / "warehouse.duckdb", read_only=True) as connection:
        sessions = {mart: "sessions", folder: f"read_parquet('{folder.parent}/sessions/*.parquet')"}
        tables = {mart: mart, folder: f"read_parquet('{folder}/*.parquet')"}
        types = {name: kind for name, kind, *_ in connection.sql(f"describe {mart}").fetchall()}
        queries = []
        for engine, table in tables.items():
            kinds = {name: kind for name, kind, *_ in connection.sql(f"describe {table}").fetchall()}
            columns = [
                SESSION_OF.format(sessions[engine]) if name == "session_key"
                else f"rows.{name} at time zone 'UTC'" if kinds[name] == "TIMESTAMP WITH TIME ZONE"
                else f"cast(rows.{name} as {kind})"
                for name, kind in types.items()
            ]  # fmt: skip
            queries.append(f"select {', '.join(columns)} from {table} as rows")
        ours, theirs = queries
        left = sorted(connection.sql(f"({ours}) except all ({theirs})").fetchall(), key=_place)
        right = sorted(connection.sql(f"({theirs}) except all ({ours})").fetchall(), key=_place)
    equal = sum(_is_same(one, other) for one, other in zip(left, right, strict=False))
    return max(len(left), len(right)) - equal


def _place(row: tuple[Any, ...]) -> str:
    return repr([cell for cell in row if not isinstance(cell, float)])


def _is_same(one: Any, other: Any) -> bool:
    if isinstance(one, dict):
        one, other = list(one.items()), list(other.items())
    if isinstance(one, str) and one != other and other is not None:
        return one[:1] in ("[", "{") and _is_same(json.loads(one), json.loads(other))
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(map(_is_same, one, other))
    return one == other or (isinstance(one, float) and math.isclose(one, other, rel_tol=TOLERANCE))

"""Staging and intermediate models say on Spark what they say on DuckDB, row for row."""

from __future__ import annotations

import datetime as dt
import importlib.util
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from dbt.contracts.graph.manifest import Manifest

from ml.events.log import EventLog
from tests.dbt_project import test_attention, test_visits
from tests.dbt_project.built import Built, invoke_dbt, warehouse_in
from tests.dbt_project.people import EVENTS, ITEMS

MISSING = [
    requirement
    for requirement, installed in (
        ("pyspark and dbt-spark (the extra `spark`)", importlib.util.find_spec("pyspark")),
        ("Java", shutil.which("java")),
    )
    if not installed
]
pytestmark = pytest.mark.skipif(bool(MISSING), reason=f"{' and '.join(MISSING)} missing: `make extras`")

MODELS = ["staging", "intermediate"]
# Each engine hashes differently: keys of sessions are compared by what they identify, the others not at all.
HASHES = {"event_key", "bucket_key", "content", "session_key"}


@pytest.fixture(scope="module")
def warehouse(tmp_path_factory: pytest.TempPathFactory, manifest: Manifest) -> Built:
    """The log of `people` in two parts with a repeat across them, and of visits and views, modelled by DuckDB."""
    built = warehouse_in(tmp_path_factory.mktemp("engines") / "home", manifest)
    built.describe(**ITEMS)
    half = len(EVENTS) // 2
    built.ingest(*EVENTS[:half])
    built.ingest(*EVENTS[half:], {**EVENTS[0], "value": 3.0})
    built.ingest(*test_visits.FIRST, *test_visits.SECOND, *test_attention.FIRST, *test_attention.SECOND_PART)
    built.run(["run", "--select", *MODELS])
    return built


@pytest.fixture(scope="module")
def spark(warehouse: Built) -> Iterator[Any]:
    """A local session in which dbt has built the same models from the same log."""
    from pyspark.sql import SparkSession

    folder = warehouse.home.path / "spark"
    options = {
        "spark.sql.catalogImplementation": "in-memory",
        "spark.sql.warehouse.dir": str(folder),
        "spark.sql.session.timeZone": "UTC",
        "spark.sql.shuffle.partitions": "1",
        "spark.ui.enabled": "false",
        # The rows are few: interpreting each plan once is quicker than compiling it, in Spark and in the JVM.
        "spark.sql.codegen.wholeStage": "false",
        "spark.sql.codegen.factoryMode": "NO_CODEGEN",
        "spark.sql.adaptive.enabled": "false",
        "spark.driver.extraJavaOptions": "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC",
    }
    session = SparkSession.builder.master("local[1]").config(map=options).getOrCreate()
    invoke_dbt(["run", "--target", "spark", "--select", *MODELS], folder / "dbt", warehouse.home)
    yield session
    session.stop()


def test_the_engines_agree_row_for_row(warehouse: Built, spark: Any, manifest: Manifest) -> None:
    models = [
        node
        for node in manifest.nodes.values()
        if node.resource_type == "model" and node.fqn[1] in MODELS and not node.name.endswith("_touched")
    ]
    sessions = "select session_key, device_id, person_id, started_at from {}int_session_buckets"
    on_duckdb = {row[0]: row[1:] for row in warehouse.rows(sessions.format("intermediate."))}
    on_spark = {row[0]: tuple(row[1:]) for row in spark.sql(sessions.format("tessera.")).collect()}
    compared = 0
    for model in models:
        frame = spark.sql(f"select * from tessera.{model.name}")
        columns = sorted(frame.columns)
        ours = warehouse.rows(f"select {', '.join(columns)} from {model.schema}.{model.name}")
        theirs = frame.select(columns).collect()
        assert plain(columns, theirs, on_spark) == plain(columns, ours, on_duckdb), model.name
        compared += len(ours)
    assert compared > 0


def test_a_home_without_a_catalogue_has_no_items(tmp_path: Path, spark: Any, manifest: Manifest) -> None:
    built = warehouse_in(tmp_path / "home", manifest)
    built.ingest(EVENTS[0])
    models = ["stg_item_descriptions", "stg_items"]
    invoke_dbt(["run", "--target", "spark", "--select", *models], tmp_path / "dbt", built.home)
    assert spark.sql("select count(*) from tessera.stg_items").collect()[0][0] == 0


def test_a_log_whose_parts_all_lack_a_new_column_is_read(tmp_path: Path, spark: Any, manifest: Manifest) -> None:
    built = warehouse_in(tmp_path / "home", manifest)
    built.ingest(EVENTS[0])
    log = EventLog(built.home)
    (part,) = log.parts()
    path = log.folder / part.path
    pq.write_table(pq.read_table(path).drop_columns(["authority"]), path)
    models = [
        "stg_event_parts",
        "stg_event_keys",
        "stg_event_repeat_candidates",
        "stg_event_repeats",
        "stg_events",
    ]
    invoke_dbt(["run", "--target", "spark", "--select", *models], tmp_path / "dbt", built.home)
    rows = spark.sql("select user_id, authority from tessera.stg_events").collect()
    assert [tuple(row) for row in rows] == [("silent", "server")]


def plain(columns: list[str], rows: list[Any], sessions: dict[int, Any]) -> list[str]:
    """Rows as text, sorted, sessions under their natural keys."""
    kept = [(name, place) for place, name in enumerate(columns) if name not in HASHES]
    key = columns.index("session_key") if "session_key" in columns else None
    return sorted(
        repr(
            [sessions[row[key]] if key is not None else None, *((name, value(row[place])) for name, place in kept)]
        )
        for row in rows
    )


def value(cell: Any) -> Any:
    """One spelling for both engines: naive UTC, floats as far as they are rounded, maps in the order of keys."""
    if isinstance(cell, dt.datetime):
        return cell.astimezone(dt.UTC).replace(tzinfo=None) if cell.tzinfo else cell
    if isinstance(cell, dict):
        return sorted(cell.items())
    if isinstance(cell, list):
        return [value(item) for item in cell]
    return round(float(cell), 6) if isinstance(cell, int | float) and not isinstance(cell, bool) else cell

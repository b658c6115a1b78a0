"""The DuckDB file and its one writer."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest

from orchestration.warehouse.warehouse import Warehouse, WarehouseBusyError, WarehouseMissingError

HOLD = """
import sys, time
from pathlib import Path
from orchestration.warehouse.warehouse import Warehouse
with Warehouse(Path(sys.argv[1])).writing("a nightly run"):
    print("held", flush=True)
    time.sleep(60)
"""
OPEN = "import sys, time, duckdb; c = duckdb.connect(sys.argv[1]); print('open', flush=True); time.sleep(60)"


@pytest.fixture
def warehouse(tmp_path: Path) -> Warehouse:
    return Warehouse(tmp_path / "warehouse.duckdb")


def start(code: str, warehouse: Warehouse, **environment: str) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", code, str(warehouse.path)],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[3]), **environment},
    )
    assert process.stdout is not None
    process.stdout.readline()
    return process


def test_a_written_table_reads_back_and_a_second_write_replaces_it(warehouse: Warehouse) -> None:
    warehouse.write("user_segments", pa.table({"user_id": ["a", "b"], "segment": [0, 1]}))
    rows = pa.table({"user_id": ["c"], "segment": [2]})
    warehouse.write("user_segments", rows)
    assert warehouse.read("user_segments").to_pylist() == [{"user_id": "c", "segment": 2}]
    assert warehouse.read("select count(*) as n from user_segments").to_pylist() == [{"n": 1}]
    assert warehouse.tables() == ["user_segments"]


def test_what_a_table_and_its_columns_mean_is_written_beside_them(warehouse: Warehouse) -> None:
    warehouse.write("user_segments", pa.table({"user_id": ["a"], "membership_12": [1.0]}))
    warehouse.write("candidate_models", pa.table({"ndcg_at_10": [0.1], "worst_segment_ndcg_at_5": [0.1]}))
    comments = warehouse.read("select column_name, comment from duckdb_columns() where not internal").to_pylist()
    assert {row["column_name"]: row["comment"].split(" ")[0] for row in comments} == {
        "user_id": "The",
        "membership_12": "Probability",
        "ndcg_at_10": "Normalized",
        "worst_segment_ndcg_at_5": "The",
    }
    tables = warehouse.read("select comment from duckdb_tables() order by table_name")["comment"].to_pylist()
    assert tables[1] == "The segments of each consenting person; one row per person."


def test_reading_before_the_first_materialization_says_what_to_run(warehouse: Warehouse) -> None:
    assert warehouse.tables() == []
    with pytest.raises(WarehouseMissingError, match="tessera materialize"):
        warehouse.read("users")
    warehouse.write("user_segments", pa.table({"user_id": ["a"]}))
    with pytest.raises(WarehouseMissingError, match="no table users yet: run `tessera materialize`"):
        warehouse.read("select count(*) as n from users")


def test_a_name_that_is_no_table_name_is_refused(warehouse: Warehouse) -> None:
    with pytest.raises(ValueError, match="'users; drop table users'"):
        warehouse.write("users; drop table users", pa.table({"a": [1]}))


def test_a_second_writer_is_told_who_has_the_warehouse(warehouse: Warehouse) -> None:
    first = start(HOLD, warehouse)
    try:
        with (
            pytest.raises(WarehouseBusyError, match=rf"a nightly run \(process {first.pid} on "),
            warehouse.writing("another run"),
        ):
            pass
        holder = warehouse.lock.holder()
        assert holder is not None
        assert (holder.pid, holder.doing) == (first.pid, "a nightly run")
    finally:
        first.kill()
        first.wait()


def test_a_killed_holder_does_not_block_the_next_run(warehouse: Warehouse) -> None:
    first = start(HOLD, warehouse)
    first.send_signal(signal.SIGKILL)
    first.wait()
    with warehouse.writing("the next run"):
        holder = warehouse.lock.holder()
        assert holder is not None
        assert (holder.pid, holder.doing) == (os.getpid(), "the next run")
    assert warehouse.lock.holder() is None


def test_a_run_takes_the_lock_once_and_its_steps_take_it_again(warehouse: Warehouse) -> None:
    with warehouse.writing("the run"):
        warehouse.write("users", pa.table({"user_id": ["a"]}))
        holder = warehouse.lock.holder()
        assert holder is not None
        assert holder.doing == "the run"
    assert warehouse.lock.holder() is None


def test_another_program_that_has_the_file_open_is_named(warehouse: Warehouse) -> None:
    duckdb.connect(warehouse.path).close()
    other = start(OPEN, warehouse)
    try:
        with pytest.raises(WarehouseBusyError, match=f"open in process {other.pid}"):
            warehouse.write("users", pa.table({"user_id": ["a"]}))
        assert other.poll() is None
    finally:
        other.kill()
        other.wait()


def test_the_dbt_process_of_a_killed_run_is_ended(warehouse: Warehouse) -> None:
    duckdb.connect(warehouse.path).close()
    launcher = subprocess.run(
        [
            "sh",
            "-c",
            f'"{sys.executable}" -c "{OPEN}" "{warehouse.path}" > /dev/null 2>&1 & echo $!',
        ],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "DAGSTER_DBT_CLI": "true"},
    )
    orphan = int(launcher.stdout)
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        try:
            duckdb.connect(warehouse.path).close()
        except duckdb.IOException:
            break
        time.sleep(0.05)
    warehouse.write("users", pa.table({"user_id": ["a"]}))
    assert not Path(f"/proc/{orphan}").exists()

"""A run that is killed half-way: the next one goes through and leaves what an undisturbed one leaves."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pyarrow as pa
from typer.testing import CliRunner

from ml.home import Home
from orchestration.cli import app
from orchestration.instance import open_instance
from orchestration.warehouse import Warehouse

CHECKOUT = Path(__file__).resolve().parents[2]
MARTS = {"users": "user_id", "items": "item_id", "interactions": "user_id, item_id", "sessions": "session_id"}
PATIENCE_SECONDS = 180
MAIN = "from orchestration.cli import main; main()"


def marts(home: Home) -> dict[str, pa.Table]:
    warehouse = Warehouse(home.warehouse)
    return {mart: warehouse.read(f"select * from {mart} order by {key}") for mart, key in MARTS.items()}


def test_a_killed_run_is_repeated_without_damage(materialized_home: Home, changing_home: Home) -> None:
    home = changing_home
    started = subprocess.Popen(
        [sys.executable, "-c", MAIN, "materialize", "--job", "full_refresh", "--home", str(home.path)],
        cwd=CHECKOUT,
        env=os.environ | {"PYTHONPATH": str(CHECKOUT)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    dbt = wait_for_dbt_at_work(started, home)
    os.kill(started.pid, signal.SIGKILL)
    started.wait()

    again = CliRunner().invoke(app, ["materialize", "--home", str(home.path)])

    assert again.exit_code == 0, again.output
    assert not dbt.is_running()
    with open_instance(home) as instance:
        assert [run.is_failure for run in instance.get_runs(limit=2)] == [False, True]
        assert all(run.is_finished for run in instance.get_runs())
    undisturbed = marts(materialized_home)
    for mart, table in marts(home).items():
        assert table.equals(undisturbed[mart]), mart


def wait_for_dbt_at_work(run: subprocess.Popen[bytes], home: Home) -> psutil.Process:
    """The dbt process of the run, once it builds tables."""
    log = home.path / "dbt" / "dbt.log"
    size = log.stat().st_size
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline and run.poll() is None:
        children = psutil.Process(run.pid).children(recursive=True)
        building = [child for child in children if "build" in child.cmdline()]
        if building and log.exists() and "created sql" in log.read_text(errors="replace")[size:]:
            return building[0]
        time.sleep(0.1)
    raise AssertionError("the run ended, or never came to dbt")

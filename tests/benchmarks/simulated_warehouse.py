"""A simulated site of a wanted size, and its warehouse built by dbt in a process of its own."""

from __future__ import annotations

import datetime as dt
import os
import shutil
import subprocess
import sys
from pathlib import Path

from figure import Measured, in_own_process

from ml.events.log import EventLog
from ml.home import Home
from ml.settings import load_settings
from orchestration.product_files import DBT_PROJECT_FOLDER

ROOT = Path(__file__).resolve().parents[2]
SITES = (
    ROOT / ".tessera" / "sites"
)  # simulated logs, kept for the next run: making one takes as long as reading it


DAYS = 90
END = dt.date(2026, 6, 1)  # first date after the history, which goes on for another day


def kept_site(events: int) -> Home:
    """A home with a log of about `events` events of 90 days; made where it is not there yet."""
    home = Home(SITES / str(events))
    if not (home.path / "complete").exists():
        planned = ["--events", str(events * (DAYS + 1) // DAYS), "--days", str(DAYS + 1)]
        simulate(home, *planned, "--end", f"{END + dt.timedelta(days=1)}", "--until", f"{END}")
        (home.path / "complete").touch()
    return home


def copied_site(home: Home, folder: Path) -> Home:
    """The log of a kept site in another home, which may go on; parts are sealed, so that links will do."""
    without = shutil.ignore_patterns("warehouse.*", "dbt", "polars", "*spill*")
    shutil.copytree(home.path, folder, ignore=without, copy_function=_linked, dirs_exist_ok=True)
    return Home(folder)


def _linked(source: str, target: str) -> None:
    if source.endswith(".parquet"):
        os.link(source, target)
    else:
        shutil.copy2(source, target)


def simulate(home: Home, *options: str) -> None:
    """`tessera simulate` into the home; a simulated site goes on."""
    tessera = Path(sys.executable).with_name("tessera")
    command = [str(tessera), "simulate", *options, "--home", str(home.path)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


def build(home: Home, *arguments: str) -> Measured:
    """`dbt run` with the settings, the start of dbt included; the result is the number of events in the log."""
    return in_own_process(run_dbt, home.path, "run", *arguments)


def run_dbt(home: Path, *arguments: str) -> int:
    """Run dbt in this process; raises `RuntimeError` with dbt's messages where a model fails."""
    from dbt.adapters.duckdb.connections import DuckDBConnectionManager
    from dbt.cli.main import dbtRunner

    os.environ["TESSERA_HOME"] = str(home)
    variables = load_settings().warehouse.model_dump_json()
    folders = ["--project-dir", DBT_PROJECT_FOLDER, "--profiles-dir", DBT_PROJECT_FOLDER]
    folders += ["--target-path", home / "dbt", "--log-path", home / "dbt"]
    outcome = dbtRunner().invoke([*arguments, *map(str, folders), "--quiet", "--vars", variables])
    DuckDBConnectionManager.close_all_connections()
    if not outcome.success:
        failed = [one.message for one in getattr(outcome.result, "results", []) if one.status == "error"]
        raise RuntimeError(f"dbt {' '.join(arguments)}: {outcome.exception or failed}")
    return sum(part.rows for part in EventLog(Home(home)).parts())

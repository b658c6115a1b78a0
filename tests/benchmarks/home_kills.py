"""[home_kills] kill -9 of `tessera materialize` and of an erasure, again and again: what was lost or left.

After the kills the run goes through, and every mart must hold what a full refresh of the same log gives. The
erased people must be in no file, their receipts verified, and nobody else's events fewer.
"""

from __future__ import annotations

import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import duckdb
import yaml
from figure import Figure
from served import ROOT
from starlette.testclient import TestClient

from orchestration.warehouse.warehouse import open_duckdb

KILLS = 10
DAYS, END = 20, "2026-06-01"
TESSERA = (str(Path(sys.executable).with_name("tessera")),)
# The queues of increments, and tables to which each run adds its own rows.
OF_RUNS = (
    *("int_events_touched", "int_sessions_touched", "stg_event_repeat_candidates"),
    *("candidate_models", "segment_profiles", "segment_migrations"),
)


def measure(size: float) -> Iterator[Figure]:
    """`size` scales the kills. Moments are drawn evenly over the time that an undisturbed run takes."""
    from tests.conftest import SMALL_SETTINGS

    kills, rng = max(1, round(KILLS * size)), random.Random(9)
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder) / "home"
        site = Path(folder) / "site"
        site.mkdir()
        (site / "settings.yaml").write_text(yaml.safe_dump(SMALL_SETTINGS), encoding="utf-8")
        environment = {**os.environ, "TESSERA_HOME": str(home), "TESSERA_SITE": str(site)}
        _run(environment, "simulate", "--users", "200", "--days", str(DAYS), "--end", END, "--until", "2026-05-22")
        began = time.perf_counter()
        _run(environment, "materialize")
        whole = time.perf_counter() - began
        cut = 0
        for day in range(kills):
            until = f"2026-05-{22 + day}" if day < 10 else END
            _run(environment, "simulate", "--until", until)
            cut += _run_until_killed(environment, rng.uniform(0.05, 1) * whole, "materialize")
        _run(environment, "materialize")
        different = _tables_that_differ_from_a_full_refresh(environment, home)
        yield Figure(f"materialize.marts_that_differ_after_{cut}_kills", different, "tables", seconds=whole)
        yield from _erase(environment, home, kills, rng)


def _erase(environment: dict[str, str], home_path: Path, kills: int, rng: random.Random) -> Iterator[Figure]:
    """Erase one person undisturbed, and each further one by a run that is killed within the time of that."""
    from ml.erasure.receipts import ErasureReceipts
    from ml.events.log import EventLog
    from ml.home import Home
    from ml.settings import load_site_settings
    from orchestration.erasure.scan import scan_files
    from serving.application import application
    from serving.start import ServiceConfig
    from serving.tessera import Tessera

    home = Home(home_path)
    with open_duckdb(home.warehouse, read_only=True) as warehouse:
        people = warehouse.sql("select user_id from users where is_known order by user_id limit 1000").fetchall()
    erased = [person for (person,) in rng.sample(people, kills + 1)]
    log = EventLog(home)
    with duckdb.connect() as memory:
        devices = [
            device
            for (device,) in memory.execute(
                "select distinct anonymous_id from read_parquet($1, union_by_name = true)"
                " where user_id in (select unnest($2)) and anonymous_id is not null",
                [[str(log.path(part)) for part in log.parts()], erased],
            ).fetchall()
        ]

    def events_of_others() -> int:
        files = [str(log.path(part)) for part in log.parts()]
        with duckdb.connect() as memory:
            return int(
                memory.execute(
                    "select count(*) from read_parquet($1, union_by_name = true)"
                    " where event_type <> 'erased' and coalesce(user_id, '') not in (select unnest($2))"
                    " and coalesce(anonymous_id, '') not in (select unnest($3))",
                    [files, erased, devices],
                ).fetchall()[0][0]
            )

    def ask_to_erase(person: str) -> str:
        config = ServiceConfig(home=home, settings=load_site_settings(home).settings)
        with TestClient(application(Tessera(config, seed=1))) as client:
            return str(client.delete(f"/v1/users/{person}").json()["receipt_id"])

    before = events_of_others()
    receipts = [ask_to_erase(erased[0])]
    began = time.perf_counter()
    _run(environment, "materialize", "--job", "erasure")
    whole = time.perf_counter() - began
    cut = 0
    for person in erased[1:]:
        receipts.append(ask_to_erase(person))
        cut += _run_until_killed(environment, rng.uniform(0.05, 1) * whole, "materialize", "--job", "erasure")
    _run(environment, "materialize", "--job", "erasure")
    places = [(ErasureReceipts(home).receipt(receipt) or {})["places"] for receipt in receipts]
    left = [hit for hit in scan_files(home.path, erased)]
    yield Figure(f"erasure.places_left_after_{cut}_kills", len(left), "files", rows=len(erased))
    yield Figure(
        "erasure.places_not_verified",
        sum(place["status"] != "verified" for receipt in places for place in receipt),
        "places",
        rows=len(receipts),
    )
    yield Figure("erasure.events_of_others_lost", before - events_of_others(), "events", rows=before)


def _run(environment: dict[str, str], *command: str) -> None:
    """Run a command to its end.

    Raises:
        RuntimeError: It failed; the message holds the end of what it printed.
    """
    done = subprocess.run(
        [*TESSERA, *command], env=environment, cwd=ROOT, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise RuntimeError(f"{command}: {done.stdout[-3000:]}{done.stderr[-3000:]}")


def _run_until_killed(environment: dict[str, str], seconds: float, *command: str) -> bool:
    """Kill a command and all that it started; False if it ended before."""
    process = subprocess.Popen(
        [*TESSERA, *command], env=environment, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        start_new_session=True,
    )  # fmt: skip
    try:
        process.wait(timeout=seconds)
        return False
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, 9)
        process.wait()
        return True


def _tables_that_differ_from_a_full_refresh(environment: dict[str, str], home: Path) -> int:
    from tests.dbt_project.comparison import differing_tables

    kept = home.parent / "incremental.duckdb"
    kept.write_bytes((home / "warehouse.duckdb").read_bytes())
    _run(environment, "materialize", "--job", "full_refresh")
    different = differing_tables(kept, home / "warehouse.duckdb", but=OF_RUNS)
    if different:
        print("differ:", ", ".join(different))
    return len(different)

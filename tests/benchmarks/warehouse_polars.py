"""Sessions, users and interactions: dbt on DuckDB against Polars, from one log to equal rows in Parquet."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import duckdb
from figure import Figure, in_own_process
from polars_marts import write_marts
from simulated_warehouse import kept_site, run_dbt

from ml.events.log import EventLog
from ml.home import Home
from ml.settings import load_settings

EVENTS = 10_000_000  # at 20 million Polars, whose windows hold every event, takes more than 24 GiB
MARTS = ("sessions", "users", "interactions")
KEYS = {
    "sessions": ("device_id", "person_id", "started_at"),
    "users": ("person_id",),
    "interactions": ("person_id", "item_id"),
}
TOLERANCE = 1e-3  # sums of many rounded seconds and decayed strengths differ in their last digits


def measure(size: float) -> Iterator[Figure]:
    """Seconds of both; the ratio is DuckDB's to Polars'. Raises `AssertionError` where rows differ."""
    home = kept_site(int(EVENTS * size))
    folder = home.path / "polars"
    folder.mkdir(exist_ok=True)
    theirs = in_own_process(by_polars, home.path, folder)
    ours = in_own_process(by_dbt, home.path)
    for mart in MARTS:
        compare(home.path / f"{mart}.parquet", folder / f"{mart}.parquet", KEYS[mart])
    yield Figure(
        "warehouse_polars",
        ours.seconds,
        "s",
        rival="Polars, a third of the columns",
        rival_value=theirs.seconds,
        ratio=ours.seconds / theirs.seconds,
        rows=ours.result,
        seconds=ours.seconds,
        peak_mib=ours.peak_mib,
    )
    yield Figure("warehouse_polars_peak", theirs.peak_mib, "MiB", rows=ours.result, seconds=theirs.seconds)


def by_polars(home: Path, folder: Path) -> None:
    log = EventLog(Home(home))
    write_marts([log.path(part) for part in log.parts()], load_settings().warehouse, folder)


def by_dbt(home: Path) -> int:
    events = run_dbt(home, "run", "--full-refresh", "--select", *(f"+{mart}" for mart in MARTS))
    with duckdb.connect(home / "warehouse.duckdb") as warehouse:
        for mart in MARTS:
            warehouse.execute(f"copy (from {mart}) to '{home / mart}.parquet'")
    return events


def compare(ours: Path, theirs: Path, keys: tuple[str, ...]) -> None:
    """Every row of both, by key, in the columns that both have."""
    with duckdb.connect() as reader:
        reader.execute(f"create view ours as select *, user_id as person_id from '{ours}'")
        reader.execute(f"create view theirs as from '{theirs}'")
        columns = reader.sql("describe theirs").fetchall()
        own = {name for name, *_ in reader.sql("describe ours").fetchall()}
        same = " and ".join(f"ours.{key} = theirs.{key}" for key in keys)
        for name, kind, *_ in columns:
            if name not in own or name in keys:
                continue
            differs = f"ours.{name} is distinct from theirs.{name}"
            if kind == "DOUBLE":
                differs = f"coalesce(abs(ours.{name} - theirs.{name}) > {TOLERANCE}, {differs})"
            where = f"ours.{keys[0]} is null or theirs.{keys[0]} is null or {differs}"
            query = f"select {', '.join(f'ours.{k}, theirs.{k}' for k in keys)}, ours.{name}, theirs.{name}"
            found = reader.sql(f"{query} from ours full join theirs on {same} where {where} limit 3").fetchall()
            if found:
                raise AssertionError(f"{ours.stem}.{name} differs: {found}")

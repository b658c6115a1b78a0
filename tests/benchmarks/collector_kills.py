"""[collector_kills] kill -9 under load, again and again: what was acknowledged is in the warehouse once."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from figure import Figure

from ml.events.live_log import recover_parts
from ml.events.log import EventLog
from tests.dbt_project.built import parsed_project, warehouse_in
from tests.serving.collector.processes import send_through_kills

KILLS = 50


def measure(size: float) -> Iterator[Figure]:
    """`size` scales the kills. The warehouse takes the log in twice: after half of them, and at the end."""
    half = max(1, round(KILLS * size / 2))
    began = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        warehouse = warehouse_in(Path(folder) / "home", parsed_project(Path(folder) / "dbt"))
        acknowledged: set[str] = set()
        for turn in range(2):
            acknowledged |= send_through_kills(warehouse.home.path, half, seed=turn).acknowledged
            recover_parts(EventLog(warehouse.home))
            warehouse.build("stg_events")
        found = [event_id for (event_id,) in warehouse.rows("select event_id from staging.stg_events")]
        in_log = sum(part.rows for part in EventLog(warehouse.home).parts())
    seconds = time.perf_counter() - began
    lost, doubled = len(acknowledged - set(found)), len(found) - len(set(found))
    yield Figure(f"collector.lost_in_{2 * half}_kills", lost, "events", rows=len(acknowledged), seconds=seconds)
    yield Figure(
        f"collector.doubled_in_{2 * half}_kills", doubled, "events", rival="repeats in the log",
        rival_value=in_log - len(set(found)), rows=len(found),
    )  # fmt: skip

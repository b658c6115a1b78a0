"""The 91st day on a warehouse of 90 days and 50 million events, against the full build."""

from __future__ import annotations

import datetime as dt
import tempfile
from collections.abc import Iterator
from pathlib import Path

from figure import Figure
from simulated_warehouse import SITES, build, simulate

from ml.home import Home

EVENTS = 50_000_000
DAYS = 90
END = dt.date(2026, 6, 1)


def measure(size: float) -> Iterator[Figure]:
    """Seconds of the day's run over those of a run of one trivial model; the ratio is to the full build."""
    SITES.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=SITES) as folder:
        home = Home(Path(folder))
        sizes = [
            "--events",
            str(int(EVENTS * size * (DAYS + 1) / DAYS)),
            "--days",
            str(DAYS + 1),
            "--end",
            f"{END}",
        ]
        simulate(home, *sizes, "--until", f"{END - dt.timedelta(days=1)}")
        full = build(home, "--full-refresh")
        simulate(home, "--until", f"{END}")
        day = build(home)
        trivial = build(home, "--select", "stg_event_parts")
    seconds = day.seconds - trivial.seconds
    yield Figure(
        "warehouse_increment",
        seconds,
        "s",
        rival=f"full build of {full.result:,} events",
        rival_value=full.seconds,
        ratio=seconds / full.seconds,
        rows=day.result - full.result,
        seconds=day.seconds,
        peak_mib=day.peak_mib,
    )

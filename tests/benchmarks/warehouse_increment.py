"""The 91st day on a warehouse of 90 days and 50 million events, against the full build."""

from __future__ import annotations

import datetime as dt
import tempfile
from collections.abc import Iterator
from pathlib import Path

from figure import Figure
from simulated_warehouse import END, SITES, build, copied_site, kept_site, simulate

EVENTS = 50_000_000


def measure(size: float) -> Iterator[Figure]:
    """Seconds of the day's run over those of a run of one trivial model; the ratio is to the full build."""
    site = kept_site(int(EVENTS * size))
    with tempfile.TemporaryDirectory(dir=SITES) as folder:
        home = copied_site(site, Path(folder))
        full = build(home, "--full-refresh")
        simulate(home, "--until", f"{END + dt.timedelta(days=1)}")
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

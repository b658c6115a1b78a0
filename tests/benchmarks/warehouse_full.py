"""All marts from 20 million simulated events, from nothing."""

from __future__ import annotations

from collections.abc import Iterator

from figure import Figure
from simulated_warehouse import build, kept_site

EVENTS = 20_000_000


def measure(size: float) -> Iterator[Figure]:
    """Events a second of one `dbt run --full-refresh`, the start of dbt included, and the peak memory."""
    built = build(kept_site(int(EVENTS * size)), "--full-refresh")
    speed = built.result / built.seconds
    yield Figure(
        "warehouse_full", speed, "events/s", rows=built.result, seconds=built.seconds, peak_mib=built.peak_mib
    )

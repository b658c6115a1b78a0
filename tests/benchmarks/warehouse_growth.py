"""How the time of an event in a full build grows from 2 to 20 to 50 million events."""

from __future__ import annotations

from collections.abc import Iterator

from figure import Figure
from simulated_warehouse import build, kept_site

EVENTS = (2_000_000, 20_000_000, 50_000_000)


def measure(size: float) -> Iterator[Figure]:
    """Microseconds an event at each size; the ratio is to the smallest."""
    first = None
    for events in EVENTS:
        built = build(kept_site(int(events * size)), "--full-refresh")
        microseconds = 1e6 * built.seconds / built.result
        first = first or microseconds
        yield Figure(
            f"warehouse_growth_{events // 1_000_000}m",
            microseconds,
            "µs/event",
            rival="the smallest log's",
            rival_value=first,
            ratio=microseconds / first,
            rows=built.result,
            seconds=built.seconds,
            peak_mib=built.peak_mib,
        )

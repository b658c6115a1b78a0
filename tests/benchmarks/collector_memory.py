"""[collector_memory] resident memory of one collector over millions of events: it does not grow with them."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
from collector import put_load_on
from figure import Figure

from tests.serving.collector.processes import CollectorProcess

EVENTS = 5_000_000
BATCH = 500
LOOK_SECONDS = 5.0


def measure(size: float) -> Iterator[Figure]:
    """`size` scales the events. The last fifth's peak is compared with the second's: the first one warms up."""
    events = int(EVENTS * size)
    peaks = [0.0] * 5
    with tempfile.TemporaryDirectory() as folder, CollectorProcess(Path(folder)) as collector:
        process = psutil.Process(collector.process.pid)
        sent, began = 0, time.perf_counter()
        while sent < events:
            load = put_load_on(collector, seconds=min(LOOK_SECONDS, events / 50_000), batch=BATCH, connections=8)
            fifth = min(4, 5 * sent // events)
            peaks[fifth] = max(peaks[fifth], process.memory_info().rss / 2**20)
            sent += load["requests"] * BATCH
    yield Figure(
        "collector.memory_of_last_fifth", peaks[4], "MiB", rival="of second fifth", rival_value=peaks[1],
        ratio=peaks[4] / peaks[1], rows=sent, seconds=time.perf_counter() - began, peak_mib=max(peaks),
    )  # fmt: skip

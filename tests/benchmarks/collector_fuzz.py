"""[collector_fuzz] malformed payloads over real sockets: no 5xx, and each rejected event is a dead letter."""

from __future__ import annotations

import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from figure import Figure

from ml.events.dead_letters import DeadLetters
from ml.home import Home
from tests.serving.collector.malformed import Watched, malformed_requests
from tests.serving.collector.processes import CollectorProcess

PAYLOADS = 100_000


def measure(size: float) -> Iterator[Figure]:
    """`size` scales the payloads. An answer that may not be ends it, as does a rejection without a dead letter."""
    payloads = int(PAYLOADS * size)
    began = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        with CollectorProcess(Path(folder)) as collector:
            watched = Watched(f"http://127.0.0.1:{collector.port}")
            statuses = Counter(
                watched.send(request).status_code for request in malformed_requests(payloads, seed=23)
            )
        letters = DeadLetters(Home(Path(folder))).read().to_pylist()
        watched.compare(letters)
    seconds = time.perf_counter() - began
    failed = sum(count for status, count in statuses.items() if status >= 500)
    yield Figure("collector.malformed_answered_5xx", failed, "requests", rows=payloads, seconds=seconds)
    yield Figure(
        "collector.malformed_rejected", watched.rejections.total(), "events", rival="dead letters",
        rival_value=len(letters), rows=payloads,
    )  # fmt: skip

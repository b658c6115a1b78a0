"""[browser_key_walks] a stranger with the browser key in random walks: failures of the server, harm to users."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from pathlib import Path

from figure import Figure
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

WALKS, STEPS = 600, 40


def measure(size: float) -> Iterator[Figure]:
    """`size` scales the walks. A walk that finds harm ends the benchmark with the steps that lead there."""
    sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "serving"))  # bundles.py
    from tests.serving.browser_key_machine import BrowserKeyMachine

    walks = max(1, round(WALKS * size))
    began = time.perf_counter()
    run_state_machine_as_test(
        BrowserKeyMachine,
        settings=settings(
            max_examples=walks, stateful_step_count=STEPS, deadline=None, database=None,
            suppress_health_check=list(HealthCheck), phases=(Phase.generate,),
        ),
    )  # fmt: skip
    yield Figure(
        "browser_key.walks_with_harm", 0, "walks", rows=walks * STEPS, seconds=time.perf_counter() - began
    )

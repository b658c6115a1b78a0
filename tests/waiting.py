"""Waiting for what another thread or process brings about."""

from __future__ import annotations

import time
from collections.abc import Callable

WAIT_SECONDS = 30


def wait_until(holds: Callable[[], object]) -> None:
    """Wait until a condition holds.

    Raises:
        TimeoutError: It did not in WAIT_SECONDS.
    """
    until = time.monotonic() + WAIT_SECONDS
    while not holds():
        if time.monotonic() > until:
            raise TimeoutError("the condition did not become true in time")
        time.sleep(0.05)

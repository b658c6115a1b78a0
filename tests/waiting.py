"""Waiting for what another thread or process brings about."""

from __future__ import annotations

import time
from collections.abc import Callable

WAIT_SECONDS = 30


def wait_until(holds: Callable[[], object], seconds: float = WAIT_SECONDS) -> None:
    """Wait until a condition holds.

    Raises:
        TimeoutError: It did not in `seconds`.
    """
    until = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > until:
            raise TimeoutError("the condition did not become true in time")
        time.sleep(0.05)

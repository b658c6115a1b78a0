"""The thread on which pages are made, and the share of a processor that it may take from the service beside it."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")


class ProcessorBudget:
    """Processor time that is earned as time goes by, up to what a burst may take.

    In any span of time it lets at most `share` of it be spent, beside a burst and the work that is under way.

    Args:
        share: Processor seconds that are earned in a second.
        burst_seconds: Processor seconds that can be saved.
        now: The present time, seconds.
    """

    def __init__(self, share: float, burst_seconds: float, now: float) -> None:
        self._share = share
        self._most = burst_seconds
        self._saved = burst_seconds
        self._at = now

    def find_wait(self, now: float) -> float:
        """Return for how many seconds the next work has to wait."""
        self._earn(now)
        return max(0.0, -self._saved / self._share)

    def spend(self, seconds: float, now: float) -> None:
        """Record processor time that was taken."""
        self._earn(now)
        self._saved -= seconds

    def _earn(self, now: float) -> None:
        self._saved = min(self._most, self._saved + self._share * (now - self._at))
        self._at = now


class PageThread:
    """Makes pages one after the other on a thread of its own.

    Args:
        budget: What the thread may take; None for as much as it needs, where nothing runs beside it.
    """

    def __init__(self, budget: ProcessorBudget | None = None) -> None:
        self._budget = budget
        self._executor = ThreadPoolExecutor(1, thread_name_prefix="console")
        self._pause = threading.Event()

    async def run(self, work: Callable[[], T]) -> T:
        """Return what work results in, when its turn has come and the budget allows it."""
        return await asyncio.get_running_loop().run_in_executor(self._executor, self._do, work)

    def _do(self, work: Callable[[], T]) -> T:
        if self._budget is None:
            return work()
        while (seconds := self._budget.find_wait(time.monotonic())) > 0:
            self._pause.wait(seconds)
        started = time.thread_time()
        try:
            return work()
        finally:
            self._budget.spend(time.thread_time() - started, time.monotonic())

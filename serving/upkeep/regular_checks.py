"""The checks that a worker makes again and again beside its answers."""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import logging
from collections.abc import Callable, Sequence

from ml.erasure.receipts import ErasureReceipts
from ml.errors import TesseraError
from ml.events.log import EventLog
from serving.observability.worker_gauges import WorkerGauges
from serving.privacy.erasure import follow_erasures
from serving.state.store import StoreUnavailableError
from serving.tessera import Tessera
from serving.upkeep.garbage import freeze_long_lived_objects

logger = logging.getLogger("tessera.serving")
FLUSH_SECONDS = 0.05


class RegularChecks:
    """Looks for bundles, definitions, erasures and a lost store, and fits again what is learned online.

    Args:
        tessera: The service, which is open.
    """

    def __init__(self, tessera: Tessera) -> None:
        self._tessera = tessera
        self._gauges = WorkerGauges(tessera.config.home)
        self._exchanged_at = 0.0
        self._refit: asyncio.Task[None] | None = None
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Begin to check, until `stop`."""
        loops = [self._keep_checking(), self._keep_flushing()]
        if self._tessera.bundle_fetcher.store is not None:
            loops.append(self._keep_fetching())
        self._tasks = [asyncio.create_task(loop) for loop in loops]

    async def stop(self) -> None:
        """End the checks; a fit that runs is waited for."""
        for task in self._tasks:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
        self._tasks = []
        if self._refit is not None:
            await self._refit

    async def _keep_checking(self) -> None:
        """Look for what is new, again and again; a check that fails does not keep the others from running."""
        checks: Sequence[Callable[[], object]] = (
            self._follow_bundles,
            self._follow_store,
            self._erase_again,
            self._tessera.withdrawn_events.follow,
            self._tessera.reload_definitions,
            self._tessera.surroundings.refresh,
            self._settle_decisions,
            self._follow_reverts,
            self._start_fit,
            self._measure,
        )
        while True:
            await asyncio.sleep(self._tessera.settings.bundle_check_seconds)
            for check in checks:
                try:
                    result = check()
                    if inspect.isawaitable(result):
                        await result
                except StoreUnavailableError as error:
                    self._tessera.state.report(error)
                except Exception:  # the checks must outlive whatever one bundle or file does to them
                    logger.exception("%s failed", check.__qualname__)

    async def _keep_flushing(self) -> None:
        """Store what waits, and learn what other workers took in and whom they erased, without any request."""
        fault = None
        while True:
            await asyncio.sleep(FLUSH_SECONDS)
            self._tessera.state.flush()
            try:
                self._tessera.catch_up()
                fault = None
            except TesseraError as error:  # every request about a person fails with it, too
                if str(error) != fault:
                    fault = str(error)
                    logger.error("the online state cannot catch up: %s", fault)

    async def _keep_fetching(self) -> None:
        """Take bundles from the object store; a large one takes minutes, for which no other check waits."""
        while True:
            try:
                await asyncio.to_thread(self._tessera.bundle_fetcher.fetch)
            except Exception:  # a full disk, for example: the bundle that answers goes on
                logger.exception("bundles could not be fetched")
            await asyncio.sleep(self._tessera.settings.bundle_check_seconds)

    async def _follow_bundles(self) -> None:
        """Answer from a newer bundle, and let go of the former one."""
        if await self._tessera.load_newer_bundle():
            freeze_long_lived_objects()

    async def _follow_store(self) -> None:
        """Fill the store again if it lost everything, beside the answers."""
        tessera = self._tessera
        if tessera.state.has_lost_store():
            log = EventLog(tessera.config.home)
            tessera.state.adopt(await asyncio.to_thread(tessera.state.fill_store, log))
            tessera.share_erasures()

    async def _erase_again(self) -> None:
        """Erase from this home whom services on other machines have erased."""
        tessera = self._tessera
        if tessera.must_erase_again:
            tessera.must_erase_again = False  # whom others erase in the meantime sets it again
            try:
                await follow_erasures(tessera, ErasureReceipts(tessera.config.home))
            except BaseException:
                tessera.must_erase_again = True
                raise

    def _settle_decisions(self) -> None:
        engine, now = self._tessera.decision_engine, self._tessera.clock().timestamp()
        engine.settle(now)
        if now - self._exchanged_at >= self._tessera.config.settings.decisions.bandit.exchange_seconds:
            self._exchanged_at = now
            engine.exchange()

    def _follow_reverts(self) -> None:
        engine = self._tessera.recommendation_engine
        if engine.online_learning.follow_revert():
            engine.online_refit.drop()

    def _start_fit(self) -> None:
        if self._refit is None or self._refit.done():
            self._refit = asyncio.create_task(self._fit_again())

    async def _fit_again(self) -> None:
        try:
            tessera = self._tessera
            await tessera.recommendation_engine.online_refit.fit_if_due(tessera.champion.blend)
        except Exception:  # a fit that fails must not end the checks; the published blend goes on alone
            logger.exception("the blend could not be learned again")

    def _measure(self) -> None:
        self._gauges.measure(self._tessera.champion)

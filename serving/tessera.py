"""The service behind the routes: bundle, state and collector, started and stopped together."""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pyarrow as pa

from ml.bundle import Bundle, BundleError
from ml.decisions.activity.log_changes import changes_of
from ml.decisions.items.shelf import Shelf
from ml.decisions.rules.rules import RulesError
from ml.events.log import EventLog
from ml.privacy.pseudonyms import Pseudonyms
from serving.access import Access
from serving.bundles.promotions import Promotions
from serving.bundles.published import Published
from serving.collector import Collector
from serving.collector.submissions import TooManyEventsError
from serving.context.weather import FileProvider
from serving.decide.deciding import Deciding
from serving.decide.rule_book import ExperimentBook, RuleBook
from serving.experiment.experimenting import Experimenting
from serving.experiment.interleaving import Interleaving
from serving.observability.metrics import CACHE, MODEL_AGE_SECONDS, RESIDENT_BYTES, SWAPS
from serving.observability.tracing import Tracing
from serving.recommend.ranking import Ranking
from serving.recommend.recommending import Recommending
from serving.recommend.searching import Searching
from serving.start import Start
from serving.state.online import OnlineState
from serving.state.opening import open_store

logger = logging.getLogger("tessera.serving")
FLUSH_SECONDS = 0.05


class Tessera:
    """One worker's service.

    Args:
        start: where it lives and who may call.
        clock: the time of requests that bring none.
        seed: of everything that is drawn; None draws differently each time.
    """

    def __init__(
        self, start: Start, clock: Callable[[], dt.datetime] | None = None, seed: int | None = None
    ) -> None:
        self.start = start
        self.settings = start.settings.serving
        self.clock = clock or (lambda: dt.datetime.now(dt.UTC))
        self.seed = seed
        self.access = Access(start.keys)
        self.published = Published((start.home.published, start.bundled))
        self.collector = Collector(start.home, start.settings, start.keys)
        self.collector.subscribe(self._collected)
        self.erased = self.collector.erased
        self.pseudonyms = Pseudonyms(start.home.path)
        self.ranking = self._ranking(None)
        self.challenger: Ranking | None = None
        self.rules = RuleBook(start.home, start.settings.decisions.rules_file)
        self.experiments = ExperimentBook(start.home, start.settings.experiments.file)
        self.surroundings = FileProvider(
            start.home.path / self.settings.surroundings_file, self.settings.surroundings_stale_seconds
        )
        self.searching = Searching()
        self._process = psutil.Process()
        self.tracing = Tracing(self.settings.traces, start.home.path / "logs" / "traces.jsonl")
        self.interleaving = Interleaving(seed)
        self._open: _Opened | None = None
        self._exchanged_at = 0.0
        self._refit: asyncio.Task[None] | None = None
        self._tasks: list[asyncio.Task[None]] = []

    @property
    def state(self) -> OnlineState:
        """The online state; there is one between open and close."""
        return self._opened.state

    @property
    def recommending(self) -> Recommending:
        """What ranks; there is one between open and close."""
        return self._opened.recommending

    @property
    def experimenting(self) -> Experimenting:
        """What lets experiments take effect; there is one between open and close."""
        return self._opened.experimenting

    @property
    def promotions(self) -> Promotions:
        """Which bundles answered, and why; there is a log between open and close."""
        return Promotions(self._opened.state.store)

    @property
    def deciding(self) -> Deciding:
        """What applies rules; there is one between open and close."""
        return self._opened.deciding

    async def open(self) -> None:
        """Start to collect, rebuild the state, load the current bundle, look out for newer ones."""
        if self._open is not None:
            return
        self.tracing.open()
        await self.collector.start()
        state = OnlineState(open_store(self.start), self.settings.state)
        read = await asyncio.to_thread(state.open, EventLog(self.start.home))
        logger.info("online state rebuilt from %d changes", read)
        recommending = Recommending(state, self.start.settings, self.seed)
        deciding = Deciding(state, self.start.settings.decisions, self.seed)
        state.subscribe(recommending.learning.observe)
        state.subscribe(lambda change: recommending.refitting.observe(change, self.ranking))
        state.subscribe(deciding.observe)
        self._open = _Opened(state, recommending, deciding, Experimenting(self.experiments, state))
        self.surroundings.refresh()
        self._reload_definitions()
        await self.look_for_bundle()
        if self.published.loaded is None:
            logger.warning("not ready: %s", self.published.why_not_ready())
        self._tasks = [asyncio.create_task(self._look_out()), asyncio.create_task(self._keep_flushing())]

    async def close(self) -> None:
        """Stop; what was accepted is on disk."""
        for task in self._tasks:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
        self._tasks = []
        if self._refit is not None:
            await self._refit
        await self.collector.close()
        if self._open is not None:
            self._open.state.flush()
            self._open.recommending.learning.snapshot()
            self._open.deciding.exchange()
            self._open.state.store.close()
            self._open = None
        self.searching.close()
        self.tracing.close()

    async def look_for_bundle(self) -> bool:
        """Load and take a newer bundle, if there is one; requests are answered from the old one meanwhile."""
        path = self.published.newer()
        if path is None:
            return False
        ranking = await self._load(path)
        if ranking is None or ranking.shelf is None:
            return False
        self.published.take(ranking.shelf)
        self.ranking = ranking
        self.promotions.taken(ranking.shelf.bundle, self.clock())
        await self._take_challenger()
        if self.published.swaps:
            SWAPS.inc()
        return True

    def log_soon(self, events: Sequence[Mapping[str, Any]]) -> None:
        """Write events of the service itself; the answer doesn't wait for the disk.

        Where disk or broker have been away for so long that the queue is full, the answer is worth more than its
        record: the loss is logged, and counted as refused in the metrics.
        """
        try:
            self.collector.record_soon([dict(event) for event in events])
        except TooManyEventsError as full:
            logger.error("%d events of the service itself are lost: %s", len(events), full)

    @property
    def _opened(self) -> _Opened:
        if self._open is None:
            raise RuntimeError("the service is not started")
        return self._open

    def _ranking(self, shelf: Shelf | None) -> Ranking:
        return Ranking(shelf, self.settings.personal_candidates, self.settings.approximate_above_items)

    async def _load(self, path: Path) -> Ranking | None:
        """A checked bundle, built off the event loop and joined to the activity in small steps."""
        try:
            ranking = await asyncio.to_thread(lambda: self._ranking(Shelf(Bundle.load(path))))
        except Exception as error:  # whatever is wrong with a new bundle, the old one stays
            if not isinstance(error, BundleError):
                logger.exception("bundle %s cannot be used", path.name)
            self.published.refuse(path.name, str(error) or type(error).__name__)
            self.promotions.refused(path.name, self.published.refused[path.name], self.clock())
            return None
        for _ in ranking.linked.link(self.state.activity):
            await asyncio.sleep(0)
        return ranking

    async def _take_challenger(self) -> None:
        """Load the version that the settings try beside the current one; a bad one is refused like any other."""
        version = self.settings.challenger.version
        if version and self.challenger is None:
            self.challenger = await self._load(self.start.home.published / version)

    def _collected(self, events: pa.Table) -> None:
        opened = self._opened
        opened.state.record(changes_of(events))

    async def _look_out(self) -> None:
        while True:
            await asyncio.sleep(self.settings.bundle_check_seconds)
            try:
                await self.look_for_bundle()
                self._reload_definitions()
                self.surroundings.refresh()
                self._settle_decisions()
                self._follow_ways_back()
                if self._refit is None or self._refit.done():
                    self._refit = asyncio.create_task(self._fit_again())
                self._count_lookups()
                RESIDENT_BYTES.set(self._process.memory_info().rss)
                if self.ranking.shelf is not None:
                    age = dt.datetime.now(dt.UTC) - self.ranking.shelf.bundle.as_of
                    MODEL_AGE_SECONDS.set(age.total_seconds())
            except Exception:  # the look-out must outlive whatever one bundle or file does to it
                logger.exception("looking for what is new failed")

    def _count_lookups(self) -> None:
        personal = self.ranking.personal
        hits, misses = personal.hits, personal.misses
        personal.hits = personal.misses = 0
        CACHE.labels("hit").inc(hits)
        CACHE.labels("miss").inc(misses)

    async def _fit_again(self) -> None:
        try:
            await self._opened.recommending.refitting.fit_if_due(self.ranking.blend)
        except Exception:  # a fit that fails must not end the look-out; the published blend goes on alone
            logger.exception("the blend could not be learned again")

    def _follow_ways_back(self) -> None:
        recommending = self._opened.recommending
        if recommending.learning.follow():
            recommending.refitting.drop()

    def _settle_decisions(self) -> None:
        deciding, now = self._opened.deciding, self.clock().timestamp()
        deciding.settle(now)
        if now - self._exchanged_at >= self.start.settings.decisions.bandit.exchange_seconds:
            self._exchanged_at = now
            deciding.exchange()

    async def _keep_flushing(self) -> None:
        while True:
            await asyncio.sleep(FLUSH_SECONDS)
            try:
                self._opened.state.flush()
            except Exception:  # a busy store is tried again
                logger.exception("the state could not be written")

    def _reload_definitions(self) -> None:
        try:
            self.experiments.refresh()
        except ValueError as error:
            logger.error("the old experiments stay: %s", error)
        try:
            if self.rules.refresh():
                logger.info("%d rules in force", len(self.rules.rules.compiled))
        except RulesError as error:
            logger.error("the old rules stay: %s", error)


@dataclass(frozen=True)
class _Opened:
    """What exists between open and close."""

    state: OnlineState
    recommending: Recommending
    deciding: Deciding
    experimenting: Experimenting

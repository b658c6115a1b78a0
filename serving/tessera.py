"""The service behind the routes: bundle, state and collector, which are opened and closed together."""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from ml.bundle import Bundle, BundleError, find_version
from ml.decisions.activity.event_log_changes import read_changes
from ml.decisions.items.bundle_index import BundleIndex
from ml.decisions.rules.rules_file import RulesError
from ml.events.log import EventLog
from ml.events.quarantine import Quarantine
from ml.privacy.pseudonyms import Pseudonyms
from serving.bundles.bundle_fetcher import BundleFetcher
from serving.bundles.promotion_log import PromotionLog
from serving.bundles.published_bundles import PublishedBundles
from serving.bundles.served_bundle import ServedBundle
from serving.bundles.smoke_test import SmokeTest
from serving.collector import Collector
from serving.collector.submissions import TooManyEventsError
from serving.context.weather import SurroundingsFile
from serving.decide.decision_engine import DecisionEngine
from serving.decide.rule_book import ExperimentBook, RuleBook
from serving.experiment.interleaver import Interleaver
from serving.experiment.treatments import TreatmentAssigner
from serving.observability.metrics import QUARANTINED, SWAPS
from serving.observability.tracing import Tracing
from serving.recommend.recommendation_engine import RecommendationEngine
from serving.recommend.search_pool import SearchPool
from serving.start import ServiceConfig
from serving.state.online import SERVICE, OnlineState
from serving.state.shared_erasures import SharedErasures
from serving.state.stated_preferences import StatedPreferences
from serving.state.store import StoreUnavailableError
from serving.state.store_engine import open_store
from serving.state.withdrawn_events import WithdrawnEvents

logger = logging.getLogger("tessera.serving")


class Tessera:
    """The service of one worker.

    Args:
        config: Where the service keeps its data and who may call it.
        clock: The time of requests that set none.
        seed: Seed of everything that is drawn; None draws differently each time.

    Attributes:
        champion: The bundle that answers.
        challenger: The bundle that the settings try beside it; None without one.
        canary: The bundle that the pipeline tries on some people by itself; None without one, and while the
            settings name a challenger.
        must_erase_again: Whether this home may hold something of people whom services on other machines erased.
    """

    def __init__(
        self, config: ServiceConfig, clock: Callable[[], dt.datetime] | None = None, seed: int | None = None
    ) -> None:
        self.config = config
        self.settings = config.settings.serving
        self.clock = clock or (lambda: dt.datetime.now(dt.UTC))
        self.seed = seed
        self.published_bundles = PublishedBundles(config.bundle_folders)
        self.bundle_fetcher = BundleFetcher(config.settings.storage.bundles, config.home)
        self.collector = Collector(config.home, config.settings, config.keys, config.identity_secrets)
        self.collector.subscribe(self._record_collected)
        self.access = self.collector.access
        self.cors = self.collector.cors
        self.erased = self.collector.erased
        self.pseudonyms = Pseudonyms(config.home.path)
        self.quarantine = Quarantine(config.home, lambda entry: QUARANTINED.labels(entry.where).inc())
        self.champion = self._serve(None)
        self.challenger: ServedBundle | None = None
        self.canary: ServedBundle | None = None
        self.rules = RuleBook(config.home, config.settings.decisions.rules_file)
        self.experiments = ExperimentBook(config.home, config.settings.experiments.file)
        self.surroundings = SurroundingsFile(
            config.home.path / self.settings.surroundings_file, self.settings.surroundings_stale_seconds
        )
        self.search_pool = SearchPool()
        self.tracing = Tracing(self.settings.traces, config.home.path / "logs" / "traces.jsonl")
        self.interleaver = Interleaver(seed)
        self._running_parts: _RunningParts | None = None
        self.must_erase_again = False
        self._followed_erasures = 0

    @property
    def state(self) -> OnlineState:
        """The online state, which exists between open and close."""
        return self._running.state

    @property
    def recommendation_engine(self) -> RecommendationEngine:
        """The engine that ranks, which exists between open and close."""
        return self._running.recommendation_engine

    @property
    def decision_engine(self) -> DecisionEngine:
        """The engine that applies rules, which exists between open and close."""
        return self._running.decision_engine

    @property
    def treatment_assigner(self) -> TreatmentAssigner:
        """The assigner of experiments, which exists between open and close."""
        return self._running.treatment_assigner

    @property
    def smoke_test(self) -> SmokeTest:
        """The test of a bundle before it answers, which exists between open and close."""
        return self._running.smoke_test

    @property
    def withdrawn_events(self) -> WithdrawnEvents:
        """What follows the quarantine by hand, which exists between open and close."""
        return self._running.withdrawn_events

    @property
    def promotion_log(self) -> PromotionLog:
        """The log of bundles that answered or were refused, which exists between open and close."""
        return PromotionLog(self._running.state.store)

    async def open(self) -> None:
        """Start to collect, rebuild the state, and load the current bundle."""
        if self._running_parts is not None:
            return
        self.tracing.open()
        await self.collector.start()
        views_per_person = self.config.settings.warehouse.popularity_views_per_person
        state = OnlineState(open_store(self.config), self.settings.state, self.quarantine, views_per_person)
        count = await asyncio.to_thread(state.open, EventLog(self.config.home))
        logger.info("online state rebuilt from %d changes", count)
        shared_erasures = None
        if self.settings.state.engine == "redis":
            shared_erasures = SharedErasures(state.store, self.erased, self.pseudonyms)
            shared_erasures.check_key()
        recommendation_engine = RecommendationEngine(state, self.config.settings, self.seed)
        decision_engine = DecisionEngine(state, self.config.settings.decisions, self.seed)
        online_refit = recommendation_engine.online_refit
        state.subscribe(recommendation_engine.online_learning.observe)
        state.subscribe(lambda change: online_refit.observe(change, self.champion))
        state.subscribe(decision_engine.observe)
        state.subscribe_to_erasures(recommendation_engine.online_learning.forget)
        state.subscribe_to_erasures(online_refit.forget)
        self._running_parts = _RunningParts(
            state,
            recommendation_engine,
            decision_engine,
            TreatmentAssigner(self.experiments, state),
            SmokeTest(
                state, self.config.settings, recommendation_engine, decision_engine, self.rules, self.surroundings
            ),
            shared_erasures,
            WithdrawnEvents(state, self.quarantine, EventLog(self.config.home)),
            StatedPreferences(state, self.quarantine),
        )
        self.share_erasures()
        await self.withdrawn_events.follow()
        self.surroundings.refresh()
        self.reload_definitions()
        await self.load_newer_bundle()
        missing = self.why_not_ready()
        if missing is not None:
            logger.warning("not ready: %s", missing)

    async def close(self) -> None:
        """Stop the service; what was accepted is on disk."""
        await self.collector.close()
        if self._running_parts is not None:
            parts = self._running_parts
            if not parts.state.flush():
                logger.error("%d changes of the online state could not be stored", parts.state.waiting)
            with self._tolerate_absent_store():
                parts.recommendation_engine.online_learning.save_snapshot()
                parts.decision_engine.exchange()
            parts.state.store.close()
            self._running_parts = None
        self.search_pool.close()
        self.tracing.close()

    def reload_definitions(self) -> None:
        """Take over rules and experiments that have changed; those with a fault leave the old ones in force."""
        try:
            self.experiments.refresh()
        except ValueError as error:
            logger.error("experiments with a fault are not taken over, the others stay: %s", error)
        try:
            if self.rules.refresh():
                logger.info("%d rules in force", len(self.rules.rules.rules))
        except RulesError as error:
            logger.error("the old rules stay: %s", error)

    def catch_up(self) -> None:
        """Learn what other workers took in, and whom they erased; every request about a person begins with it."""
        self.erased.refresh()
        self.state.catch_up()
        announced = self.state.announced_erasures
        if announced != self._followed_erasures:
            with self._tolerate_absent_store():
                self.share_erasures()
                self._followed_erasures = announced

    def share_erasures(self) -> None:
        """Exchange erased ids with services on other machines that share the store.

        Raises:
            StoreUnavailableError: The store cannot be reached.
        """
        shared = self._running.shared_erasures
        if shared is not None and shared.exchange():
            self.must_erase_again = True

    async def load_newer_bundle(self) -> bool:
        """Load a newer bundle and answer from it, if there is one.

        Requests are answered from the previous bundle in the meantime.

        Returns:
            Whether a newer bundle answers now.
        """
        path = self.published_bundles.find_newer()
        is_newer = path is not None and await self._take_over(path)
        if self.champion.index is not None:
            version = self.settings.challenger.version
            named = find_version(self.config.bundle_folders, version) if version else None
            self.challenger = await self._follow(self.challenger, named)
            self.canary = await self._follow(
                self.canary, None if version else self.published_bundles.find_canary()
            )
        return is_newer

    async def _take_over(self, path: Path) -> bool:
        bundle = await self._load(path)
        if bundle is None or bundle.index is None:
            return False
        self.published_bundles.accept(bundle.index)
        self.champion = bundle
        if self.published_bundles.swaps:
            SWAPS.inc()
        with self._tolerate_absent_store():
            self.promotion_log.record_takeover(bundle.index.bundle, self.clock())
        return True

    def why_not_ready(self) -> str | None:
        """Return why there is no bundle to answer from and what to do about it, or None if there is one."""
        missing = self.published_bundles.why_not_ready()
        return missing and (self.bundle_fetcher.fault or missing)

    def log_soon(self, events: Sequence[Mapping[str, Any]]) -> None:
        """Write events of the service itself without waiting for the disk.

        If disk or broker have been unavailable for so long that the queue is full, the answer is worth more than
        its record: the loss is logged, and counted as refused in the metrics.
        """
        try:
            self.collector.record_soon([dict(event) for event in events])
        except TooManyEventsError as full:
            logger.error("%d events of the service itself are lost: %s", len(events), full)

    @property
    def _running(self) -> _RunningParts:
        if self._running_parts is None:
            raise RuntimeError("the service is not started")
        return self._running_parts

    def _serve(self, index: BundleIndex | None) -> ServedBundle:
        return ServedBundle(index, self.settings.personal_candidates, self.settings.approximate_above_items)

    async def _load(self, path: Path) -> ServedBundle | None:
        """Load and check a bundle beside the event loop, join it to the activity in small steps, and try it."""
        try:
            bundle = await asyncio.to_thread(self._read_bundle, path)
            for _ in bundle.join.join(self.state.activity):
                await asyncio.sleep(0)
            self.smoke_test.run(bundle, self.clock())
        except Exception as error:  # whatever is wrong with a new bundle, the previous one stays
            if not isinstance(error, BundleError):
                logger.exception("bundle %s cannot be used", path.name)
            self.published_bundles.refuse(path.name, str(error) or type(error).__name__)
            reason = self.published_bundles.refused[path.name]
            with self._tolerate_absent_store():
                self.promotion_log.record_refusal(path.name, reason, self.clock())
            return None
        return bundle

    def _read_bundle(self, path: Path) -> ServedBundle:
        bundle = self._serve(BundleIndex(Bundle.load(path)))
        bundle.check()
        return bundle

    @contextlib.contextmanager
    def _tolerate_absent_store(self) -> Iterator[None]:
        """Run a block whose result is worth having and not worth failing for; it is cut short without a store."""
        try:
            yield
        except StoreUnavailableError as error:
            self.state.report(error)

    async def _follow(self, served: ServedBundle | None, path: Path | None) -> ServedBundle | None:
        """Return the bundle that is tried beside the current one: the one that is loaded, or a newer one.

        A bad one is refused like any other; without a path none is tried any longer.
        """
        if path is None or path.name in self.published_bundles.refused:
            return None
        if served is not None and served.bundle_version == path.name:
            return served
        return await self._load(path)

    def _record_collected(self, events: pa.Table) -> None:
        self._running.stated_preferences.fold(events)
        self.state.record(read_changes(events, self.quarantine, SERVICE))


@dataclass(frozen=True)
class _RunningParts:
    """What exists between open and close."""

    state: OnlineState
    recommendation_engine: RecommendationEngine
    decision_engine: DecisionEngine
    treatment_assigner: TreatmentAssigner
    smoke_test: SmokeTest
    shared_erasures: SharedErasures | None
    withdrawn_events: WithdrawnEvents
    stated_preferences: StatedPreferences

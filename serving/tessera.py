"""The service behind the routes: bundle, state and collector, started and stopped together."""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pyarrow as pa

from ml.decisions.activity import Change
from ml.decisions.linked import Linked
from ml.event_log import EventLog
from serving.access import Access
from serving.collector import Collector
from serving.published import Published
from serving.start import Start
from serving.state.online import OnlineState, changes_of
from serving.state.opening import open_store

logger = logging.getLogger("tessera.serving")


class Tessera:
    """One worker's service.

    Args:
        start: where it lives and who may call.
        clock: the time of requests that bring none.
    """

    def __init__(self, start: Start, clock: Callable[[], dt.datetime] | None = None) -> None:
        self.start = start
        self.settings = start.settings.serving
        self.clock = clock or (lambda: dt.datetime.now(dt.UTC))
        self.access = Access(start.keys)
        self.published = Published((start.home.published, start.bundled))
        self.collector = Collector(start.home, start.settings)
        self.linked = Linked(None)
        self._state: OnlineState | None = None
        self._watch: asyncio.Task[None] | None = None

    @property
    def state(self) -> OnlineState:
        """The online state; there is one between open and close."""
        if self._state is None:
            raise RuntimeError("the service is not started")
        return self._state

    async def open(self) -> None:
        """Start to collect, rebuild the state, load the current bundle, look out for newer ones."""
        await self.collector.start()
        store = open_store(self.start)
        state = OnlineState(store, self.settings.state)
        read = await asyncio.to_thread(state.open, EventLog(self.start.home))
        logger.info("online state rebuilt from %d changes", read)
        self._state = state
        self.collector.subscribe(self._collected)
        await self.look_for_bundle()
        if self.published.loaded is None:
            logger.warning("not ready: %s", self.published.why_not_ready())
        self._watch = asyncio.create_task(self._look_out())

    async def close(self) -> None:
        """Stop; what was accepted is on disk."""
        if self._watch is not None:
            self._watch.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._watch
        await self.collector.close()
        if self._state is not None:
            self._state.store.close()
            self._state = None

    async def look_for_bundle(self) -> bool:
        """Load and take a newer bundle, if there is one; requests go on being answered from the old one meanwhile."""
        path = self.published.newer()
        if path is None:
            return False
        loaded = await asyncio.to_thread(self.published.load, path)
        if loaded is None:
            return False
        linked = Linked(loaded)
        for _ in linked.link(self.state.activity):
            await asyncio.sleep(0)
        self.published.take(loaded)
        self.linked = linked
        return True

    @property
    def model_version(self) -> str | None:
        """Name of the champion that answers, None without one."""
        return self.linked.shelf.bundle.model_version if self.linked.shelf else None

    @property
    def bundle_version(self) -> str | None:
        """Name of the bundle that answers, None without one."""
        return self.linked.shelf.bundle.version if self.linked.shelf else None

    def log_soon(self, events: Sequence[Mapping[str, Any]]) -> None:
        """Write events of the service itself; the answer doesn't wait for the disk."""
        self.collector.record_soon([dict(event) for event in events])

    def _collected(self, events: pa.Table) -> None:
        self.state.record([change for change in changes_of(events) if change.event_type != "served"])

    def note(self, changes: Sequence[Change]) -> None:
        """Take changes of the service's own making into the state."""
        self.state.record(changes)

    async def _look_out(self) -> None:
        while True:
            await asyncio.sleep(self.settings.bundle_check_seconds)
            try:
                await self.look_for_bundle()
            except Exception:  # the look-out must outlive whatever one bundle does to it
                logger.exception("looking for a new bundle failed")

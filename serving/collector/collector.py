"""The collector: records in, through the door, durable before the answer."""

from __future__ import annotations

import asyncio
import datetime as dt
import logging
from collections.abc import Callable, Sequence
from typing import Any

import pyarrow as pa

from ml.events.live_dead_letters import RejectionLog, recover_dead_letters
from ml.events.live_log import recover_parts
from ml.events.log import EventLog
from ml.home import Home
from ml.privacy.erased_ids import ErasedIds
from ml.privacy.pseudonyms import Pseudonyms
from ml.settings import Settings
from serving.access import Keys
from serving.collector.door import Door
from serving.collector.facts import Facts
from serving.collector.keys import KeyRing, Sender
from serving.collector.protocols.translation import Untranslatable
from serving.collector.rate_limits import RateLimit
from serving.collector.sinks import open_sink
from serving.collector.submissions import Counts, Outcome, Rejection, Submission, TooManyEventsError, Written
from serving.collector.totals import WithheldTotals
from serving.collector.writer import Writer

log = logging.getLogger(__name__)

NO_KEYS = Keys()
Subscriber = Callable[[pa.Table], None]


class Collector:
    """Takes records and answers when they are durable.

    Args:
        home: where the event log is.
        settings: the sections `collector`, `privacy` and `kafka` are read.
        keys: who may send; without any, whoever is on this machine.
    """

    def __init__(self, home: Home, settings: Settings, keys: Keys = NO_KEYS) -> None:
        self.home = home
        self.settings = settings
        self.keys = KeyRing(keys)
        limits = settings.collector
        self._browser_rate = RateLimit(limits.browser_events_per_second, limits.browser_burst_events)
        secret_rate = limits.secret_events_per_second
        self._secret_rate = RateLimit(secret_rate, max(secret_rate, limits.max_batch_events))
        self._totals = WithheldTotals(home)
        self.erased = ErasedIds(home)
        self._door = Door(settings, Pseudonyms(home.path), self._totals, self.erased)
        self._subscribers: list[Subscriber] = []
        self._writer: Writer | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    async def start(self) -> None:
        """Seal what a killed collector left behind and begin to take events. A second call changes nothing."""
        if self._writer is not None:
            return
        self._loop = asyncio.get_running_loop()
        await asyncio.to_thread(recover_parts, EventLog(self.home))
        await asyncio.to_thread(recover_dead_letters, self.home)
        sink = open_sink(self.home, self.settings)
        self._writer = Writer(self.settings.collector, sink, RejectionLog(self.home), self._totals, self._written)
        self._writer.start()

    async def close(self) -> None:
        """Write what is queued, seal the open part, stop. A second call changes nothing."""
        if self._writer is None:
            return
        writer, self._writer = self._writer, None
        await asyncio.to_thread(writer.close)

    def subscribe(self, subscriber: Subscriber) -> None:
        """Have every accepted batch (EVENT_SCHEMA) shown to `subscriber`, on the event loop, before the answer."""
        self._subscribers.append(subscriber)

    async def record(
        self, records: Sequence[Any], source: str = "service", then_seal: bool = False
    ) -> list[Rejection]:
        """Store records (JSON-like dicts with the contract's fields) and return once they are durable.

        `event_id`, `occurred_at` and `received_at` are filled in where absent.

        Args:
            then_seal: whether no file with these events or earlier ones is open any more when it returns.

        Returns:
            What was not taken and why; an empty list means that all of them are durable.

        Raises:
            TooManyEventsError: too many events wait already.
            StorageUnavailableError: they cannot be stored now.
        """
        submission = _submission(records, source, then_seal)
        rejected = await self._stored(submission)
        if then_seal and submission.sealed is not None:
            await asyncio.wait([asyncio.wrap_future(submission.sealed)])
        return rejected

    def record_soon(self, records: Sequence[Any], source: str = "service") -> None:
        """Store records without waiting for the disk.

        Raises:
            TooManyEventsError: too many events wait already.
        """
        self._started.put(_submission(records, source))

    async def take(
        self,
        records: Sequence[Any],
        places: Sequence[int],
        untranslatable: Sequence[tuple[int, Untranslatable]],
        *,
        source: str,
        sender: Sender,
        facts: Facts,
    ) -> Outcome:
        """Take the records of a request through the door and store what comes through.

        Args:
            records: events in the contract's fields, as a protocol translates them.
            places: which event of the request each record comes from.
            untranslatable: events of the request that are none, with their place.
            source: name of the protocol.
            sender: whose key it was.
            facts: what the request told by itself.

        Raises:
            TooManyEventsError: the sender sent more than it may, or too many events wait already.
            StorageUnavailableError: they cannot be stored now.
        """
        self._check_rate(sender, facts, len(records) + len(untranslatable))
        self.erased.refresh()
        admitted = self._door.admit(records, facts, sender.is_browser)
        submission = Submission(
            admitted.records, [places[place] for place in admitted.places], source, facts.received_at
        )
        for place, failure in untranslatable:
            payload = self._door.cleaned_payload(failure.payload)
            submission.letters.append(submission.reject(place, failure.field, failure.reason, payload))
        for refused in admitted.refused:
            place = places[refused.index]
            submission.letters.append(submission.reject(place, refused.field, refused.reason, ""))
        rejected = await self._stored(submission) if submission.records or submission.letters else []
        self.counts.add("withheld", admitted.withheld)
        accepted = len(admitted.records) - (len(rejected) - len(untranslatable) - len(admitted.refused))
        return Outcome(accepted, rejected, admitted.withheld)

    @property
    def counts(self) -> Counts:
        """Events since the start."""
        return self._started.counts

    @property
    def queued(self) -> int:
        """Events that wait to be stored."""
        return self._started.queued

    @property
    def _started(self) -> Writer:
        if self._writer is None:
            raise RuntimeError("the collector is not started")
        return self._writer

    def _check_rate(self, sender: Sender, facts: Facts, events: int) -> None:
        if sender.kind == "open":
            return
        limit, who = (self._secret_rate, sender.key_id)
        if sender.is_browser:
            limit, who = (self._browser_rate, f"{sender.key_id} {facts.address}")
        wait = limit.wait(who, events)
        if wait:
            self.counts.add("refused", events)
            raise TooManyEventsError("this key sends more than it may", wait)

    async def _stored(self, submission: Submission) -> list[Rejection]:
        submission.done = asyncio.get_running_loop().create_future()
        self._started.put(submission)
        return await submission.done

    def _written(self, written: Written) -> None:
        """In the writer's thread: have the group answered on the event loop."""
        assert self._loop is not None
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._answer, written)

    def _answer(self, written: Written) -> None:
        if written.accepted is not None and len(written.accepted):
            for subscriber in self._subscribers:
                try:
                    subscriber(written.accepted)
                except Exception:  # the events are durable, whatever a listener makes of them
                    log.exception("a subscriber failed on %d events", len(written.accepted))
        for submission in written.group:
            if submission.done is None or submission.done.done():
                continue
            if written.error is not None:
                submission.done.set_exception(written.error)
            else:
                submission.done.set_result(sorted(submission.rejected, key=lambda rejection: rejection.index))


def _submission(records: Sequence[Any], source: str, then_seal: bool = False) -> Submission:
    own = [
        {name: value for name, value in record.items() if value is not None}
        if isinstance(record, dict)
        else record
        for record in records
    ]
    return Submission(own, range(len(own)), source, dt.datetime.now(dt.UTC), then_seal)

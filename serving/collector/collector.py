"""The collector: completes and checks records, and stores them durably before it answers."""

from __future__ import annotations

import asyncio
import datetime as dt
import logging
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import pyarrow as pa

from ml.events.live_dead_letters import RejectionLog, recover_dead_letters
from ml.events.live_log import recover_parts
from ml.events.log import EventLog
from ml.events.normalization.fields import restore_ids_of
from ml.home import Home
from ml.keys.key_file import KeyFile
from ml.privacy.erased_ids import ErasedIds
from ml.privacy.pseudonyms import Pseudonyms
from ml.settings import Settings
from serving.access import Access, KeyRegistry, Keys
from serving.admission.client_address import network_of
from serving.admission.cors import Cors
from serving.admission.rate_limits import RateLimit
from serving.collector.enrichment.records import Enrichment
from serving.collector.intake import AdmittedRecords, Intake
from serving.collector.keys import KeyRing, Sender
from serving.collector.placeholder_ids import PlaceholderIds
from serving.collector.protocols.translation import TranslationFailure
from serving.collector.request_metadata import RequestMetadata
from serving.collector.requests import HEAVY_BYTES
from serving.collector.sinks import open_sink
from serving.collector.submissions import (
    CommittedGroup,
    EventCounters,
    Rejection,
    Submission,
    SubmissionResult,
    TooManyEventsError,
)
from serving.collector.withheld_totals import WithheldTotals
from serving.collector.writer import Writer
from serving.privacy.identity_token import IdentityTokens

logger = logging.getLogger(__name__)

NO_KEYS = Keys()
NOTED_BY_SERVICE = frozenset(
    {"served", "exposure", "preference", "consent_granted", "consent_withdrawn", "erased"}
)
Subscriber = Callable[[pa.Table], None]


class Collector:
    """Accepts records and answers once they are durable.

    Args:
        home: where the event log is.
        settings: the sections `collector`, `privacy` and `kafka` are read.
        keys: keys of the environment that may send events, beside those of the home; without any key only callers
            on this machine may.
        identity_secrets: secrets that identity tokens may be signed with.

    Attributes:
        access: the keys, for every route of the service.
        keys: where each protocol of the collector carries a key.
        cors: which pages may read the answers.
        identity_tokens: what vouches for the users that browsers name.
    """

    def __init__(
        self, home: Home, settings: Settings, keys: Keys = NO_KEYS, identity_secrets: Sequence[str] = ()
    ) -> None:
        self.home = home
        self.settings = settings
        self.access = Access(KeyRegistry(keys, KeyFile(home)), settings.collector.trusted_proxies)
        self.keys = KeyRing(self.access)
        self.cors = Cors(settings.collector.cors_origins, self.access.keys)
        self.identity_tokens = IdentityTokens(identity_secrets, settings.serving.identity_token_hours)
        limits = settings.collector
        self._browser_rate = RateLimit(limits.browser_events_per_second, limits.browser_burst_events)
        secret_rate = limits.secret_events_per_second
        self._secret_rate = RateLimit(secret_rate, max(secret_rate, limits.max_batch_events))
        self._totals = WithheldTotals(home)
        self.erased = ErasedIds(home)
        self._enrichment = Enrichment(settings)
        self._intake = Intake(
            settings,
            Pseudonyms(home.path),
            self._totals,
            self.erased,
            self.identity_tokens,
            self._enrichment,
        )
        self._placeholders = PlaceholderIds()
        self._heavy_work = asyncio.Lock()
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
        self._writer = Writer(
            self.settings.collector,
            sink,
            RejectionLog(self.home),
            self._totals,
            self.erased,
            self._group_committed,
        )
        self._writer.start()

    async def close(self) -> None:
        """Write what is queued, seal the open part, stop. A second call changes nothing."""
        if self._writer is None:
            return
        writer, self._writer = self._writer, None
        await asyncio.to_thread(writer.close)

    def clean_id(self, person: str, name: str) -> str:
        """Return the id under which an event of a person is kept; see `Intake.clean_id`."""
        return self._intake.clean_id(person, name)

    def is_flood(self, key_id: str, address: str | None, visitor: str) -> bool:
        """Return whether a visitor, who asks or sends now, is one too many of a network; see `VisitorFloods`."""
        return self._intake.is_flood(key_id, address, visitor, dt.datetime.now(dt.UTC))

    def find_country(self, address: str | None) -> str | None:
        """Return the country of an address, by its network alone; None for a private or unknown one."""
        return self._enrichment.find_country(address)

    def subscribe(self, subscriber: Subscriber) -> None:
        """Call `subscriber` with every accepted batch (EVENT_SCHEMA), on the event loop, before the answer."""
        self._subscribers.append(subscriber)

    async def record(
        self, records: Sequence[Any], source: str = "service", seal_after: bool = False
    ) -> list[Rejection]:
        """Store records of the service itself and return once they are durable.

        The records are JSON-like dicts with the contract's fields. Their `authority` is `service`, and `event_id`,
        `occurred_at` and `received_at` are filled in where absent.

        Args:
            records: The records.
            source: The name of the source that the log keeps with the events.
            seal_after: seal the open files after these events, so that no file with these or earlier events is
                open when the call returns.

        Returns:
            The rejected records with their reasons; an empty list means that every record is durable.

        Raises:
            TooManyEventsError: too many events wait already.
            StorageUnavailableError: they cannot be stored now.
        """
        submission = self._submit(records, source, seal_after)
        rejected = await self._store(submission)
        if seal_after and submission.sealed is not None:
            await asyncio.wait([asyncio.wrap_future(submission.sealed)])
        return rejected

    def record_soon(self, records: Sequence[Any], source: str = "service") -> None:
        """Store records without waiting for the disk.

        Raises:
            TooManyEventsError: too many events wait already.
        """
        self._started.put(self._submit(records, source))

    async def take(
        self,
        records: Sequence[Any],
        event_indexes: Sequence[int],
        failures: Sequence[tuple[int, TranslationFailure]],
        *,
        source: str,
        sender: Sender,
        metadata: RequestMetadata,
        identity_token: Any = None,
    ) -> SubmissionResult:
        """Prepare the records of a request for storage and store those that the site accepts.

        Args:
            records: events in the contract's fields, as a protocol translates them.
            event_indexes: position of each record's event in the request.
            failures: events that the protocol could not translate, each with its position in the request.
            source: name of the protocol.
            sender: the owner of the key that the request carries.
            metadata: address, browser and privacy signals from the headers of the request.
            identity_token: the token of the request's body, which stands before the one of its headers.

        Raises:
            TooManyEventsError: the sender sent more than it may, or too many events wait already.
            StorageUnavailableError: they cannot be stored now.
        """
        self._check_rate(sender, metadata, len(records) + len(failures))
        self.erased.refresh()
        prepare = partial(
            self._prepare, records, event_indexes, failures, source, sender, metadata, identity_token
        )
        if metadata.body_bytes > HEAVY_BYTES:
            # One at a time: the others are answered meanwhile, and heavy requests cannot fill the memory.
            async with self._heavy_work:
                admitted, submission = await asyncio.to_thread(prepare)
        else:
            admitted, submission = prepare()
        rejected = await self._store(submission) if submission.records or submission.letters else []
        self.counts.add("withheld", admitted.withheld)
        accepted = len(admitted.records) - (len(rejected) - len(failures) - len(admitted.refused))
        return SubmissionResult(accepted, rejected, admitted.withheld, admitted.warnings)

    @property
    def counts(self) -> EventCounters:
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

    def _check_rate(self, sender: Sender, metadata: RequestMetadata, events: int) -> None:
        if sender.kind == "open":
            return
        limit, who = (self._secret_rate, sender.key_id)
        if sender.is_browser:
            limit, who = (self._browser_rate, f"{sender.key_id} {network_of(metadata.address)}")
        wait = limit.wait(who, events)
        if wait:
            self.counts.add("refused", events)
            raise TooManyEventsError("this key sends more than it may", wait)

    def _prepare(
        self,
        records: Sequence[Any],
        event_indexes: Sequence[int],
        failures: Sequence[tuple[int, TranslationFailure]],
        source: str,
        sender: Sender,
        metadata: RequestMetadata,
        identity_token: str | None,
    ) -> tuple[AdmittedRecords, Submission]:
        admitted = self._intake.admit(records, metadata, sender, identity_token)
        self._placeholders.report(admitted.placeholders, sender, source, metadata.received_at)
        submission = Submission(
            admitted.records,
            [event_indexes[position] for position in admitted.positions],
            source,
            metadata.received_at,
        )
        for event_index, failure in failures:
            # Under a name of its own, so that no replay takes what a browser made up for an event of the contract.
            payload = self._intake.redact_payload({"untranslated": failure.payload})
            submission.letters.append(submission.reject(event_index, failure.field, failure.reason, payload))
        for refused in admitted.refused:
            event_index = event_indexes[refused.index]
            submission.letters.append(submission.reject(event_index, refused.field, refused.reason, ""))
        return admitted, submission

    def _submit(self, records: Sequence[Any], source: str, seal_after: bool = False) -> Submission:
        """Return the submission of records of the service itself, which it vouches for.

        What a person did counts with the consent that trusted callers grant by default. What the service notes
        about a person says nothing about their consent.
        """
        default = list(self.settings.privacy.default_consent_trusted)
        completed = []
        for record in records:
            if not isinstance(record, dict):
                completed.append(record)
                continue
            is_note = record.get("event_type") in NOTED_BY_SERVICE
            given = {name: value for name, value in record.items() if value is not None}
            restore_ids_of(given)
            completed.append({**({} if is_note else {"consent": default}), **given, "authority": "service"})
        return Submission(completed, range(len(completed)), source, dt.datetime.now(dt.UTC), seal_after)

    async def _store(self, submission: Submission) -> list[Rejection]:
        submission.done = asyncio.get_running_loop().create_future()
        self._started.put(submission)
        return await submission.done

    def _group_committed(self, committed: CommittedGroup) -> None:
        """Schedule the answers of a group on the event loop; the writer's thread calls this."""
        assert self._loop is not None
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._answer_group, committed)

    def _answer_group(self, committed: CommittedGroup) -> None:
        if committed.accepted is not None and len(committed.accepted):
            for subscriber in self._subscribers:
                try:
                    subscriber(committed.accepted)
                except Exception:  # the events are durable, whatever a listener makes of them
                    logger.exception("a subscriber failed on %d events", len(committed.accepted))
        for submission in committed.group:
            if submission.done is None or submission.done.done():
                continue
            if committed.error is not None:
                submission.done.set_exception(committed.error)
            else:
                submission.done.set_result(sorted(submission.rejected, key=lambda rejection: rejection.index))

"""Intake: completes every record and removes what may not be kept, before anything is written."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson

from ml.events.contract import FIELD_NAMES, SUSPECTED
from ml.events.normalization.fields import normalize_record
from ml.events.normalization.user_agents import is_browser_agent
from ml.privacy.erased_ids import ErasedIds
from ml.privacy.pseudonyms import Pseudonyms
from ml.settings import Settings
from serving.admission.client_address import network_of
from serving.collector.authority import (
    CLAIMED_DEVICE,
    CLAIMED_USER,
    Authority,
    RefusedEventError,
    check_identified,
    check_type,
    check_value,
    claim,
    remove_reserved_properties,
)
from serving.collector.enrichment.clock import correct_clock, parse_time
from serving.collector.enrichment.geolocation import truncate_address
from serving.collector.enrichment.records import Enrichment, text_or_none
from serving.collector.keys import Sender
from serving.collector.placeholder_ids import placeholder_warnings
from serving.collector.privacy.consent import CONTROL_EVENT_TYPES, remove_location, resolve_purposes
from serving.collector.privacy.device_context import coarsen_device_context
from serving.collector.privacy.personal_data import (
    DROPPED,
    PiiRules,
    RefusedPersonalDataError,
    redact,
    redact_text,
)
from serving.collector.request_metadata import RequestMetadata
from serving.collector.requests import find_fault
from serving.collector.visitor_floods import VisitorFloods
from serving.collector.withheld_totals import WithheldTotals
from serving.privacy.identity_token import FIELD as IDENTITY_FIELD
from serving.privacy.identity_token import Identity, IdentityTokenError, IdentityTokens

TEXT_FIELDS = ("page_url", "page_title", "referrer")
# Fields that protocols pass to the intake and that no stored event keeps.
TRANSIENT_FIELDS = (
    "sent_at", "user_agent", "client_hints", "address", "latitude", "longitude", "identity_token"
)  # fmt: skip
CHECKED_ELSEWHERE = frozenset(FIELD_NAMES) - {"properties"}


@dataclass
class RefusedRecord:
    """A record that is refused. It has no payload, which may hold what the site may not store."""

    index: int
    field: str
    reason: str


@dataclass
class AdmittedRecords:
    """Admitted records with their positions in the input, refused records, and the number of withheld records.

    `warnings` say what was not taken at its word, each once. `placeholders` counts the ids that name nobody, by
    field and word.
    """

    records: list[Any] = field(default_factory=list)
    positions: list[int] = field(default_factory=list)
    refused: list[RefusedRecord] = field(default_factory=list)
    withheld: int = 0
    warnings: list[str] = field(default_factory=list)
    placeholders: Counter[str] = field(default_factory=Counter)


class Intake:
    """Applies enrichment, privacy rules and the limits of the sender to the records of a request.

    Args:
        settings: sections `collector` and `privacy`.
        pseudonyms: keyed hashes of this site.
        totals: counter of events that are withheld for want of consent.
        erased: ids of erased people, whose events are dropped.
        identity_tokens: what vouches for the users that browsers name.
        enrichment: what the collector adds to an event.
    """

    def __init__(
        self,
        settings: Settings,
        pseudonyms: Pseudonyms,
        totals: WithheldTotals,
        erased: ErasedIds,
        identity_tokens: IdentityTokens,
        enrichment: Enrichment,
    ) -> None:
        self._collector = settings.collector
        self._privacy = settings.privacy
        self._pseudonyms = pseudonyms
        self._totals = totals
        self._erased = erased
        self._identity_tokens = identity_tokens
        self._enrichment = enrichment
        self._floods = VisitorFloods(settings.collector.browser_visitors_per_hour)
        privacy = settings.privacy
        self._pii = PiiRules(
            privacy.email, privacy.phone, privacy.other_personal_data,
            frozenset(privacy.email_fields), frozenset(privacy.phone_fields), frozenset(privacy.other_fields),
        )  # fmt: skip

    def admit(
        self, records: Sequence[Any], metadata: RequestMetadata, sender: Sender, identity_token: Any = None
    ) -> AdmittedRecords:
        """Prepare records for validation. Values that are not objects pass unchanged, for validation to reject.

        Args:
            records: What the sender sent, in the fields of the contract.
            metadata: What the headers of the request say.
            sender: Who sent the request.
            identity_token: The token of the request's body. A record may have one that stands before it.
        """
        admitted = AdmittedRecords()
        if identity_token is None:
            identity_token = metadata.identity_token
        identities = _Identities(self._identity_tokens, identity_token, admitted.warnings)
        for index, record in enumerate(records):
            if not isinstance(record, dict):
                admitted.records.append(record)
                admitted.positions.append(index)
                continue
            try:
                kept = self._prepare(record, metadata, sender, identities, admitted.placeholders)
            except (RefusedEventError, RefusedPersonalDataError) as refusal:
                admitted.refused.append(RefusedRecord(index, refusal.field, refusal.reason))
                continue
            if kept is None:
                admitted.withheld += 1
                self._totals.count(metadata.received_at.date(), record.get("event_type"))
                continue
            admitted.records.append(kept)
            admitted.positions.append(index)
        admitted.warnings += placeholder_warnings(admitted.placeholders)
        return admitted

    def redact_payload(self, payload: Any) -> str:
        """Convert a payload that is not an event to JSON text for the dead letters, without personal data."""
        try:
            kept = redact(payload, self._pii, self._pseudonyms.pseudonymize)
        except RefusedPersonalDataError:
            return ""
        return orjson.dumps(kept, default=str, option=orjson.OPT_NON_STR_KEYS).decode("utf-8", "replace")

    def _prepare(
        self,
        given: dict[str, Any],
        metadata: RequestMetadata,
        sender: Sender,
        identities: _Identities,
        placeholders: Counter[str],
    ) -> dict[str, Any] | None:
        from_browser = sender.is_browser
        record = {name: value for name, value in given.items() if value is not None}
        transient = {name: record.pop(name) for name in TRANSIENT_FIELDS if name in record}
        self._convert_properties(record)
        ids = normalize_record(record)
        if ids:
            placeholders.update(ids)
            check_identified(record.get("event_type"), ids)
        remove_reserved_properties(record)
        identity = identities.of(transient.get("identity_token")) if from_browser else None
        authority = _authority(record, sender, identity)
        check_type(record.get("event_type"), authority)
        if from_browser:
            check_value(record.get("value"), self._collector.max_browser_value)
        self._set_clock(record, transient, metadata.received_at)
        granted = self._purposes(record, metadata, from_browser)
        agent = text_or_none(transient.get("user_agent") or metadata.user_agent)
        address = text_or_none(transient.get("address"))
        if address is None and (from_browser or is_browser_agent(metadata.user_agent)):
            address = metadata.address
        control = text_or_none(record.get("event_type")) in CONTROL_EVENT_TYPES
        if isinstance(granted, list):
            record["consent"] = granted
            if "analytics" not in granted and not control:
                return None
        self._set_ids(record, metadata, agent, address)
        self._enrichment.complete(record, transient, metadata, agent, address)
        if isinstance(granted, list) and not control:
            if "personalization" not in granted:
                if record.get("event_type") == "identify":
                    return None  # the event holds nothing but a link to a person
                user_id = text_or_none(record.pop("user_id", None))
                if not record.get("anonymous_id"):
                    record["anonymous_id"] = self._pseudonyms.visitor_id(
                        metadata.received_at.date(), user_id, agent
                    )
            if "location" not in granted:
                remove_location(record)
        self._coarsen(record, granted)
        if from_browser:  # without its user, the event is no longer signed
            authority = _authority(record, sender, identity)
            check_type(record.get("event_type"), authority)
        record["authority"] = authority
        if authority == "browser":
            self._claim_user(record, metadata, agent, address)
            self._suspect_flood(record, metadata, sender)
        elif identity is not None and record.get("anonymous_id") not in (None, identity.anonymous_id):
            claim(record, "anonymous_id", CLAIMED_DEVICE)
        return self._remove_erased(self._remove_personal_data(record))

    def _convert_properties(self, record: dict[str, Any]) -> None:
        """Convert properties to an object of this record's own, in place.

        Raises:
            RefusedEventError: The properties are a text that is no JSON, or JSON that no request may hold.
        """
        properties = record.get("properties")
        if isinstance(properties, str):
            try:
                properties = orjson.loads(properties)
            except orjson.JSONDecodeError:
                raise RefusedEventError("properties", "is not a JSON object") from None
            fault = find_fault(properties, self._collector)
            if fault:
                raise RefusedEventError("properties", fault)
            record["properties"] = properties
        elif isinstance(properties, dict):
            record["properties"] = dict(properties)

    def _claim_user(
        self, record: dict[str, Any], metadata: RequestMetadata, agent: str | None, address: str | None
    ) -> None:
        """Turn the user that a browser names into a claim on its device, in place.

        An event without an `anonymous_id` gets the id of a visitor without cookies.
        """
        if "user_id" not in record:
            return
        claim(record, "user_id", CLAIMED_USER)
        if not record.get("anonymous_id"):
            record["anonymous_id"] = self._pseudonyms.visitor_id(
                metadata.received_at.date(), truncate_address(address), agent
            )

    def is_flood(self, key_id: str, address: str | None, visitor: str, at: dt.datetime) -> bool:
        """Return whether a visitor is one too many of the network of an address; see `VisitorFloods`."""
        return self._floods.is_flood(key_id, network_of(address), visitor, at)

    def _suspect_flood(self, record: dict[str, Any], metadata: RequestMetadata, sender: Sender) -> None:
        """Mark an event of one visitor too many, in place. It is kept, and enters no figure and no model."""
        visitor = str(record.get("anonymous_id"))
        if not self.is_flood(sender.key_id, metadata.address, visitor, metadata.received_at):
            return
        if isinstance(record.setdefault("properties", {}), dict):
            record["properties"][SUSPECTED] = "more visitors of one network than people"

    def _remove_erased(self, record: dict[str, Any]) -> dict[str, Any] | None:
        """Apply `ErasedIds.without` to a record; None if every person that it names is erased.

        What a record claims about an erased person is left out of it. To refuse the record would tell anybody who
        asked to be erased.
        """
        if not self._erased:
            return record
        properties = record.get("properties")
        claims = properties if isinstance(properties, dict) else {}
        if record.get("user_id") in self._erased:
            return None
        if claims.get(CLAIMED_USER) in self._erased:
            del claims[CLAIMED_USER]
        if self._erased.has_device(claims.get(CLAIMED_DEVICE)):
            del claims[CLAIMED_DEVICE]
        if not self._erased.has_device(record.get("anonymous_id")):
            return record
        return {**record, "anonymous_id": None} if record.get("user_id") else None

    def _set_clock(self, record: dict[str, Any], transient: Mapping[str, Any], received_at: dt.datetime) -> None:
        sent_at = parse_time(transient["sent_at"]) if "sent_at" in transient else None
        occurred_at = parse_time(record["occurred_at"]) if sent_at and "occurred_at" in record else None
        if occurred_at is not None:
            record["occurred_at"] = correct_clock(occurred_at, sent_at, received_at)

    def _purposes(self, record: dict[str, Any], metadata: RequestMetadata, from_browser: bool) -> Any:
        privacy = self._privacy
        default = privacy.default_consent_browser if from_browser else privacy.default_consent_trusted
        signals = []
        if metadata.global_privacy_control:
            signals.append(privacy.global_privacy_control)
        if metadata.do_not_track:
            signals.append(privacy.do_not_track)
        return resolve_purposes(record.get("consent"), default, signals)

    def _set_ids(
        self, record: dict[str, Any], metadata: RequestMetadata, agent: str | None, address: str | None
    ) -> None:
        rule = self._privacy.cookieless
        nobody = not record.get("anonymous_id") and not record.get("user_id")
        if rule == "always" or (rule == "fallback" and (nobody or metadata.is_anonymous_request)):
            record.pop("session_id", None)
            record.pop("user_id", None)
            record["anonymous_id"] = self._pseudonyms.visitor_id(
                metadata.received_at.date(), truncate_address(address), agent
            )

    def _coarsen(self, record: dict[str, Any], granted: Any) -> None:
        properties = record.get("properties")
        if isinstance(properties, dict) and "device_context" in properties:
            context = properties.pop("device_context")
            may_keep = isinstance(granted, list) and "personalization" in granted
            coarse = coarsen_device_context(context) if may_keep else {}
            if coarse:
                properties["device_context"] = coarse

    def clean_id(self, person: str, name: str) -> str:
        """Return the id that an event keeps of a person: a pseudonym if it is an e-mail address.

        Raises:
            RefusedPersonalDataError: The site refuses such an id.
        """
        return redact_text(person, self._pii, self._pseudonyms.pseudonymize, name) if "@" in person else person

    def _remove_personal_data(self, record: dict[str, Any]) -> dict[str, Any]:
        rules, pseudonym = self._pii, self._pseudonyms.pseudonymize
        for name in TEXT_FIELDS:
            value = record.get(name)
            if isinstance(value, str):
                record[name] = redact_text(value, rules, pseudonym, name)
        for name in ("user_id", "anonymous_id"):
            value = record.get(name)
            if isinstance(value, str):
                record[name] = self.clean_id(value, name)
        for name in [name for name in record if name not in CHECKED_ELSEWHERE]:
            value = redact(record[name], rules, pseudonym, name)
            if value is DROPPED:
                del record[name]
            else:
                record[name] = value
        return record


class _Identities:
    """The identities that the tokens of one request vouch for; each token is verified once.

    Args:
        tokens: Verifies them.
        token: The token of the request, for records that have none.
        warnings: Where what is wrong with a token is written.
    """

    def __init__(self, tokens: IdentityTokens, token: Any, warnings: list[str]) -> None:
        self._tokens = tokens
        self._token = token
        self._warnings = warnings
        self._verified: dict[str, Identity | None] = {}

    def of(self, token: Any) -> Identity | None:
        """Return whom the token of a record vouches for, None without a valid one."""
        token = self._token if token is None else token
        if token is None:
            return None
        key = token if isinstance(token, str) else ""
        if key not in self._verified:
            self._verified[key] = self._verify(key)
        return self._verified[key]

    def _verify(self, token: str) -> Identity | None:
        try:
            return self._tokens.verify(token)
        except IdentityTokenError as error:
            warning = f"{IDENTITY_FIELD}: {error}; the events count as those of an unknown visitor"
            if warning not in self._warnings:
                self._warnings.append(warning)
            return None


def _authority(record: dict[str, Any], sender: Sender, identity: Identity | None) -> Authority:
    """Return who vouches for the user that a record names."""
    if not sender.is_browser:
        return "server"
    return "signed" if identity is not None and record.get("user_id") == identity.user_id else "browser"

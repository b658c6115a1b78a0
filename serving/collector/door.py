"""The door: every record is completed, and stripped of what may not be kept, before anything is written."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson

from ml.events.contract import FIELD_NAMES
from ml.privacy.erased_ids import ErasedIds
from ml.privacy.pseudonyms import Pseudonyms
from ml.settings import Settings
from serving.collector.enrichment.channel import campaign_of, channel_of
from serving.collector.enrichment.clock import corrected, moment
from serving.collector.enrichment.device import Hints, device_of, looks_like_a_browser
from serving.collector.enrichment.place import Places, kept_address, place_of, truncated
from serving.collector.facts import Facts
from serving.collector.privacy.coarse import coarse_device_context
from serving.collector.privacy.consent import CONTROL, purposes, without_person, without_position
from serving.collector.privacy.personal_data import DROPPED, PiiRules, RefusedDatumError, cleaned, cleaned_text
from serving.collector.totals import WithheldTotals

TEXT_FIELDS = ("page_url", "page_title", "referrer")
# What protocols hand to the door and no event keeps.
HANDED_OVER = ("sent_at", "user_agent", "client_hints", "address", "latitude", "longitude")
CHECKED_ELSEWHERE = frozenset(FIELD_NAMES) - {"properties"}


@dataclass
class Refused:
    """A record that is not taken. The payload is left out: it holds what the site does not want to hold."""

    index: int
    field: str
    reason: str


@dataclass
class Admitted:
    """What came through: records with their places in the request, refused ones, how many were only counted."""

    records: list[Any] = field(default_factory=list)
    places: list[int] = field(default_factory=list)
    refused: list[Refused] = field(default_factory=list)
    withheld: int = 0


class Door:
    """Enrichment and privacy for the records of one request.

    Args:
        settings: sections `collector` and `privacy`.
        pseudonyms: keyed hashes of this site.
        totals: counts events that are not kept.
        erased: people whose events are not kept.
    """

    def __init__(
        self, settings: Settings, pseudonyms: Pseudonyms, totals: WithheldTotals, erased: ErasedIds
    ) -> None:
        self._collector = settings.collector
        self._privacy = settings.privacy
        self._pseudonyms = pseudonyms
        self._totals = totals
        self._erased = erased
        self._places = Places(settings.collector.country_database)
        pattern = settings.collector.item_url_pattern
        self._item_url = re.compile(pattern) if pattern else None
        privacy = settings.privacy
        self._pii = PiiRules(
            privacy.email, privacy.phone, privacy.other_personal_data,
            frozenset(privacy.email_fields), frozenset(privacy.phone_fields), frozenset(privacy.other_fields),
        )  # fmt: skip

    def admit(self, records: Sequence[Any], facts: Facts, from_browser: bool) -> Admitted:
        """Records ready for validation; what is no object passes, for validation to reject it."""
        admitted = Admitted()
        for index, record in enumerate(records):
            if not isinstance(record, dict):
                admitted.records.append(record)
                admitted.places.append(index)
                continue
            try:
                kept = self._admit_one(record, facts, from_browser)
            except RefusedDatumError as refusal:
                admitted.refused.append(Refused(index, refusal.field, refusal.reason))
                continue
            if kept is None:
                admitted.withheld += 1
                self._totals.count(facts.received_at.date(), record.get("event_type"))
                continue
            admitted.records.append(kept)
            admitted.places.append(index)
        return admitted

    def cleaned_payload(self, payload: Any) -> str:
        """A payload that is no event, as JSON text for the dead letters, without personal data."""
        try:
            kept = cleaned(payload, self._pii, self._pseudonyms.pseudonymize)
        except RefusedDatumError:
            return ""
        return orjson.dumps(kept, default=str, option=orjson.OPT_NON_STR_KEYS).decode("utf-8", "replace")

    def _admit_one(self, given: dict[str, Any], facts: Facts, from_browser: bool) -> dict[str, Any] | None:
        record = {name: value for name, value in given.items() if value is not None}
        handed = {name: record.pop(name, None) for name in HANDED_OVER}
        if isinstance(record.get("properties"), dict):
            record["properties"] = dict(record["properties"])
        self._set_clock(record, handed, facts.received_at)
        granted = self._purposes(record, facts, from_browser)
        agent = handed["user_agent"] or facts.user_agent
        agent = agent if isinstance(agent, str) else None
        address = handed["address"] if isinstance(handed["address"], str) else None
        if address is None and (from_browser or looks_like_a_browser(facts.user_agent)):
            address = facts.address
        control = _text(record.get("event_type")) in CONTROL
        if isinstance(granted, list):
            record["consent"] = granted
            if "analytics" not in granted and not control:
                return None
        self._set_ids(record, facts, agent, address)
        self._enrich(record, handed, facts, agent, address)
        if isinstance(granted, list) and not control:
            if "personalization" not in granted:
                if record.get("event_type") == "identify":
                    return None  # a link to a person is all that it holds
                visitor = self._pseudonyms.visitor_id(
                    facts.received_at.date(), _text(record.get("user_id")), agent
                )
                record = without_person(record, visitor)
            if "location" not in granted:
                record = without_position(record)
        self._coarsen(record, granted)
        return self._without_erased(self._without_personal_data(record))

    def _without_erased(self, record: dict[str, Any]) -> dict[str, Any] | None:
        """As `ErasedIds.without` for one record: None where nobody is left whose event it is."""
        if not self._erased:
            return record
        if record.get("user_id") in self._erased:
            return None
        if record.get("anonymous_id") not in self._erased:
            return record
        return {**record, "anonymous_id": None} if record.get("user_id") else None

    def _set_clock(self, record: dict[str, Any], handed: dict[str, Any], received_at: dt.datetime) -> None:
        sent_at = moment(handed["sent_at"]) if handed["sent_at"] is not None else None
        occurred_at = moment(record["occurred_at"]) if sent_at and "occurred_at" in record else None
        if occurred_at is not None:
            record["occurred_at"] = corrected(occurred_at, sent_at, received_at)

    def _purposes(self, record: dict[str, Any], facts: Facts, from_browser: bool) -> Any:
        privacy = self._privacy
        default = privacy.default_consent_browser if from_browser else privacy.default_consent_trusted
        signals = []
        if facts.global_privacy_control:
            signals.append(privacy.global_privacy_control)
        if facts.do_not_track:
            signals.append(privacy.do_not_track)
        return purposes(record.get("consent"), default, signals)

    def _set_ids(self, record: dict[str, Any], facts: Facts, agent: str | None, address: str | None) -> None:
        rule = self._privacy.cookieless
        nobody = not record.get("anonymous_id") and not record.get("user_id")
        if rule == "always" or (rule == "fallback" and (nobody or facts.wants_no_ids)):
            record.pop("session_id", None)
            record.pop("user_id", None)
            record["anonymous_id"] = self._pseudonyms.visitor_id(
                facts.received_at.date(), truncated(address), agent
            )

    def _enrich(
        self, record: dict[str, Any], handed: dict[str, Any], facts: Facts, agent: str | None, address: str | None
    ) -> None:
        is_browser = looks_like_a_browser(agent)
        hints = from_hints(handed["client_hints"])
        if is_browser or hints:
            device = device_of(agent, hints or facts.hints)
            found = {"device_type": device.device_type, "os": device.os, "browser": device.browser}
            for name, value in found.items():
                if value and not record.get(name):
                    record[name] = value
        if is_browser and facts.language and not record.get("language"):
            record["language"] = facts.language
        position = _position(handed, self._privacy.coordinate_decimals)
        network = truncated(address)
        country = self._places.country_of(network) if network else None
        for name in ("timezone", "country"):
            value = position.pop(name, None) or (country if name == "country" else None)
            if value and not record.get(name):
                record[name] = value
        more = {**position, "ip": kept_address(address, self._privacy.address)}
        url = record.get("page_url") if isinstance(record.get("page_url"), str) else None
        if url and self._item_url and not record.get("item_id") and (match := self._item_url.search(url)):
            record["item_id"] = match["item_id"]
        if record.get("event_type") == "page_view" and (url or record.get("referrer")):
            properties = record.get("properties") if isinstance(record.get("properties"), dict) else {}
            campaign = {
                **campaign_of(url),
                **{k: v for k, v in (properties or {}).items() if k.startswith("utm_")},
            }
            channel = channel_of(url, _text(record.get("referrer")), _text(campaign.get("utm_medium")) or "")
            more |= {**campaign, "channel": channel}
        more = {name: value for name, value in more.items() if value is not None}
        if more and isinstance(record.get("properties", {}), dict):
            record["properties"] = {**more, **record.get("properties", {})}

    def _coarsen(self, record: dict[str, Any], granted: Any) -> None:
        properties = record.get("properties")
        if isinstance(properties, dict) and "device_context" in properties:
            context = properties.pop("device_context")
            may_keep = isinstance(granted, list) and "personalization" in granted
            coarse = coarse_device_context(context) if may_keep else {}
            if coarse:
                properties["device_context"] = coarse

    def _without_personal_data(self, record: dict[str, Any]) -> dict[str, Any]:
        rules, pseudonym = self._pii, self._pseudonyms.pseudonymize
        for name in TEXT_FIELDS:
            value = record.get(name)
            if isinstance(value, str):
                record[name] = cleaned_text(value, rules, pseudonym, name)
        for name in ("user_id", "anonymous_id"):
            value = record.get(name)
            if isinstance(value, str) and "@" in value:
                record[name] = cleaned_text(value, rules, pseudonym, name)
        for name in record.keys() - CHECKED_ELSEWHERE:
            value = cleaned(record[name], rules, pseudonym, name)
            if value is DROPPED:
                del record[name]
            else:
                record[name] = value
        return record


def from_hints(value: Any) -> Hints | None:
    """Client hints as JavaScript gives them: brands, isMobile or mobile, platform."""
    if not isinstance(value, dict):
        return None
    brands = value.get("brands")
    names = [entry.get("brand") for entry in brands if isinstance(entry, dict)] if isinstance(brands, list) else []
    mobile = value.get("isMobile", value.get("mobile"))
    return Hints(
        tuple(name for name in names if isinstance(name, str) and "Not" not in name)[:8],
        mobile if isinstance(mobile, bool) else None,
        _text(value.get("platform")),
    )


def _position(handed: dict[str, Any], decimals: int) -> dict[str, Any]:
    latitude, longitude = handed["latitude"], handed["longitude"]
    if isinstance(latitude, int | float) and isinstance(longitude, int | float):
        return place_of(float(latitude), float(longitude), decimals)
    return {}


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None

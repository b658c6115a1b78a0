"""Completes a record with what the request shows: device, language, place, item and channel."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ml.events.normalization.ids import clean_id
from ml.events.normalization.item_addresses import ItemAddresses
from ml.events.normalization.user_agents import detect_device, is_browser_agent, parse_client_hints
from ml.settings import Settings
from serving.collector.enrichment.channel import classify_channel, read_campaign
from serving.collector.enrichment.geolocation import (
    CountryLookup,
    apply_address_rule,
    locate_coordinates,
    truncate_address,
)
from serving.collector.request_metadata import RequestMetadata


class Enrichment:
    """Adds to records what their senders left out.

    Args:
        settings: sections `collector` and `privacy`.
    """

    def __init__(self, settings: Settings) -> None:
        self._countries = CountryLookup(settings.collector.country_database)
        self._addresses = ItemAddresses(settings.collector.item_url_pattern)
        self._address_rule = settings.privacy.address
        self._coordinate_decimals = settings.privacy.coordinate_decimals

    def find_country(self, address: str | None) -> str | None:
        """Return the country of an address, by its network alone; None for a private or unknown one."""
        network = truncate_address(address)
        return self._countries.country_of(network) if network else None

    def complete(
        self,
        record: dict[str, Any],
        transient: Mapping[str, Any],
        metadata: RequestMetadata,
        agent: str | None,
        address: str | None,
    ) -> None:
        """Add to a record what it lacks, in place: device, language, place, item and channel.

        Args:
            record: The event.
            transient: The fields of the event that are not stored.
            metadata: What the headers of the request say.
            agent: The user agent of the person's browser.
            address: The address of the person.
        """
        hints = parse_client_hints(transient["client_hints"]) if "client_hints" in transient else None
        is_browser = is_browser_agent(agent)
        if is_browser or hints:
            for name, value in detect_device(agent, hints or metadata.hints).facts.items():
                if not record.get(name):
                    record[name] = value
        if is_browser and metadata.language and not record.get("language"):
            record["language"] = metadata.language
        more: dict[str, Any] = {}
        if "latitude" in transient and "longitude" in transient:
            more = _locate(record, transient["latitude"], transient["longitude"], self._coordinate_decimals)
        if address is not None:
            country = self.find_country(address)
            if country and not record.get("country"):
                record["country"] = country
            kept_address = apply_address_rule(address, self._address_rule)
            if kept_address is not None:
                more["ip"] = kept_address
        url = text_or_none(record.get("page_url"))
        if url and not record.get("item_id"):
            item = self._addresses.item_of(url)
            cleaned = None if item is None else clean_id("item_id", item)
            if cleaned is not None:
                record["item_id"] = cleaned
        properties = record.get("properties")
        if record.get("event_type") == "page_view" and (url or record.get("referrer")):
            more |= _trace_visit(url, text_or_none(record.get("referrer")), properties)
        if more and (properties is None or isinstance(properties, dict)):
            record["properties"] = {**more, **(properties or {})}


def _locate(record: dict[str, Any], latitude: Any, longitude: Any, decimals: int) -> dict[str, Any]:
    """Add time zone and country of a position to a record that lacks them, and return the rounded position."""
    if not isinstance(latitude, int | float) or not isinstance(longitude, int | float):
        return {}
    position = locate_coordinates(float(latitude), float(longitude), decimals)
    for name in ("timezone", "country"):
        value = position.pop(name, None)
        if value and not record.get(name):
            record[name] = value
    return position


def _trace_visit(url: str | None, referrer: str | None, properties: Any) -> dict[str, Any]:
    """Return the campaign that brought a visit to a page, and the channel."""
    campaign: dict[str, Any] = dict(read_campaign(url))
    if isinstance(properties, dict):
        for name, value in properties.items():
            if name.startswith("utm_"):
                campaign[name] = value
    medium = text_or_none(campaign.get("utm_medium")) or ""
    return {**campaign, "channel": classify_channel(url, referrer, medium)}


def text_or_none(value: Any) -> str | None:
    """Return a text, None for what is none."""
    return value if isinstance(value, str) else None

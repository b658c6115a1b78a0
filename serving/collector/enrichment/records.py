"""Completes a record with what the request shows: device, language, place, item and channel."""

from __future__ import annotations

from typing import Any

from ml.events.normalization.item_addresses import ItemAddresses
from ml.settings import Settings
from serving.collector.enrichment.channel import classify_channel, read_campaign
from serving.collector.enrichment.device import detect_device, is_browser_agent, parse_client_hints
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
        transient: dict[str, Any],
        metadata: RequestMetadata,
        agent: str | None,
        address: str | None,
    ) -> None:
        """Add to a record what it lacks, in place: device, language, place, item and channel.

        Args:
            record: The event.
            transient: The fields that no stored event keeps, null where absent.
            metadata: What the headers of the request say.
            agent: The user agent of the person's browser.
            address: The address of the person.
        """
        is_browser = is_browser_agent(agent)
        hints = parse_client_hints(transient["client_hints"])
        if is_browser or hints:
            device = detect_device(agent, hints or metadata.hints)
            detected = {"device_type": device.device_type, "os": device.os, "browser": device.browser}
            for name, value in detected.items():
                if value and not record.get(name):
                    record[name] = value
        if is_browser and metadata.language and not record.get("language"):
            record["language"] = metadata.language
        position = _position(transient, self._coordinate_decimals)
        country = self.find_country(address)
        for name in ("timezone", "country"):
            value = position.pop(name, None) or (country if name == "country" else None)
            if value and not record.get(name):
                record[name] = value
        extra_properties = {**position, "ip": apply_address_rule(address, self._address_rule)}
        url = record.get("page_url") if isinstance(record.get("page_url"), str) else None
        item = self._addresses.item_of(url) if url and not record.get("item_id") else None
        if item is not None:
            record["item_id"] = item
        if record.get("event_type") == "page_view" and (url or record.get("referrer")):
            properties = record.get("properties") if isinstance(record.get("properties"), dict) else {}
            campaign = {
                **read_campaign(url),
                **{k: v for k, v in (properties or {}).items() if k.startswith("utm_")},
            }
            channel = classify_channel(
                url, text_or_none(record.get("referrer")), text_or_none(campaign.get("utm_medium")) or ""
            )
            extra_properties |= {**campaign, "channel": channel}
        extra_properties = {name: value for name, value in extra_properties.items() if value is not None}
        if extra_properties and isinstance(record.get("properties", {}), dict):
            record["properties"] = {**extra_properties, **record.get("properties", {})}


def _position(transient: dict[str, Any], decimals: int) -> dict[str, Any]:
    latitude, longitude = transient["latitude"], transient["longitude"]
    if isinstance(latitude, int | float) and isinstance(longitude, int | float):
        return locate_coordinates(float(latitude), float(longitude), decimals)
    return {}


def text_or_none(value: Any) -> str | None:
    """Return a text, None for what is none."""
    return value if isinstance(value, str) else None

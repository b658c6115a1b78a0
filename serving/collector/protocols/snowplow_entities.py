"""Snowplow's contexts: entities that travel with an event and say where, on what and about what it happened."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from serving.collector.protocols.translation import as_mapping, as_number, as_objects, as_text, drop_empty

MAX_ENTITIES = 50


@dataclass(frozen=True)
class Entities:
    """Entities by name (without vendor and version), in the order sent."""

    by_name: Mapping[str, list[Mapping[str, Any]]] = field(default_factory=dict)

    def first(self, name: str) -> Mapping[str, Any]:
        """The data of the first entity of a name; empty where there is none."""
        entities = self.by_name.get(name)
        return entities[0] if entities else {}

    def all(self, name: str) -> list[Mapping[str, Any]]:
        """The data of all entities of a name."""
        return self.by_name.get(name, [])

    def fields(self) -> dict[str, Any]:
        """Fields of the contract that entities fill."""
        item, experiment = self.first("item"), self.first("experiment")
        position, mobile = self.first("geolocation_context"), self.first("mobile_context")
        consent, hints = self.first("consent"), self.first("http_client_hints")
        products = self.all("product")
        granted = consent.get("purposes")
        return drop_empty(
            {
                "item_id": as_text(item.get("item_id"))
                or (as_text(products[0].get("id")) if len(products) == 1 else None),
                "recommendation_id": as_text(item.get("recommendation_id")),
                "experiment_id": as_text(experiment.get("experiment_id")),
                "variant": as_text(experiment.get("variant")),
                "latitude": as_number(position.get("latitude")),
                "longitude": as_number(position.get("longitude")),
                "os": as_text(mobile.get("osType")),
                "network_type": as_text(self.first("network").get("effective_type"))
                or as_text(mobile.get("networkTechnology")),
                "client_hints": dict(hints) or None,
            }
        ) | ({"consent": granted} if isinstance(granted, list) else {})

    def properties(self) -> dict[str, Any]:
        """What else entities say, under names of their own."""
        page, item = self.first("web_page"), self.first("item")
        timing = self.first("PerformanceTiming") or self.first("performance_navigation_timing")
        mobile, player = self.first("mobile_context"), self.first("media_player")
        mapped = {
            "page_view_id": as_text(page.get("id")),
            "rank": as_number(item.get("rank")),
            "slot": as_text(item.get("slot")),
            "load_ms": _load_ms(timing),
            "device_model": as_text(mobile.get("deviceModel")),
            "device_context": dict(self.first("device_context")),
            "media_label": as_text(player.get("label")),
            "media_seconds": as_number(player.get("duration")),
        }
        others = {
            name: [dict(data) for data in entities]
            for name, entities in self.by_name.items()
            if name not in _MAPPED_ENTITIES
        }
        return drop_empty({**mapped, "entities": others})


_MAPPED_ENTITIES = frozenset(
    [
        "item",
        "experiment",
        "geolocation_context",
        "mobile_context",
        "consent",
        "http_client_hints",
        "product",
        "web_page",
        "PerformanceTiming",
        "performance_navigation_timing",
        "client_session",
        "device_context",
        "media_player",
        "network",
        "browser_context",
        "transaction",
        "checkout_step",
    ]
)


def read_entities(contexts: Any) -> Entities:
    """Entities from the `data` of a contexts envelope; entries without schema and data are passed over."""
    by_name: dict[str, list[Mapping[str, Any]]] = {}
    for entry in as_objects(contexts)[:MAX_ENTITIES]:
        parts = str(entry.get("schema") or "").removeprefix("iglu:").split("/")
        if len(parts) == 4:
            by_name.setdefault(parts[1], []).append(as_mapping(entry.get("data")))
    return Entities(by_name)


def _load_ms(timing: Mapping[str, Any]) -> float | None:
    start = as_number(timing.get("navigationStart")) or as_number(timing.get("startTime")) or 0.0
    end = as_number(timing.get("loadEventEnd")) or as_number(timing.get("domContentLoadedEventEnd"))
    return end - start if end and end >= start else None

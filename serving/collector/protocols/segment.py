"""The Segment HTTP API: track, page, screen, identify, group, alias and batch → records."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from typing import Any

import orjson

from ml.events.contract import CONSENT_PURPOSES
from serving.collector.enrichment.channel import UTM
from serving.collector.enrichment.clock import correct_clock, parse_time
from serving.collector.protocols.segment_names import track_records
from serving.collector.protocols.translation import (
    TranslationFailure,
    as_event_id,
    as_mapping,
    as_number,
    as_text,
    drop_empty,
)

CALLS = ("track", "page", "screen", "identify", "group", "alias")
# For servers, for Segment's library for browsers, for imports, and for the beacons of RudderStack.
BATCH_PATHS = ("/v1/batch", "/v1/b", "/v1/import", "/beacon/v1/batch")
METRICS_PATH = "/v1/m"
PIXEL_PATHS: Mapping[str, str] = {f"/v1/pixel/{call}": call for call in CALLS}
Message = Mapping[str, Any]


def call_paths(call: str) -> tuple[str, str]:
    """Where a call arrives: by its name, and by its first letter, as Segment's library for browsers sends it."""
    return f"/v1/{call}", f"/v1/{call[0]}"


def read_pixel(data: str) -> Any:
    """The message in the query of a pixel.

    Args:
        data: JSON in base64.

    Raises:
        ValueError: It is none.
    """
    packed = base64.urlsafe_b64decode(data.replace("+", "-").replace("/", "_") + "=" * (-len(data) % 4))
    return orjson.loads(packed)


def read_messages(body: Any, call: str) -> tuple[list[Any], dict[str, Any]] | None:
    """Messages of a request, and what a batch says of all of them (`context`, `sentAt`); None if it holds none.

    Args:
        body: the request's JSON.
        call: one of CALLS, or `batch`.
    """
    if not isinstance(body, dict):
        return None
    if call != "batch":
        return [{**body, "type": call}], {}
    batch = body.get("batch")
    if not isinstance(batch, list):
        return None
    return batch, {"context": as_mapping(body.get("context")), "sentAt": body.get("sentAt")}


def translate(message: Any, shared: Mapping[str, Any]) -> list[dict[str, Any]] | TranslationFailure:
    """One message as records: one, or one a product of an order."""
    if not isinstance(message, dict):
        return TranslationFailure("message", f"is a {type(message).__name__}, not an object", message)
    call = message.get("type")
    translator = _CALLS.get(call) if isinstance(call, str) else None
    if translator is None:
        return TranslationFailure("type", f"{str(call)[:40]!r} is not one of {', '.join(CALLS)}", message)
    translated = translator(message)
    if isinstance(translated, TranslationFailure):
        return translated
    times = _times(message, shared)
    if isinstance(times, TranslationFailure):
        return times
    common = {**times, **_common(message, shared)}
    message_id = as_event_id(message.get("messageId"))
    records = []
    for index, record in enumerate(translated):
        properties = {**common["properties"], **as_mapping(record.get("properties"))}
        identity = {"event_id": message_id if index == 0 or message_id is None else f"{message_id}-{index}"}
        records.append({**drop_empty({**common, **identity}), **drop_empty(record), "properties": properties})
    return records


def _common(message: Message, shared: Mapping[str, Any]) -> dict[str, Any]:
    context = {**as_mapping(shared.get("context")), **as_mapping(message.get("context"))}
    page, screen = as_mapping(context.get("page")), as_mapping(context.get("screen"))
    place, network = as_mapping(context.get("location")), as_mapping(context.get("network"))
    system, device = as_mapping(context.get("os")), as_mapping(context.get("device"))
    campaign, library = as_mapping(context.get("campaign")), as_mapping(context.get("library"))
    return {
        "user_id": as_text(message.get("userId")),
        "anonymous_id": as_text(message.get("anonymousId")),
        "session_id": as_text(context.get("sessionId")),
        "page_url": as_text(page.get("url")),
        "page_title": as_text(page.get("title")) or as_text(message.get("name")),
        "referrer": as_text(page.get("referrer")),
        "screen_width": screen.get("width"),
        "screen_height": screen.get("height"),
        "language": as_text(context.get("locale")),
        "timezone": as_text(context.get("timezone")),
        "os": as_text(system.get("name")),
        "device_type": as_text(device.get("type")),
        "network_type": as_text(network.get("effectiveType")),
        "country": as_text(place.get("country")),
        "region": as_text(place.get("region")),
        "city": as_text(place.get("city")),
        "latitude": as_number(place.get("latitude")),
        "longitude": as_number(place.get("longitude")),
        "user_agent": as_text(context.get("userAgent")),
        "client_hints": context.get("userAgentData"),
        "address": as_text(context.get("ip")),
        "consent": _consent(context.get("consent")),
        "identity_token": context.get("identity_token"),
        "properties": drop_empty(
            {
                **{f"utm_{name}": as_text(value) for name, value in campaign.items() if f"utm_{name}" in UTM},
                "utm_campaign": as_text(campaign.get("name")),
                "library": as_text(library.get("name")),
                "group_id": as_text(context.get("groupId")),
                "device_model": as_text(device.get("model")),
            }
        ),
    }


def _times(message: Message, shared: Mapping[str, Any]) -> dict[str, Any] | TranslationFailure:
    """When a message happened, and when its sender sent it if its clock is still to be corrected.

    Who received a message before us has corrected `timestamp` and kept the client's word as `originalTimestamp`.
    A library sends `timestamp` alone, by its own clock.
    """
    times = {name: message.get(name) for name in ("timestamp", "originalTimestamp", "receivedAt")}
    parsed = {name: parse_time(value) for name, value in times.items()}
    sent_at = parse_time(message.get("sentAt")) or parse_time(shared.get("sentAt"))
    corrected, by_client = parsed["timestamp"], parsed["originalTimestamp"]
    if corrected is not None:
        is_corrected = times["originalTimestamp"] is not None or times["receivedAt"] is not None
        return {"occurred_at": corrected, "sent_at": None if is_corrected else sent_at}
    if by_client is not None:
        if parsed["receivedAt"] is None:
            return {"occurred_at": by_client, "sent_at": sent_at}
        return {"occurred_at": correct_clock(by_client, sent_at, parsed["receivedAt"]), "sent_at": None}
    for name in ("timestamp", "originalTimestamp"):
        if times[name] is not None:
            return TranslationFailure(name, f"is {str(times[name])[:40]!r}, not a time", message)
    return {"occurred_at": None, "sent_at": sent_at}


def _track(message: Message) -> list[dict[str, Any]] | TranslationFailure:
    name = message.get("event")
    if not isinstance(name, str) or not name.strip():
        return TranslationFailure("event", "is required in track", message)
    return track_records(name, as_mapping(message.get("properties")))


def _page(message: Message) -> list[dict[str, Any]]:
    properties = as_mapping(message.get("properties"))
    record = {
        "event_type": "page_view",
        "item_id": as_text(properties.get("item_id")) or as_text(properties.get("product_id")),
        "page_url": as_text(properties.get("url")),
        "page_title": as_text(properties.get("title")),
        "referrer": as_text(properties.get("referrer")),
        "properties": drop_empty(
            {
                **properties,
                "page_name": as_text(message.get("name")),
                "page_category": as_text(message.get("category")),
            }
        ),
    }
    return [record]


def _identify(message: Message) -> list[dict[str, Any]]:
    return [{"event_type": "identify", "properties": {"traits": dict(as_mapping(message.get("traits")))}}]


def _group(message: Message) -> list[dict[str, Any]]:
    event_properties = {
        "group_id": as_text(message.get("groupId")),
        "traits": dict(as_mapping(message.get("traits"))),
    }
    return [{"event_type": "custom:group", "properties": drop_empty(event_properties)}]


def _alias(message: Message) -> list[dict[str, Any]]:
    """`previousId` was the same person: an identify of that id."""
    return [
        {
            "event_type": "identify",
            "anonymous_id": as_text(message.get("previousId")),
            "properties": {"alias": True},
        }
    ]


_CALLS: Mapping[str, Callable[[Message], list[dict[str, Any]] | TranslationFailure]] = {
    "track": _track,
    "page": _page,
    "screen": _page,
    "identify": _identify,
    "group": _group,
    "alias": _alias,
}


def _consent(consent: Any) -> list[str] | None:
    """Segment's `categoryPreferences`, with the contract's purposes as category names."""
    preferences = as_mapping(as_mapping(consent).get("categoryPreferences"))
    if not preferences:
        return None
    plain = {str(name).lower(): bool(granted) for name, granted in preferences.items()}
    return [purpose for purpose in CONSENT_PURPOSES if plain.get(purpose)]

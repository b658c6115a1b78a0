"""The Segment HTTP API: track, page, screen, identify, group, alias and batch → records."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ml.events.contract import CONSENT_PURPOSES
from serving.collector.enrichment.channel import UTM
from serving.collector.enrichment.clock import moment
from serving.collector.protocols.segment_names import track_records
from serving.collector.protocols.translation import (
    Untranslatable,
    mapping,
    number,
    pixels,
    text,
    without_nothing,
)

CALLS = ("track", "page", "screen", "identify", "group", "alias")
Message = Mapping[str, Any]


def paths_of(call: str) -> tuple[str, str]:
    """Where a call arrives: by its name, and by its first letter, as Segment's library for browsers sends it."""
    return f"/v1/{call}", f"/v1/{call[0]}"


def messages_of(body: Any, call: str) -> tuple[list[Any], dict[str, Any]] | None:
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
    return batch, {"context": mapping(body.get("context")), "sentAt": body.get("sentAt")}


def translate(message: Any, shared: Mapping[str, Any]) -> list[dict[str, Any]] | Untranslatable:
    """One message as records: one, or one a product of an order."""
    if not isinstance(message, dict):
        return Untranslatable("message", f"is a {type(message).__name__}, not an object", message)
    call = message.get("type")
    translator = _CALLS.get(call) if isinstance(call, str) else None
    if translator is None:
        return Untranslatable("type", f"{str(call)[:40]!r} is none of {', '.join(CALLS)}", message)
    found = translator(message)
    if isinstance(found, Untranslatable):
        return found
    common = _common(message, shared)
    message_id = text(message.get("messageId"))
    records = []
    for index, record in enumerate(found):
        properties = {**common["properties"], **mapping(record.get("properties"))}
        own = {"event_id": message_id if index == 0 or message_id is None else f"{message_id}-{index}"}
        records.append({**without_nothing({**common, **own}), **without_nothing(record), "properties": properties})
    return records


def _common(message: Message, shared: Mapping[str, Any]) -> dict[str, Any]:
    context = {**mapping(shared.get("context")), **mapping(message.get("context"))}
    page, screen = mapping(context.get("page")), mapping(context.get("screen"))
    place, network = mapping(context.get("location")), mapping(context.get("network"))
    system, device = mapping(context.get("os")), mapping(context.get("device"))
    campaign, library = mapping(context.get("campaign")), mapping(context.get("library"))
    occurred_at = moment(message.get("originalTimestamp")) or moment(message.get("timestamp"))
    return {
        "occurred_at": occurred_at,
        "sent_at": moment(message.get("sentAt")) or moment(shared.get("sentAt")),
        "user_id": text(message.get("userId")),
        "anonymous_id": text(message.get("anonymousId")),
        "session_id": text(context.get("sessionId")),
        "page_url": text(page.get("url")),
        "page_title": text(page.get("title")) or text(message.get("name")),
        "referrer": text(page.get("referrer")),
        "screen_width": pixels(screen.get("width")),
        "screen_height": pixels(screen.get("height")),
        "language": text(context.get("locale")),
        "timezone": text(context.get("timezone")),
        "os": text(system.get("name")),
        "device_type": _device_type(device.get("type")),
        "network_type": text(network.get("effectiveType")),
        "country": _country(place.get("country")),
        "city": text(place.get("city")),
        "latitude": number(place.get("latitude")),
        "longitude": number(place.get("longitude")),
        "user_agent": text(context.get("userAgent")),
        "client_hints": context.get("userAgentData"),
        "address": text(context.get("ip")),
        "consent": _consent(context.get("consent")),
        "properties": without_nothing(
            {
                **{f"utm_{name}": text(value) for name, value in campaign.items() if f"utm_{name}" in UTM},
                "utm_campaign": text(campaign.get("name")),
                "library": text(library.get("name")),
                "group_id": text(context.get("groupId")),
                "device_model": text(device.get("model")),
            }
        ),
    }


def _track(message: Message) -> list[dict[str, Any]] | Untranslatable:
    name = message.get("event")
    if not isinstance(name, str) or not name.strip():
        return Untranslatable("event", "is required in track", message)
    return track_records(name, mapping(message.get("properties")))


def _page(message: Message) -> list[dict[str, Any]]:
    properties = mapping(message.get("properties"))
    record = {
        "event_type": "page_view",
        "item_id": text(properties.get("item_id")) or text(properties.get("product_id")),
        "page_url": text(properties.get("url")),
        "page_title": text(properties.get("title")),
        "referrer": text(properties.get("referrer")),
        "properties": without_nothing(
            {**properties, "page_name": text(message.get("name")), "page_category": text(message.get("category"))}
        ),
    }
    return [record]


def _identify(message: Message) -> list[dict[str, Any]]:
    return [{"event_type": "identify", "properties": {"traits": dict(mapping(message.get("traits")))}}]


def _group(message: Message) -> list[dict[str, Any]]:
    facts = {"group_id": text(message.get("groupId")), "traits": dict(mapping(message.get("traits")))}
    return [{"event_type": "custom:group", "properties": without_nothing(facts)}]


def _alias(message: Message) -> list[dict[str, Any]]:
    """`previousId` was the same person: an identify of that id."""
    return [
        {"event_type": "identify", "anonymous_id": text(message.get("previousId")), "properties": {"alias": True}}
    ]


_CALLS: Mapping[str, Callable[[Message], list[dict[str, Any]] | Untranslatable]] = {
    "track": _track,
    "page": _page,
    "screen": _page,
    "identify": _identify,
    "group": _group,
    "alias": _alias,
}


def _consent(consent: Any) -> list[str] | None:
    """Segment's `categoryPreferences`, with the contract's purposes as category names."""
    preferences = mapping(mapping(consent).get("categoryPreferences"))
    if not preferences:
        return None
    plain = {str(name).lower(): bool(granted) for name, granted in preferences.items()}
    return [purpose for purpose in CONSENT_PURPOSES if plain.get(purpose)]


def _device_type(value: Any) -> str | None:
    names = {"ios": "mobile", "android": "mobile", "mobile": "mobile", "phone": "mobile", "tablet": "tablet"}
    names |= {"desktop": "desktop", "tv": "tv", "smarttv": "tv"}
    return names.get(str(value).lower()) if value else None


def _country(value: Any) -> str | None:
    code = text(value)
    return code.upper() if code and len(code) == 2 and code.isascii() and code.isalpha() else None

"""The Snowplow tracker protocol: payloads of `tp2` (POST) and `i` (GET) → records."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Mapping
from typing import Any

import orjson

from serving.collector.enrichment.clock import moment
from serving.collector.protocols.snowplow_entities import Entities, read_entities
from serving.collector.protocols.snowplow_events import SELF_DESCRIBING, tessera_event
from serving.collector.protocols.translation import (
    Untranslatable,
    custom,
    mapping,
    number,
    pixels,
    text,
    without_nothing,
)

Payload = Mapping[str, Any]
MAX_ENCODED_CHARS = 500_000
# Parameters that become fields of the contract or steer the protocol; what is left over is kept in properties.
KNOWN = frozenset(
    [
        "e",
        "eid",
        "tv",
        "p",
        "dtm",
        "stm",
        "ttm",
        "uid",
        "duid",
        "nuid",
        "tnuid",
        "sid",
        "vid",
        "tz",
        "lang",
        "res",
        "vp",
        "ds",
        "url",
        "page",
        "refr",
        "ua",
        "ip",
        "co",
        "cx",
        "ue_pr",
        "ue_px",
        "se_ca",
        "se_ac",
        "se_la",
        "se_pr",
        "se_va",
        "pp_mix",
        "pp_max",
        "pp_miy",
        "pp_may",
        "cd",
        "cookie",
        "cs",
        "f_pdf",
        "f_qt",
        "f_realp",
        "f_wma",
        "f_dir",
        "f_fla",
        "f_java",
        "f_gears",
        "f_ag",
        "tna",
        "aid",
        "fp",
        "mac",
        "u",
        "evn",
        "schema",
        "n",
    ]
) | frozenset(
    [
        "tr_id",
        "tr_af",
        "tr_tt",
        "tr_tx",
        "tr_sh",
        "tr_ci",
        "tr_st",
        "tr_co",
        "tr_cu",
        "ti_id",
        "ti_sk",
        "ti_nm",
        "ti_ca",
        "ti_pr",
        "ti_qu",
        "ti_cu",
    ]
)


def translate(payload: Any, ping_seconds: float) -> list[dict[str, Any]] | Untranslatable:
    """One payload as records; most give one, a transaction gives one a product.

    Args:
        payload: parameter → text.
        ping_seconds: heartbeat of the trackers' page pings: what one ping is worth.
    """
    if not isinstance(payload, dict):
        return Untranslatable("payload", f"is a {type(payload).__name__}, not an object", payload)
    kind = payload.get("e")
    translator = _KINDS.get(kind) if isinstance(kind, str) else None
    if translator is None:
        return Untranslatable("e", f"{str(kind)[:40]!r} is none of {', '.join(_KINDS)}", payload)
    try:
        contexts = _json(payload, "co", "cx")
        unstructured = _json(payload, "ue_pr", "ue_px")
    except ValueError as error:
        return Untranslatable("co, cx, ue_pr, ue_px", str(error), payload)
    entities = read_entities(mapping(contexts).get("data"))
    common = _common(payload, entities)
    found = translator(payload, mapping(unstructured), entities, ping_seconds)
    if isinstance(found, Untranslatable):
        return found
    event_id = text(payload.get("eid"))
    records = []
    for index, record in enumerate(found):
        properties = {**common["properties"], **record.pop("properties", {})}
        own = {"event_id": event_id if index == 0 or event_id is None else f"{event_id}-{index}"}
        records.append(without_nothing({**common, **own, **without_nothing(record), "properties": properties}))
    return records


def _common(payload: Payload, entities: Entities) -> dict[str, Any]:
    width, _, height = str(payload.get("res") or "").partition("x")
    session = entities.first("client_session")
    rest = {name: value for name, value in payload.items() if name not in KNOWN and isinstance(value, str)}
    return {
        "occurred_at": moment(payload.get("ttm") or payload.get("dtm"), "ms"),
        "sent_at": None if payload.get("ttm") else moment(payload.get("stm"), "ms"),
        "user_id": text(payload.get("uid")),
        "anonymous_id": text(payload.get("duid"))
        or text(session.get("userId"))
        or text(payload.get("tnuid"))
        or text(payload.get("nuid")),
        "session_id": text(payload.get("sid")) or text(session.get("sessionId")),
        "page_url": text(payload.get("url")),
        "page_title": text(payload.get("page")),
        "referrer": text(payload.get("refr")),
        "screen_width": pixels(width),
        "screen_height": pixels(height),
        "language": text(payload.get("lang")),
        "timezone": text(payload.get("tz")),
        "user_agent": text(payload.get("ua")),
        "address": text(payload.get("ip")),
        **entities.fields(),
        "properties": without_nothing(
            {
                **rest,
                "app_id": text(payload.get("aid")),
                "platform": text(payload.get("p")),
                "tracker": text(payload.get("tv")),
                "viewport": text(payload.get("vp")),
                "document": text(payload.get("ds")),
                "visit": text(payload.get("vid")),
                **entities.properties(),
            }
        ),
    }


def _page_view(payload: Payload, _: Payload, entities: Entities, __: float) -> list[dict[str, Any]]:
    return [{"event_type": "page_view"}]


def _page_ping(payload: Payload, _: Payload, entities: Entities, seconds: float) -> list[dict[str, Any]]:
    """The farthest offset plus the viewport is what was seen of the page."""
    viewport, document = _height(payload.get("vp")), _height(payload.get("ds"))
    offset = number(payload.get("pp_may")) or 0.0
    depth = None
    if viewport and document:
        depth = round(min(100.0, 100.0 * (max(offset, 0.0) + viewport) / document), 1)
    return [{"event_type": "page_ping", "value": seconds, "properties": without_nothing({"scroll_depth": depth})}]


def _structured(payload: Payload, _: Payload, entities: Entities, __: float) -> list[dict[str, Any]]:
    properties = {
        "category": text(payload.get("se_ca")),
        "action": text(payload.get("se_ac")),
        "label": text(payload.get("se_la")),
        "property": text(payload.get("se_pr")),
    }
    return [
        {
            "event_type": custom(properties["action"] or properties["category"] or ""),
            "value": number(payload.get("se_va")),
            "properties": without_nothing(properties),
        }
    ]


def _transaction(payload: Payload, _: Payload, entities: Entities, __: float) -> list[dict[str, Any]]:
    """The order as a whole; its lines come as `ti` payloads and are the purchases."""
    properties = {
        "order_id": text(payload.get("tr_id")),
        "affiliation": text(payload.get("tr_af")),
        "currency": text(payload.get("tr_cu")),
        "tax": number(payload.get("tr_tx")),
        "shipping": number(payload.get("tr_sh")),
    }
    return [
        {
            "event_type": "custom:order",
            "value": number(payload.get("tr_tt")),
            "properties": without_nothing(properties),
        }
    ]


def _transaction_item(payload: Payload, _: Payload, entities: Entities, __: float) -> list[dict[str, Any]]:
    quantity = number(payload.get("ti_qu"))
    price = number(payload.get("ti_pr"))
    properties = {
        "order_id": text(payload.get("ti_id")),
        "name": text(payload.get("ti_nm")),
        "category": text(payload.get("ti_ca")),
        "currency": text(payload.get("ti_cu")),
        "quantity": quantity,
        "unit_price": price,
    }
    return [
        {
            "event_type": "purchase",
            "item_id": text(payload.get("ti_sk")),
            "value": None if price is None else price * (1.0 if quantity is None else quantity),
            "properties": without_nothing(properties),
        }
    ]


def _self_describing(
    payload: Payload, unstructured: Payload, entities: Entities, __: float
) -> list[dict[str, Any]] | Untranslatable:
    inner = mapping(unstructured.get("data"))
    schema = str(inner.get("schema") or "")
    vendor_and_name = schema.removeprefix("iglu:").rsplit("/", 2)[0]
    if not schema.startswith("iglu:") or "/" not in vendor_and_name:
        return Untranslatable(
            "ue_pr", f"has no schema such as iglu:vendor/name/jsonschema/1-0-0: {schema[:80]!r}", payload
        )
    data = mapping(inner.get("data"))
    vendor, _, name = vendor_and_name.partition("/")
    if vendor == "io.tessera" and name == "event":
        return tessera_event(data, payload)
    translator = SELF_DESCRIBING.get(f"{vendor}/{name}")
    if translator is not None:
        return translator(data, entities)
    return [{"event_type": custom(name.removesuffix("_event")), "properties": {"schema": schema, **data}}]


_Translator = Callable[[Payload, Payload, Entities, float], list[dict[str, Any]] | Untranslatable]
_KINDS: Mapping[str, _Translator] = {
    "pv": _page_view,
    "pp": _page_ping,
    "se": _structured,
    "ue": _self_describing,
    "tr": _transaction,
    "ti": _transaction_item,
}


def _height(size: Any) -> float | None:
    return number(str(size or "").partition("x")[2])


def _json(payload: Payload, plain: str, encoded: str) -> Any:
    """JSON that stands in one parameter as text or in another as base64url.

    Raises:
        ValueError: it is neither.
    """
    value = payload.get(plain)
    if value is None and payload.get(encoded) is None:
        return None
    try:
        if value is None:
            packed = str(payload[encoded])[:MAX_ENCODED_CHARS]
            value = base64.urlsafe_b64decode(packed + "=" * (-len(packed) % 4))
        return orjson.loads(value)
    except (orjson.JSONDecodeError, binascii.Error, TypeError, ValueError) as error:
        raise ValueError(f"holds no JSON: {str(error)[:80]}") from None

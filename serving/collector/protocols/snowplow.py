"""The Snowplow tracker protocol: payloads of `tp2` (POST) and `i` (GET) → records."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Mapping
from typing import Any

import orjson

from ml.events.normalization.amounts import parse_amount
from ml.events.normalization.devices import normalize_pixels
from ml.events.normalization.orders import order_facts, purchase_values
from serving.collector.enrichment.clock import parse_time
from serving.collector.protocols.snowplow_entities import Entities, read_entities
from serving.collector.protocols.snowplow_events import SELF_DESCRIBING, tessera_event
from serving.collector.protocols.translation import (
    TranslationFailure,
    as_event_id,
    as_mapping,
    as_number,
    as_text,
    custom_event_type,
    drop_empty,
    first_person_id,
)

Payload = Mapping[str, Any]
MAX_ENCODED_CHARS = 500_000
# Parameters that become fields of the contract or steer the protocol; what is left over is kept in properties.
MAPPED_PARAMETERS = frozenset(
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


def translate(payload: Any, ping_seconds: float) -> list[dict[str, Any]] | TranslationFailure:
    """One payload as records; most give one, a transaction gives one a product.

    Args:
        payload: parameter → text.
        ping_seconds: heartbeat of the trackers' page pings: what one ping is worth.
    """
    if not isinstance(payload, dict):
        return TranslationFailure("payload", f"is a {type(payload).__name__}, not an object", payload)
    kind = payload.get("e")
    translator = _KINDS.get(kind) if isinstance(kind, str) else None
    if translator is None:
        return TranslationFailure("e", f"{str(kind)[:40]!r} is not one of {', '.join(_KINDS)}", payload)
    try:
        contexts = _json(payload, "co", "cx")
        unstructured = _json(payload, "ue_pr", "ue_px")
    except ValueError as error:
        return TranslationFailure("co, cx, ue_pr, ue_px", str(error), payload)
    entities = read_entities(as_mapping(contexts).get("data"))
    times = _times(payload)
    if isinstance(times, TranslationFailure):
        return times
    common = {**times, **_common(payload, entities)}
    translated = translator(payload, as_mapping(unstructured), entities, ping_seconds)
    if isinstance(translated, TranslationFailure):
        return translated
    event_id = as_event_id(payload.get("eid"))
    records = []
    for index, record in enumerate(translated):
        properties = {**common["properties"], **record.pop("properties", {})}
        identity = {"event_id": event_id if index == 0 or event_id is None else f"{event_id}-{index}"}
        records.append(drop_empty({**common, **identity, **drop_empty(record), "properties": properties}))
    return records


def _common(payload: Payload, entities: Entities) -> dict[str, Any]:
    width, _, height = str(payload.get("res") or "").partition("x")
    session = entities.first("client_session")
    rest = {
        name: value for name, value in payload.items() if name not in MAPPED_PARAMETERS and isinstance(value, str)
    }
    return {
        "user_id": as_text(payload.get("uid")),
        "anonymous_id": first_person_id(
            payload.get("duid"), session.get("userId"), payload.get("tnuid"), payload.get("nuid")
        ),
        "session_id": as_text(payload.get("sid")) or as_text(session.get("sessionId")),
        "page_url": as_text(payload.get("url")),
        "page_title": as_text(payload.get("page")),
        "referrer": as_text(payload.get("refr")),
        "screen_width": normalize_pixels(width) or width,
        "screen_height": normalize_pixels(height) or height,
        "language": as_text(payload.get("lang")),
        "timezone": as_text(payload.get("tz")),
        "user_agent": as_text(payload.get("ua")),
        "address": as_text(payload.get("ip")),
        **entities.fields(),
        "properties": drop_empty(
            {
                **rest,
                "app_id": as_text(payload.get("aid")),
                "platform": as_text(payload.get("p")),
                "tracker": as_text(payload.get("tv")),
                "viewport": as_text(payload.get("vp")),
                "document": as_text(payload.get("ds")),
                "visit": as_text(payload.get("vid")),
                **entities.properties(),
            }
        ),
    }


def _times(payload: Payload) -> dict[str, Any] | TranslationFailure:
    """When an event happened: `ttm` is the true time, `dtm` the client's, which `stm` corrects."""
    for name in ("ttm", "dtm"):
        value = payload.get(name)
        if value in (None, ""):
            continue
        occurred_at = parse_time(value)
        if occurred_at is None:
            return TranslationFailure(name, f"is {str(value)[:40]!r}, not a time", payload)
        return {"occurred_at": occurred_at, "sent_at": parse_time(payload.get("stm")) if name == "dtm" else None}
    return {}


def _page_view(payload: Payload, _: Payload, entities: Entities, __: float) -> list[dict[str, Any]]:
    return [{"event_type": "page_view"}]


def _page_ping(payload: Payload, _: Payload, entities: Entities, seconds: float) -> list[dict[str, Any]]:
    """The farthest offset plus the viewport is what was seen of the page."""
    viewport, document = _height(payload.get("vp")), _height(payload.get("ds"))
    offset = as_number(payload.get("pp_may")) or 0.0
    depth = None
    if viewport and document:
        depth = round(min(100.0, 100.0 * (max(offset, 0.0) + viewport) / document), 1)
    return [{"event_type": "page_ping", "value": seconds, "properties": drop_empty({"scroll_depth": depth})}]


def _structured(payload: Payload, _: Payload, entities: Entities, __: float) -> list[dict[str, Any]]:
    properties = {
        "category": as_text(payload.get("se_ca")),
        "action": as_text(payload.get("se_ac")),
        "label": as_text(payload.get("se_la")),
        "property": as_text(payload.get("se_pr")),
    }
    return [
        {
            "event_type": custom_event_type(properties["action"] or properties["category"] or ""),
            "value": as_number(payload.get("se_va")),
            "properties": drop_empty(properties),
        }
    ]


def _transaction(payload: Payload, _: Payload, entities: Entities, __: float) -> list[dict[str, Any]]:
    """The order as a whole; its lines come as `ti` payloads and are the purchases."""
    properties = {
        "affiliation": as_text(payload.get("tr_af")),
        **order_facts({"order_id": payload.get("tr_id"), "currency": payload.get("tr_cu")}),
        "tax": as_number(payload.get("tr_tx")),
        "shipping": as_number(payload.get("tr_sh")),
    }
    return [
        {
            "event_type": "custom:order",
            "value": parse_amount(payload.get("tr_tt")),
            "properties": drop_empty(properties),
        }
    ]


def _transaction_item(payload: Payload, _: Payload, entities: Entities, __: float) -> list[dict[str, Any]]:
    line = {
        "order_id": payload.get("ti_id"),
        "currency": payload.get("ti_cu"),
        "quantity": payload.get("ti_qu"),
        "price": payload.get("ti_pr"),
    }
    properties = {
        "name": as_text(payload.get("ti_nm")),
        "category": as_text(payload.get("ti_ca")),
        **order_facts(line),
    }
    return [
        {
            "event_type": "purchase",
            "item_id": as_text(payload.get("ti_sk")),
            "value": purchase_values(line, [])[0],
            "properties": drop_empty(properties),
        }
    ]


def _self_describing(
    payload: Payload, unstructured: Payload, entities: Entities, __: float
) -> list[dict[str, Any]] | TranslationFailure:
    inner = as_mapping(unstructured.get("data"))
    schema = str(inner.get("schema") or "")
    vendor_and_name = schema.removeprefix("iglu:").rsplit("/", 2)[0]
    if not schema.startswith("iglu:") or "/" not in vendor_and_name:
        return TranslationFailure(
            "ue_pr", f"has no schema such as iglu:vendor/name/jsonschema/1-0-0: {schema[:80]!r}", payload
        )
    data = as_mapping(inner.get("data"))
    vendor, _, name = vendor_and_name.partition("/")
    if vendor == "io.tessera" and name == "event":
        return tessera_event(data, payload)
    translator = SELF_DESCRIBING.get(f"{vendor}/{name}")
    if translator is not None:
        return translator(data, entities)
    return [
        {"event_type": custom_event_type(name.removesuffix("_event")), "properties": {"schema": schema, **data}}
    ]


_Translator = Callable[[Payload, Payload, Entities, float], list[dict[str, Any]] | TranslationFailure]
_KINDS: Mapping[str, _Translator] = {
    "pv": _page_view,
    "pp": _page_ping,
    "se": _structured,
    "ue": _self_describing,
    "tr": _transaction,
    "ti": _transaction_item,
}


def _height(size: Any) -> float | None:
    return as_number(str(size or "").partition("x")[2])


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

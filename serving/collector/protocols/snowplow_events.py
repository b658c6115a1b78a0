"""Self-describing Snowplow events of known schemas, as records."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from typing import Any

from ml.events.contract import CONSENT_PURPOSES, FIELD_NAMES
from ml.events.normalization.orders import first_amount, order_facts, purchase_record, purchase_values
from serving.collector.protocols.snowplow_entities import Entities
from serving.collector.protocols.translation import (
    TranslationFailure,
    as_number,
    as_text,
    custom_event_type,
    drop_empty,
)

Data = Mapping[str, Any]
Records = list[dict[str, Any]]
Translator = Callable[[Data, Entities], Records]

ORDER_TOTALS = ("revenue", "refund_amount")  # of the entities of the e-commerce plugin
# Set by the protocol or by the intake, never by the page.
NOT_FROM_PAGES = frozenset({"event_id", "received_at", "occurred_at", "source", "properties", "consent"})


def tessera_event(data: Data, payload: Mapping[str, Any]) -> Records | TranslationFailure:
    """`iglu:io.tessera/event`: any type of the contract, with its fields; what is no field goes to properties."""
    event_type = data.get("event_type")
    if not isinstance(event_type, str) or not event_type:
        return TranslationFailure("event_type", "is required in io.tessera/event", payload)
    fields = {name: value for name, value in data.items() if name in FIELD_NAMES and name not in NOT_FROM_PAGES}
    if isinstance(data.get("consent"), list):
        fields["consent"] = data["consent"]
    rest = {name: value for name, value in data.items() if name not in FIELD_NAMES}
    return [{**fields, "event_type": event_type, "properties": rest}]


def _click(data: Data, _: Entities) -> Records:
    return [{"event_type": "click", "properties": dict(data)}]


def _form_start(data: Data, entities: Entities) -> Records:
    """Every field focused says so; one id a form and page view makes one event of them."""
    page, form = as_text(entities.first("web_page").get("id")), as_text(data.get("formId")) or ""
    record = {"event_type": "form_start", "properties": dict(data)}
    if page:
        record["event_id"] = str(uuid.uuid5(uuid.NAMESPACE_URL, f"form_start/{page}/{form}"))
    return [record]


def _form_change(data: Data, _: Entities) -> Records:
    kept = {name: value for name, value in data.items() if name != "value"}  # what people type is theirs
    return [{"event_type": "custom:form_change", "properties": kept}]


def _form_submit(data: Data, _: Entities) -> Records:
    kept = {name: value for name, value in data.items() if name != "elements"}
    return [{"event_type": "form_submit", "properties": kept}]


def _search(data: Data, _: Entities) -> Records:
    terms = data.get("terms")
    query = " ".join(str(term) for term in terms) if isinstance(terms, list) else as_text(terms)
    return [{"event_type": "search", "properties": {**data, "query": query}}]


def _cart(event_type: str) -> Translator:
    def translate(data: Data, _: Entities) -> Records:
        return [{"event_type": event_type, "item_id": as_text(data.get("sku")), "properties": dict(data)}]

    return translate


def _ecommerce(data: Data, entities: Entities) -> Records:
    """One record a product; the step and the order come as entities beside them."""
    action = str(data.get("type") or "")
    event_type = {
        "product_view": "page_view",
        "list_view": "impression",
        "list_click": "click",
        "promo_view": "impression",
        "promo_click": "click",
        "add_to_cart": "add_to_cart",
        "remove_from_cart": "remove_from_cart",
        "checkout_step": "checkout",
        "transaction": "purchase",
        "refund": "purchase",
    }.get(action, custom_event_type(f"ecommerce_{action}"))
    order = entities.first("transaction") or entities.first("refund")
    base = {"action": action, "list": as_text(data.get("name")), **order_facts({**data, **order})}
    products = entities.all("product")
    values: list[float | None] = [None] * max(len(products), 1)
    if event_type == "purchase":
        values = purchase_values(order, products, first_amount(order, ORDER_TOTALS))
    records = []
    for product, value in zip(products or [{}], values, strict=True):
        record = {
            "event_type": event_type,
            "item_id": as_text(product.get("id")),
            "properties": drop_empty({**base, **product, **order_facts({**data, **order}, product)}),
        }
        if event_type == "purchase":
            record |= purchase_record(value, is_refund=action == "refund")
        records.append(record)
    return records


def _consent(event_type: str) -> Translator:
    def translate(data: Data, entities: Entities) -> Records:
        named = data.get("purposes") or [as_text(entry.get("name")) for entry in entities.all("consent_document")]
        chosen = [purpose for purpose in named if purpose in CONSENT_PURPOSES] if isinstance(named, list) else []
        everything = bool(data.get("all")) or not chosen
        purposes = list(CONSENT_PURPOSES) if everything else chosen
        record: dict[str, Any] = {"event_type": event_type, "properties": {**data, "purposes": purposes}}
        return [record | ({"consent": purposes} if event_type == "consent_granted" else {})]

    return translate


def _consent_preferences(data: Data, _: Entities) -> Records:
    """The consent plugin's event: `consentScopes` are granted; `deny_all` and `withdrawn` take all back."""
    kind = str(data.get("eventType") or "")
    scopes = data.get("consentScopes")
    granted = [scope for scope in scopes if scope in CONSENT_PURPOSES] if isinstance(scopes, list) else []
    if kind in ("deny_all", "withdrawn"):
        return [{"event_type": "consent_withdrawn", "properties": {**data, "purposes": list(CONSENT_PURPOSES)}}]
    if kind == "allow_all":
        granted = list(CONSENT_PURPOSES)
    return [{"event_type": "consent_granted", "consent": granted, "properties": {**data, "purposes": granted}}]


def _media(name: str) -> Translator:
    event_type = {"play": "video_play", "percent_progress": "video_progress", "end": "video_progress"}.get(
        name, f"custom:media_{name}"
    )

    def translate(data: Data, entities: Entities) -> Records:
        player = entities.first("media_player")
        value = 100.0 if name == "end" else as_number(data.get("percentProgress"))
        event_properties = {
            **data,
            "label": as_text(player.get("label")),
            "current_seconds": as_number(player.get("currentTime")),
        }
        return [{"event_type": event_type, "value": value, "properties": drop_empty(event_properties)}]

    return translate


def _screen_view(data: Data, _: Entities) -> Records:
    return [{"event_type": "page_view", "page_title": as_text(data.get("name")), "properties": dict(data)}]


_SNOWPLOW = "com.snowplowanalytics.snowplow"
_MEDIA_NAMES = [
    "play",
    "pause",
    "percent_progress",
    "end",
    "ping",
    "seek_start",
    "seek_end",
    "buffer_start",
    "buffer_end",
    "error",
    "ready",
]
SELF_DESCRIBING: Mapping[str, Translator] = {
    f"{_SNOWPLOW}/link_click": _click,
    f"{_SNOWPLOW}/button_click": _click,
    f"{_SNOWPLOW}/focus_form": _form_start,
    f"{_SNOWPLOW}/change_form": _form_change,
    f"{_SNOWPLOW}/submit_form": _form_submit,
    f"{_SNOWPLOW}/site_search": _search,
    f"{_SNOWPLOW}/add_to_cart": _cart("add_to_cart"),
    f"{_SNOWPLOW}/remove_from_cart": _cart("remove_from_cart"),
    f"{_SNOWPLOW}.ecommerce/snowplow_ecommerce_action": _ecommerce,
    f"{_SNOWPLOW}/consent_granted": _consent("consent_granted"),
    f"{_SNOWPLOW}/consent_withdrawn": _consent("consent_withdrawn"),
    f"{_SNOWPLOW}/consent_preferences": _consent_preferences,
    "com.snowplowanalytics.mobile/screen_view": _screen_view,
    **{f"{_SNOWPLOW}.media/{name}_event": _media(name) for name in _MEDIA_NAMES},
}

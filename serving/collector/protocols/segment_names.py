"""Segment's event names (its e-commerce, video and B2B specifications) → types of the contract."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ml.events.contract import EVENT_TYPES
from ml.events.normalization.orders import order_facts, purchase_record, purchase_values
from serving.collector.protocols.translation import (
    as_number,
    as_objects,
    as_text,
    custom_event_type,
    drop_empty,
    to_snake_case,
)

NAMES: Mapping[str, str] = {
    "product_viewed": "page_view",
    "article_viewed": "page_view",
    "product_clicked": "click",
    "link_clicked": "click",
    "button_clicked": "click",
    "promotion_clicked": "click",
    "product_list_viewed": "impression",
    "product_list_filtered": "impression",
    "promotion_viewed": "impression",
    "product_added": "add_to_cart",
    "product_removed": "remove_from_cart",
    "checkout_started": "checkout",
    "order_completed": "purchase",
    "order_refunded": "purchase",
    "order_cancelled": "purchase",
    "products_searched": "search",
    "product_shared": "share",
    "cart_shared": "share",
    "product_added_to_wishlist": "bookmark",
    "product_reviewed": "rating",
    "signed_up": "signup",
    "account_created": "signup",
    "subscribed": "subscribe",
    "subscription_started": "subscribe",
    "form_submitted": "form_submit",
    "video_playback_started": "video_play",
    "video_content_started": "video_play",
    "video_content_playing": "video_progress",
    "video_playback_completed": "video_progress",
    "video_content_completed": "video_progress",
    "experiment_viewed": "exposure",
}
NEGATIVE = ("order_refunded", "order_cancelled")
COMPLETED = ("video_playback_completed", "video_content_completed")
PER_PRODUCT = ("impression", "checkout")
PASSED_ON = ("recommendation_id", "variant", "experiment_id", "session_id")


def track_records(name: str, properties: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Records of one `track` call: one a product for orders, lists and checkouts, else one."""
    plain = to_snake_case(name)
    event_type = NAMES.get(plain) or (plain if plain in EVENT_TYPES else custom_event_type(name))
    products = as_objects(properties.get("products"))
    whole = {key: value for key, value in properties.items() if key != "products"}
    if event_type == "purchase":
        return _purchases(plain, name, whole, products)
    if event_type in PER_PRODUCT and products:
        return [_record(plain, event_type, {**whole, **product}, name) for product in products]
    return [_record(plain, event_type, dict(properties), name)]


def _purchases(
    plain: str, name: str, order: Mapping[str, Any], products: Sequence[Mapping[str, Any]]
) -> list[dict[str, Any]]:
    """Return one record a line of an order, whose values sum to what was paid."""
    records = []
    for line, value in zip(products or [{}], purchase_values(order, products), strict=True):
        record = _record(plain, "purchase", {**order, **line, **order_facts(order, line)}, name)
        records.append(record | purchase_record(value, is_refund=plain in NEGATIVE))
    return records


def _record(plain: str, event_type: str, properties: Mapping[str, Any], name: str) -> dict[str, Any]:
    item = properties.get("product_id") or properties.get("item_id") or properties.get("sku")
    fields = {field: as_text(properties.get(field)) for field in PASSED_ON}
    if event_type == "exposure":
        fields["variant"] = fields["variant"] or as_text(properties.get("variation_id"))
    event_properties: dict[str, Any] = {**properties, "event": name}
    if event_type == "search":
        event_properties["query"] = as_text(properties.get("query"))
    return drop_empty(
        {
            **fields,
            "event_type": event_type,
            "item_id": as_text(item) or as_text(properties.get("content_asset_id")),
            "value": _value(plain, event_type, properties),
            "properties": drop_empty(event_properties),
        }
    )


def _value(plain: str, event_type: str, properties: Mapping[str, Any]) -> float | None:
    if event_type == "purchase":
        return None  # the order says what its lines cost
    if event_type == "video_progress":
        return 100.0 if plain in COMPLETED else _share(properties)
    if event_type == "rating":
        return as_number(properties.get("rating"))
    return (
        as_number(properties.get("value")) if event_type in EVENT_TYPES and EVENT_TYPES[event_type].unit else None
    )


def _share(properties: Mapping[str, Any]) -> float | None:
    position, total = as_number(properties.get("position")), as_number(properties.get("total_length"))
    return None if position is None or not total else min(100.0, 100.0 * position / total)

"""Universal Analytics: hits of the Google Merchandise Store as the `all_sessions` table exports them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ml.events.normalization.orders import find_currency, purchase_record
from ml.sources.export import Export, Record, content_id, drop_nulls, parse_instant, parse_number, parse_text

REFUND = "7"
MICROS = 1_000_000  # money in the export is in millionths
# ecommerce action types of the Analytics 360 schema
ACTIONS = {
    "1": "click",
    "2": "page_view",
    "3": "add_to_cart",
    "4": "remove_from_cart",
    "5": "checkout",
    "6": "purchase",
    "7": "purchase",  # a refund
}
CHANNELS = {
    "Direct": "direct", "Organic Search": "search", "Paid Search": "paid", "Display": "paid",
    "Referral": "referral", "Affiliates": "referral", "Social": "social", "Email": "email",
}  # fmt: skip


class UniversalAnalytics(Export):
    """One hit a row: its e-commerce action if it has one, else a page view or a click on the page."""

    name = "universal_analytics"
    description = "the hit export of Universal Analytics (all_sessions), as CSV, Parquet or JSON Lines"
    required = ("fullVisitorId", "visitId", "time", "type", "eCommerceAction_type")

    def records(self, row: Mapping[str, Any]) -> list[Record]:
        """One record a hit; the time is the visit's start plus the milliseconds of the hit."""
        action = parse_text(row.get("eCommerceAction_type")) or "0"
        started = parse_instant(row.get("visitId"), 1, "visitId").timestamp()
        occurred_at = parse_instant(started + (parse_number(row.get("time")) or 0.0) / 1_000, 1, "time")
        event_type = ACTIONS.get(action) or ("page_view" if row.get("type") == "PAGE" else "click")
        visitor, visit = parse_text(row.get("fullVisitorId")), parse_text(row.get("visitId"))
        price, quantity = _money(row.get("productPrice")), parse_number(row.get("productQuantity"))
        paid = _paid(row, price, quantity, action) if event_type == "purchase" else {}
        category = parse_text(row.get("v2ProductCategory"))
        facts = [
            ("channel", CHANNELS.get(str(row.get("channelGrouping")), "referral")),
            ("country_name", parse_text(row.get("country"))),
            ("page_path", parse_text(row.get("pagePathLevel1"))),
            ("product_name", parse_text(row.get("v2ProductName"))),
            ("product_category", category and category.strip("/")),
            ("unit_price", price),
            ("quantity", quantity),
            ("currency", find_currency({"currency": parse_text(row.get("currencyCode"))})),
            ("session_seconds", parse_number(row.get("timeOnSite"))),
            ("session_pageviews", parse_number(row.get("pageviews"))),
            ("checkout_step", parse_number(row.get("eCommerceAction_step")) if action == "5" else None),
            ("checkout_option", parse_text(row.get("eCommerceAction_option"))),
            ("order_id", parse_text(row.get("transactionId"))),
        ]
        pairs = [
            (
                "event_id",
                content_id(visitor, visit, row.get("time"), row.get("productSKU"), action, row.get("type")),
            ),
            ("event_type", event_type),
            ("occurred_at", occurred_at),
            ("anonymous_id", visitor),
            ("session_id", f"{visitor}-{visit}"),
            ("item_id", parse_text(row.get("productSKU"))),
            ("page_title", parse_text(row.get("pageTitle"))),
            ("city", parse_text(row.get("city"))),
            ("country", parse_text(row.get("country"))),
            ("region", parse_text(row.get("region"))),
            ("page_url", _address(row)),
            ("properties", drop_nulls(facts)),
        ]
        return [drop_nulls(pairs) | paid]


def _paid(row: Mapping[str, Any], price: float | None, quantity: float | None, action: str) -> Record:
    """What the line of an order cost: its own revenue, price × quantity, or the order without lines."""
    value = _money(row.get("productRevenue"))
    if value is None and price is not None:
        value = price * (quantity or 1.0)
    if value is None and parse_text(row.get("productSKU")) is None:
        totals = (_money(row.get(name)) for name in ("totalTransactionRevenue", "transactionRevenue"))
        value = next((total for total in totals if total is not None), None)
    return purchase_record(value, is_refund=action == REFUND)


def _address(row: Mapping[str, Any]) -> str | None:
    path, host = parse_text(row.get("pagePath")), parse_text(row.get("hostname"))
    return path and (f"https://{host}{path}" if host else path)


def _money(value: Any) -> float | None:
    number = parse_number(value)
    return None if number is None else number / MICROS

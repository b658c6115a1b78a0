"""Orders as shops send them → one purchase a line, whose values sum to what was paid."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ml.events.contract import refund_event_type
from ml.events.normalization.amounts import parse_amount
from ml.events.normalization.currencies import CURRENCY_KEYS, normalize_currency
from ml.events.normalization.ids import is_placeholder, number_as_id, restore_id

Facts = Mapping[str, Any]

# What the whole order cost, the surest name first: with shipping and tax, without them, and of lines alone.
TOTAL_KEYS = (
    "total", "order_total", "grand_total", "total_price", "amount_paid", "revenue", "purchase_revenue", "$revenue",
    "value", "amount", "$amount", "subtotal",
)  # fmt: skip
PRICE_KEYS = ("price", "unit_price", "$price", "item_price")
QUANTITY_KEYS = ("quantity", "$quantity", "qty")
DISCOUNT_KEYS = ("discount", "discount_amount")
ORDER_ID_KEYS = ("order_id", "orderId", "$order_id", "transaction_id", "transactionId")


def purchase_values(order: Facts, lines: Sequence[Facts], total: float | None = None) -> list[float | None]:
    """Return what was paid for each line of an order, in whole cents that sum to the total.

    The lines share the total by price × quantity, where none has a price by quantity, and else equally. Without a
    total, a line costs price × quantity, and the lines share a discount on the order. An order without lines is
    one line.

    Args:
        order: The properties of the order; those of its only line, if it names none.
        lines: The properties of each line.
        total: What was paid, if it is not among the properties.

    Returns:
        One amount a line, null where nothing says it.
    """
    if total is None:
        total = first_amount(order, TOTAL_KEYS)
    if not lines:
        return [_price_of(order) if total is None else total]
    prices = [_price_of(line) for line in lines]
    if total is None:
        discount = first_amount(order, DISCOUNT_KEYS)
        if not discount or None in prices:
            return prices
        total = sum(price or 0.0 for price in prices) - abs(discount)
    weights = [price or 0.0 for price in prices]
    if not any(weights):
        weights = [_quantity_of(line) for line in lines]
    return list(_shares(total, weights))


def purchase_record(value: float | None, is_refund: bool) -> dict[str, Any]:
    """Return the type and the value of a line of an order: a refund is below zero, whatever its sign was."""
    if not is_refund:
        return {"event_type": "purchase"} | ({} if value is None else {"value": value})
    amount = -abs(value) if value else None
    return {"event_type": refund_event_type(amount)} | ({} if amount is None else {"value": amount})


def order_facts(order: Facts, line: Facts | None = None) -> dict[str, Any]:
    """Return `order_id`, `currency`, `quantity` and `unit_price` under these names, those of them that are sent.

    Args:
        order: The properties of the order.
        line: The properties of one of its lines, which stand before those of the order.
    """
    both = {**order, **(line or {})}
    facts = {
        "order_id": _order_id(order) or _order_id(both),
        "currency": find_currency(line or {}) or find_currency(order),
        "quantity": first_amount(both, QUANTITY_KEYS),
        "unit_price": first_amount(both, PRICE_KEYS),
    }
    return {name: value for name, value in facts.items() if value is not None}


def first_amount(facts: Facts, names: Iterable[str]) -> float | None:
    """Return the first of the named facts that is an amount."""
    amounts = (parse_amount(facts.get(name)) for name in names)
    return next((amount for amount in amounts if amount is not None), None)


def find_currency(facts: Facts) -> str | None:
    """Return the currency among facts, in ISO 4217 where it names one, else in upper case as sent."""
    for name, value in facts.items():
        if name.lower() in CURRENCY_KEYS and isinstance(value, str) and value.strip():
            return normalize_currency(value) or value.strip().upper()
    return None


def _order_id(facts: Facts) -> str | None:
    for name in ORDER_ID_KEYS:
        value = facts.get(name)
        if isinstance(value, int | float) and not isinstance(value, bool):
            value = number_as_id(value)
        if isinstance(value, str) and value.strip() and not is_placeholder("user_id", value):
            return restore_id(value.strip())
    return None


def _price_of(line: Facts) -> float | None:
    price = first_amount(line, PRICE_KEYS)
    return None if price is None else price * _quantity_of(line)


def _quantity_of(line: Facts) -> float:
    quantity = first_amount(line, QUANTITY_KEYS)
    return 1.0 if quantity is None else quantity


def _shares(total: float, weights: Sequence[float]) -> Iterable[float]:
    """Shares of a total in whole cents; the last takes what is left of it."""
    whole = sum(weights)
    shares = [round(total * (weight / whole if whole else 1 / len(weights)), 2) for weight in weights[:-1]]
    return [*shares, round(total - sum(shares), 2)]

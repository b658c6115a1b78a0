"""The amounts of purchases and the numbers of orders, as the columns of a file show them."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from ml.sources.proposal.column_names import plain_name
from ml.sources.proposal.event_columns import ORDERS, QUANTITIES
from ml.tables.conversion import as_number, as_text

WHOLE_ORDERS = 0.9  # share of the orders of several lines that show an amount once, or the same in each line
NO_AMOUNT = (
    "No column is the amount of a purchase, so purchases count, but bring no revenue. If there is one, add a line "
    "such as `value: {column: NAME, of_types: [purchase]}`."
)


def types_in(table: pa.Table, rule: Any) -> Collection[str]:
    """Return the types of the rows, by the rule of the field `event_type`."""
    if isinstance(rule, str):
        types: list[str] = as_text(table[rule]).unique().drop_null().to_pylist()
        return types
    words: Mapping[str, str] = rule.get("words") or {"": rule.get("value", "")}
    return words.values()


def find_order_column(table: pa.Table) -> str | None:
    """Return the column with the numbers of orders: one that is called so, or a `Name` such as #1001."""
    names: list[str] = table.column_names
    for name in names:
        plain = plain_name(name)
        if plain in ORDERS.split() or (plain == "name" and _has_order_numbers(table[name])):
            return name
    return None


def propose_amount(
    table: pa.Table, rules: dict[str, Any], items: Mapping[str, Any], is_only_purchases: bool
) -> list[str]:
    """Add the rule of the amount of purchases, where no column has it, and say what it leaves open.

    The price of a row, times its quantity, is the amount of its line. It also replaces the amount of a whole order
    that each line repeats, or that the first line alone has.

    Args:
        table: The first rows of the file.
        rules: The rules of events, to which that of the amount is added.
        items: The rules of items, among which the price is.
        is_only_purchases: Whether each row is a purchase.

    Returns:
        Remarks about the amount.
    """
    price, total = items.get("price"), rules.get("value")
    column = total if isinstance(total, str) else (total or {}).get("column")
    whole_orders = column is not None and is_of_whole_orders(table, find_order_column(table), column)
    if column is not None and not whole_orders:
        return []
    if price is None and column is None:
        return [NO_AMOUNT]
    if price is None:
        return [
            f"{column} is the amount of a whole order. If it stands in several lines of an order, revenue counts "
            "it several times: leave it in one of them, or take `value` out of the mapping."
        ]
    rules["value"] = _line_amount(table, price, is_only_purchases)
    amount = " times ".join(rules["value"][key] for key in ("column", "times") if key in rules["value"])
    if whole_orders:
        return [f"{column} is the amount of a whole order, so {amount} counts as the amount of each line."]
    if is_only_purchases:
        return []
    return [
        f"No column is the amount of a purchase, so {amount} counts as that; else take `value` out of the mapping."
    ]


def is_of_whole_orders(table: pa.Table, order: str | None, amount: str) -> bool:
    """Return whether a column holds the amounts of orders rather than of their lines.

    It does where the lines of nearly every order that has several show one amount, once or repeated.
    """
    if order is None:
        return False
    numbers, _ = as_number(table[amount])
    lines = pa.table({"order": as_text(table[order]), "amount": numbers}).filter(pc.field("order").is_valid())
    orders = lines.group_by("order").aggregate([([], "count_all"), ("amount", "count_distinct")])
    several = orders.filter(pc.greater(orders["count_all"], 1))
    if not len(several):
        return False
    is_one = pc.less_equal(several["amount_count_distinct"], 1)
    return bool(pc.mean(pc.cast(is_one, pa.float64())).as_py() >= WHOLE_ORDERS)


def _line_amount(table: pa.Table, price: Any, is_only_purchases: bool) -> dict[str, Any]:
    quantity = next((name for name in table.column_names if plain_name(name) in QUANTITIES.split()), None)
    rule = {"column": price} if isinstance(price, str) else dict(price)
    times = {"times": quantity} if quantity is not None else {}
    return rule | times | ({} if is_only_purchases else {"of_types": ["purchase"]})


def _has_order_numbers(column: pa.ChunkedArray) -> bool:
    cells = as_text(column).drop_null()
    return bool(len(cells)) and bool(pc.all(pc.match_substring_regex(cells, r"^#\d+$")).as_py())

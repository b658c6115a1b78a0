"""Orders in the shapes that shops send; the shares are worked out by hand."""

import pytest

from ml.events.normalization.orders import order_facts, purchase_values

PRICED = [{"price": 60, "quantity": 1}, {"price": "10,00", "quantity": 4}]


@pytest.mark.parametrize(
    ("order", "lines", "values"),
    [
        ({}, PRICED, [60.0, 40.0]),
        ({"total": 80, "discount": 20}, PRICED, [48.0, 32.0]),
        ({"discount": 20}, PRICED, [48.0, 32.0]),
        ({"total": 110, "revenue": 100}, PRICED, [66.0, 44.0]),
        ({"revenue": "60,00"}, [], [60.0]),
        ({"revenue": "1.060,50 €"}, [], [1060.5]),
        ({"price": 10, "quantity": 3}, [], [30.0]),
        ({"$amount": 12}, [], [12.0]),
        ({"value": 30}, [{"quantity": 2}, {"quantity": 1}], [20.0, 10.0]),
        ({"value": 10}, [{}, {}, {}], [3.33, 3.33, 3.34]),
        ({"value": 10}, [{"quantity": 0}, {"quantity": 0}], [5.0, 5.0]),
        ({"total": 0}, PRICED, [0.0, 0.0]),
        ({}, [{}, {"price": 5}], [None, 5.0]),
        ({}, [], [None]),
        ({"total": "free"}, [], [None]),
    ],
)
def test_lines_share_what_was_paid(order, lines, values):
    assert purchase_values(order, lines) == values


def test_the_cents_of_many_lines_sum_to_the_total():
    values = purchase_values({"total": 99.99}, [{"price": price} for price in (3.33, 7.77, 1.01, 0.05, 19.9)])
    assert round(sum(values), 2) == 99.99


@pytest.mark.parametrize(
    ("order", "line", "facts"),
    [
        ({"order_id": "o", "currency": "eur"}, {"price": 3, "quantity": "2"},
         {"order_id": "o", "currency": "EUR", "quantity": 2.0, "unit_price": 3.0}),
        ({"transaction_id": 10000001.0, "currencyCode": "usd"}, None, {"order_id": "10000001", "currency": "USD"}),
        ({"order_id": "(not set)", "checkout_id": "c", "currency": ""}, None, {}),
        ({"orderId": "null", "Currency": "points"}, None, {"currency": "POINTS"}),
    ],
)  # fmt: skip
def test_an_order_has_the_same_names_whoever_sends_it(order, line, facts):
    assert order_facts(order, line) == facts

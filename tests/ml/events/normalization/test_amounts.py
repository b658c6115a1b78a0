"""Amounts in the spellings of many countries."""

import pytest

from ml.events.normalization.amounts import parse_amount


@pytest.mark.parametrize(
    ("text", "amount"),
    [
        ("60,00", 60.0),
        ("60.00", 60.0),
        ("1.234,50", 1234.5),
        ("1,234.50", 1234.5),
        ("1'234.50", 1234.5),
        ("1 234,50", 1234.5),
        ("$60", 60.0),
        ("60 €", 60.0),
        ("-60.00 EUR", -60.0),
        ("€ -1,5", -1.5),
        ("1,234", 1234.0),
        ("1.234", 1.234),
        ("1,234,567", 1234567.0),
        ("1.234.567", 1234567.0),
        (12, 12.0),
        ("6e1", 60.0),
    ],
)
def test_an_amount_is_read_in_every_spelling(text, amount):
    assert parse_amount(text) == amount


@pytest.mark.parametrize("text", ["", "free", "1,2,3", "12-13", "1.2,3.4", "NaN", "inf", True, None, [], 10**400])
def test_what_is_no_amount_is_nothing(text):
    assert parse_amount(text) is None

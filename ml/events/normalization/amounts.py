"""Amounts of money and other numbers as people and shops write them → numbers."""

from __future__ import annotations

import math
import re
from typing import Any

PLAIN = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?")
# Around the digits may stand a sign or code of a currency, blanks, and the apostrophe of Swiss thousands.
WRITTEN = re.compile(r"(?P<sign>[+-]?)[^\d.,+-]{0,5}(?P<inner>[+-]?)(?P<digits>[\d.,'’\s]*\d)[^\d.,]{0,5}")
GROUPED = {mark: re.compile(rf"[1-9]\d{{0,2}}(\{mark}\d{{3}})+") for mark in (",", ".")}


def parse_amount(value: Any) -> float | None:
    """Return a finite number from a number or its text; None for anything else.

    `60,00`, `1.234,50`, `1,234.50`, `1'234.50`, `$60`, `60 €` and `-60.00 EUR` are read. A single comma before
    three digits, as in `1,234`, separates thousands; a single point, as in `1.234`, is the decimal point.
    """
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = float(value) if not isinstance(value, str) else _from_text(value.strip())
    except OverflowError:
        return None
    return number if number is not None and math.isfinite(number) else None


def _from_text(text: str) -> float | None:
    if PLAIN.fullmatch(text):
        return float(text)
    written = WRITTEN.fullmatch(text)
    if written is None or (written["sign"] and written["inner"]):
        return None
    digits = re.sub(r"['’\s]", "", written["digits"])
    plain = _with_decimal_point(digits)
    if plain is None or not PLAIN.fullmatch(plain):
        return None
    return float(plain) * (-1.0 if "-" in written["sign"] + written["inner"] else 1.0)


def _with_decimal_point(digits: str) -> str | None:
    last_comma, last_point = digits.rfind(","), digits.rfind(".")
    if last_comma < 0 and last_point < 0:
        return digits
    if last_comma >= 0 and last_point >= 0:
        decimal, thousands = (",", ".") if last_comma > last_point else (".", ",")
        whole, _, fraction = digits.rpartition(decimal)
        grouped = GROUPED[thousands].fullmatch(whole)
        return f"{whole.replace(thousands, '')}.{fraction}" if grouped else None
    mark = "," if last_comma >= 0 else "."
    if digits.count(mark) > 1 or (mark == "," and GROUPED[mark].fullmatch(digits)):
        return digits.replace(mark, "") if GROUPED[mark].fullmatch(digits) else None
    return digits.replace(mark, ".")

"""Gains in words, with the interval that says whether they are more than chance."""

from __future__ import annotations

from math import isnan
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ml.evaluation.bootstrap import Interval

NO_DIFFERENCE = "no difference that can be told from chance"


def describe_gain(gain: Interval) -> str:
    """Return a gain in units of its metric with its interval, and say so where the interval contains 0."""
    if isnan(gain.mean):
        return "not measured"
    text = f"{gain.mean:+.4f} [{gain.low:+.4f}, {gain.high:+.4f}]"
    return f"{text}, {NO_DIFFERENCE}" if gain.holds_zero else text

from __future__ import annotations

import random

import pytest

from ml.usage.ratios import Ratio
from serving.console.figures.overview import _is_unusual
from serving.console.formats import find_direction, format_action, format_change, format_points, is_outside


@pytest.mark.parametrize(
    ("now", "before", "change", "points", "direction"),
    [
        (0.0161, 0.0163, "-1.2%", "no change", ""),
        (0.0164, 0.0166, "-1.2%", "no change", ""),
        (0.02, 0.0163, "+22.7%", "+0.4 points", "up"),
        (0.01, 0.0163, "-38.7%", "-0.6 points", "down"),
        (0.5, 0.5, "no change", "no change", ""),
        (0.5, 0.0, "", "+50.0 points", "up"),
        (None, 0.5, "", "", ""),
    ],
)
def test_a_change_that_rounds_to_nothing_is_none(now, before, change, points, direction):
    assert format_change(now, before) == change
    assert format_points(now, before) == points
    assert find_direction(now, before) == direction


@pytest.mark.parametrize(
    ("before", "low", "high", "outside"),
    [(0.124, 0.119, 0.131, False), (0.11, 0.119, 0.131, True), (0.14, 0.119, 0.131, True), (None, 0.1, 0.2, False),
     (0.5, None, None, False)],
)  # fmt: skip
def test_a_change_within_the_interval_of_a_share_has_no_colour(before, low, high, outside):
    assert is_outside(before, Ratio(0.125, low, high, 400)) is outside


@pytest.mark.parametrize(
    ("value", "usual", "noise", "unusual"),
    [
        (95, [102, 99, 107, 100], 10.0, False),  # below all four, as two in five days are by chance
        (40, [102, 99, 107, 100], 10.0, True),
        (5, [2, 2, 2, 2], 2**0.5, False),  # four days that happen to agree
        (95, [102, 300], 14.0, False),
        (None, [1, 2, 3, 4], 0.0, False),
    ],
)
def test_a_day_has_a_colour_where_chance_would_hardly_bring_it_about(value, usual, noise, unusual):
    assert _is_unusual(value, usual, noise) is unusual


def test_few_of_twenty_days_of_chance_have_a_colour():
    chance = random.Random(5)
    days = [[chance.gauss(100, 10) for _ in range(5)] for _ in range(2_000)]
    coloured = sum(_is_unusual(day, usual) for day, *usual in days)
    assert 60 <= coloured <= 140  # 100 are expected


def test_an_action_is_written_in_words():
    assert [format_action(name) for name in ("add_to_cart", "custom:gallery_zoom", "click:zoom", "")] == [
        "Add to cart",
        "Gallery zoom",
        "Click: zoom",
        "",
    ]

from __future__ import annotations

import pytest

from serving.console.formats import find_direction, format_action, format_change, format_points


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


def test_an_action_is_written_in_words():
    assert [format_action(name) for name in ("add_to_cart", "custom:gallery_zoom", "click:zoom", "")] == [
        "Add to cart",
        "Gallery zoom",
        "Click: zoom",
        "",
    ]

from __future__ import annotations

import re

import pytest

from serving.console.figures.world_map import draw_world
from serving.console.static_files import OUTLINES, STATIC

CODES = set(re.findall(r'id="([A-Z]{2})"', (STATIC / OUTLINES).read_text()))


@pytest.mark.parametrize("most", [1, 2, 3, 7, 31, 1_000, 3_870, 2_000_000])
def test_every_number_of_visits_has_the_shade_that_the_legend_says(most):
    counts = {0, 1, 2, most // 3, most // 2, most - 1, most} - {0}
    countries = dict(zip(sorted(CODES), sorted(count for count in counts if count <= most), strict=False))
    world = draw_world(countries)
    ranges = {}
    for entry in world["legend"]:
        low, _, high = entry["text"].replace(",", "").partition(" to ")
        ranges[entry["shade"]] = range(int(low), int(high or low) + 1)
    for country in world["countries"]:
        assert [shade for shade, numbers in ranges.items() if country["visits"] in numbers] == [country["shade"]]
    assert max(numbers[-1] for numbers in ranges.values()) == most


def test_what_no_country_is_known_of_is_on_no_map():
    assert draw_world({"": 5}) is None
    assert [country["code"] for country in draw_world({"": 5, "DE": 2})["countries"]] == ["DE"]


def test_the_outlines_know_the_countries_by_their_codes():
    assert {"DE", "US", "IN", "BR", "AU", "ZA"} <= CODES
    assert len(CODES) > 170

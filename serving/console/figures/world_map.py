"""A map of the countries that visits came from, coloured by their number."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from serving.console.localized_texts import Numeral, say
from serving.console.static_files import OUTLINES, address_of

SHADES = 5


def draw_world(visits: Mapping[str, int]) -> dict[str, Any] | None:
    """Describe the map.

    Args:
        visits: Number of visits by country, ISO 3166-1 alpha-2. Others than the outlines know are on no map.

    Returns:
        The map for the templates; None where no country is known.
    """
    placed = {country: count for country, count in visits.items() if country and count > 0}
    if not placed:
        return None
    most = max(placed.values())
    edges = [math.floor(most ** (number / SHADES)) for number in range(1, SHADES)] + [most]
    countries = [
        {"code": country, "shade": 1 + sum(count > edge for edge in edges[:-1]), "visits": count}
        for country, count in sorted(placed.items())
    ]
    return {"kind": "map", "outlines": address_of(OUTLINES), "countries": countries, "legend": _name_shades(edges)}


def _name_shades(edges: list[int]) -> list[dict[str, Any]]:
    """Name the shades that some number of visits can have, from the lightest."""
    legend = []
    for shade, (below, edge) in enumerate(zip([0, *edges], edges, strict=False), start=1):
        if edge > below:
            first, last = Numeral(f"{below + 1:,}"), Numeral(f"{edge:,}")
            text = last if first == last else say("{low} to {high}", low=first, high=last)
            legend.append({"shade": shade, "text": text})
    return legend

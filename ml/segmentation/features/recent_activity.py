"""Features of a person of whom only the last openings are known, in the columns of the mart `users`."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any


def build_recent_features(
    openings: Sequence[tuple[float, str | None]], device: str | None, dayparts: Mapping[str, tuple[int, int]]
) -> dict[str, Any]:
    """What the last openings say; all that is not among the columns is missing, and filled like any missing value.

    Args:
        openings: Unix seconds of each opening and the item's category, None where the item has none.
        device: kind of device, None if unknown.
        dayparts: first hour and the hour after the last, by name; read in UTC, as where no time zone is known.
    """
    categories = [category for _, category in openings if category is not None]
    hours = [dt.datetime.fromtimestamp(at, dt.UTC).hour for at, _ in openings]
    times = [name for hour in hours for name, bounds in dayparts.items() if _within(hour, *bounds)]
    found = {"category_shares": _shares(categories), "daypart_shares": _shares(times)}
    if device is not None:
        found["device_shares"] = {device: 1.0}
    return {name: shares for name, shares in found.items() if shares}


def _within(hour: int, begin: int, end: int) -> bool:
    return begin <= hour < end if begin < end else hour >= begin or hour < end


def _shares(values: Sequence[str]) -> dict[str, float]:
    return {value: count / len(values) for value, count in Counter(values).items()}

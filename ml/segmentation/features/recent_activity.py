"""Build segmentation features, in the columns of the mart `users`, from a person's most recent openings."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any


def build_recent_features(
    openings: Sequence[tuple[float, str | None]], device: str | None, dayparts: Mapping[str, tuple[int, int]]
) -> dict[str, Any]:
    """Summarize the most recent openings as the columns of the mart `users` that they can fill.

    Columns that openings cannot fill are absent, and the imputer fills them like any missing value.

    Args:
        openings: Unix seconds of each opening and the category of its item, None if the item has none.
        device: type of device, None if unknown.
        dayparts: first hour and the hour after the last, by name. Hours are in UTC because no time zone is
            available.
    """
    categories = [category for _, category in openings if category is not None]
    hours = [dt.datetime.fromtimestamp(at, dt.UTC).hour for at, _ in openings]
    names = [name for hour in hours for name, bounds in dayparts.items() if _contains_hour(hour, *bounds)]
    features = {"category_shares": _count_shares(categories), "daypart_shares": _count_shares(names)}
    if device is not None:
        features["device_shares"] = {device: 1.0}
    return {name: shares for name, shares in features.items() if shares}


def _contains_hour(hour: int, begin: int, end: int) -> bool:
    """Return whether the hour lies in [begin, end), which may span midnight."""
    return begin <= hour < end if begin < end else hour >= begin or hour < end


def _count_shares(values: Sequence[str]) -> dict[str, float]:
    """Return the share of each value among all values."""
    return {value: count / len(values) for value, count in Counter(values).items()}

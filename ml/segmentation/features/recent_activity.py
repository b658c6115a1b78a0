"""Build segmentation features, in the columns of the mart `users`, from a person's most recent openings."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any


def build_recent_features(categories: Sequence[str | None], device: str | None) -> dict[str, Any]:
    """Summarize the most recent openings as the columns of the mart `users` that they can fill.

    Columns that openings cannot fill are absent, and the imputer fills them like any missing value. Among them are
    the dayparts, because the service does not keep the time zone of a person.

    Args:
        categories: category of the item of each opening, None if the item has none.
        device: type of device, None if unknown.

    Returns:
        The columns, with the openings of a known category as `page_views`: an opening that says nothing of what
        interests a person is no evidence.
    """
    opened = [category for category in categories if category is not None]
    features: dict[str, Any] = {"page_views": len(opened)}
    if opened:
        features["category_shares"] = {name: count / len(opened) for name, count in Counter(opened).items()}
    if device is not None:
        features["device_shares"] = {device: 1.0}
    return features

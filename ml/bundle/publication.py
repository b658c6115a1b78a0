"""Contents of a bundle before it is written."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa

from ml.arrays import F32
from ml.events.contract import TIMESTAMP
from ml.recommenders.base import Recommender
from ml.recommenders.fold_in import FoldIn

TRENDING_SCHEMA = pa.schema([("scope", pa.string()), ("item_id", pa.string()), ("score", pa.float64())])
FACTS_WITHOUT_CONSENT = frozenset({"user_id", "is_known", "consents", "has_personalization_consent"})
"""Columns of users that are published of people who do not consent to personalization; the others are null."""
ITEM_COLUMNS = {
    "item_id": pa.string(),
    "title": pa.string(),
    "category": pa.string(),
    "tags": pa.list_(pa.string()),
    "price": pa.float64(),
    "language": pa.string(),
    "published_at": TIMESTAMP,
}


@dataclass(frozen=True)
class Publication:
    """What goes into a bundle.

    Args:
        model_version: name of the champion behind the factors; None publishes trending and popular items only.
        as_of: the time up to which the data counts.
        items: one row an item; at least `item_id`, and what else of ITEM_COLUMNS is known. Prices are in the
            currency of the site. Other columns are kept.
        users: one row a user; at least `user_id`. Other columns (segment, persona, country …) are kept.
        trending: TRENDING_SCHEMA; `scope` is `all`, `popular`, `country:XX`, `device:mobile` or `segment:name`.
        interactions: `user_id`, `item_id` of what users have seen; where known `last_at` and `is_negative`.
        user_factors: float32 (n_users, d), rows as `users`; NaN rows are users that the model does not know.
        item_factors: float32 (n_items, d), rows as `items`; NaN rows are items that the model does not know.
        fold_in: how to make vectors of people whom the model does not know; goes with the factors.
        model: the champion itself, where its factors do not say all of its ranking.
        files: further files or folders by their name in the bundle, e.g. `settings.yaml`, `segmentation`.
        details: what else the manifest should say (metrics, run id, data fingerprint); plain JSON.
    """

    model_version: str | None
    as_of: dt.datetime
    items: pa.Table
    users: pa.Table
    trending: pa.Table
    interactions: pa.Table
    user_factors: F32 | None = None
    item_factors: F32 | None = None
    fold_in: FoldIn | None = None
    model: Recommender | None = None
    files: Mapping[str, Path] = field(default_factory=dict)
    details: Mapping[str, Any] = field(default_factory=dict)

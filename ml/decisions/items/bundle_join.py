"""Joins the items of a bundle to the item keys of the running activity."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from ml.arrays import F64, I32, I64
from ml.decisions.activity.activity import Activity, ActivityLimits
from ml.decisions.activity.visitors import Visitor
from ml.decisions.items.bundle_index import BundleIndex

CHUNK = 5_000


class BundleJoin:
    """Translates between bundle rows and activity keys.

    An item that only events name has the row -1.

    Args:
        index: The bundle; None before the first bundle.

    Attributes:
        key_of_row: int64 (n_items,), the activity key of each bundle row.
    """

    def __init__(self, index: BundleIndex | None) -> None:
        self.index = index
        self.key_of_row: I64 = np.zeros(len(index.item_ids) if index else 0, dtype=np.int64)
        self._scope_shares: dict[str, dict[int, float]] = {}
        self._row_of_key: I32 = np.zeros(0, dtype=np.int32)

    def join(self, activity: Activity) -> Iterator[int]:
        """Join in small steps, so that the caller can do other work between them.

        Yields:
            The number of items that are joined so far.
        """
        if self.index is None:
            return
        ids = self.index.item_ids
        for start in range(0, len(ids), CHUNK):
            keys = [activity.assign_key(item) for item in ids[start : start + CHUNK]]
            self.key_of_row[start : start + len(keys)] = keys
            codes = self.index.category[start : start + len(keys)].tolist()
            activity.categories.update(
                (key, self.index.categories[code]) for key, code in zip(keys, codes, strict=True) if code >= 0
            )
            yield start + len(keys)
        rows = np.full(len(activity.items), -1, dtype=np.int32)
        rows[self.key_of_row] = np.arange(len(ids), dtype=np.int32)
        self._row_of_key = rows

    def row_of(self, key: int) -> int:
        """Return the bundle row of an activity key, -1 if the bundle does not have the item."""
        return int(self._row_of_key[key]) if key < len(self._row_of_key) else -1

    def rows_of(self, keys: I64) -> I64:
        """Return the bundle rows of activity keys, int64 (n,), -1 if the bundle does not have the item."""
        is_joined = keys < len(self._row_of_key)
        rows = np.full(len(keys), -1, dtype=np.int64)
        rows[is_joined] = self._row_of_key[keys[is_joined]]
        return rows

    def trending_keys(self, scope: str) -> I64:
        """Return the keys of the bundle's trending items in a scope, best first, int64 (n,)."""
        if self.index is None or scope not in self.index.trending:
            return np.zeros(0, dtype=np.int64)
        return np.asarray(self.key_of_row[self.index.trending[scope]])

    def scope_shares(self, scope: str, keys: I64) -> F64:
        """Return the share of each key in the trending scores of a scope, float64 (n,)."""
        key_shares = np.zeros(len(keys))
        if self.index is None or scope not in self.index.trending:
            return key_shares
        shares = self._scope_shares.get(scope)
        if shares is None:
            scores = self.index.trending_scores[scope]
            total = max(float(scores.sum()), 1e-9)
            shares = dict(zip(self.trending_keys(scope).tolist(), (scores / total).tolist(), strict=True))
            self._scope_shares[scope] = shares
        key_shares[:] = [shares.get(key, 0.0) for key in keys.tolist()]
        return key_shares

    def extend_history(
        self, visitor: Visitor | None, user_row: int | None, limits: ActivityLimits
    ) -> Visitor | None:
        """Return the visitor with the openings that the bundle has from the time before memory began.

        With them, a service that has just started, or that had no room to keep somebody, still has their past.
        """
        if self.index is None or user_row is None:
            return visitor
        began = visitor.recent[0][1] if visitor and visitor.recent else math.inf
        earlier = self.index.bundle.history.recent(user_row, limits.recent_items)
        before = [(int(self.key_of_row[row]), at) for row, at in earlier if at < began]
        if not before:
            return visitor
        recent = (before + (visitor.recent if visitor else []))[-limits.recent_items :]
        return replace(visitor, recent=recent) if visitor else Visitor(recent=recent)

    def segment_of(self, user_row: int | None) -> str | None:
        """Return the name of a user's segment."""
        if self.index is None or user_row is None or self.index.segment is None:
            return None
        code = self.index.segment[user_row]
        return self.index.segments[code] if code >= 0 else None

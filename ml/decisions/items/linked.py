"""A bundle's items joined to the item numbers of the running activity."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from ml.arrays import F64, I32, I64
from ml.decisions.activity.activity import Activity, ActivityLimits, Visitor
from ml.decisions.items.shelf import Shelf

CHUNK = 5_000


class Linked:
    """Both directions between bundle rows and activity keys. Items that only events know have the row -1."""

    def __init__(self, shelf: Shelf | None) -> None:
        self.shelf = shelf
        self.key_of_row: I64 = np.zeros(len(shelf.item_ids) if shelf else 0, dtype=np.int64)
        self._scope_shares: dict[str, dict[int, float]] = {}
        self._row_of_key: I32 = np.zeros(0, dtype=np.int32)

    def link(self, activity: Activity) -> Iterator[int]:
        """Join in small steps, so that the caller can do other things between them; yields items joined so far."""
        if self.shelf is None:
            return
        ids = self.shelf.item_ids
        for start in range(0, len(ids), CHUNK):
            part = [activity.key(item) for item in ids[start : start + CHUNK]]
            self.key_of_row[start : start + len(part)] = part
            codes = self.shelf.category[start : start + len(part)].tolist()
            activity.categories.update(
                (key, self.shelf.categories[code]) for key, code in zip(part, codes, strict=True) if code >= 0
            )
            yield start + len(part)
        rows = np.full(len(activity.items), -1, dtype=np.int32)
        rows[self.key_of_row] = np.arange(len(ids), dtype=np.int32)
        self._row_of_key = rows

    def row(self, key: int) -> int:
        """Bundle row of an activity key, -1 where the bundle does not have the item."""
        return int(self._row_of_key[key]) if key < len(self._row_of_key) else -1

    def rows(self, keys: I64) -> I64:
        """Bundle rows of activity keys, int64 like `keys`, -1 where the bundle does not have the item."""
        known = keys < len(self._row_of_key)
        rows = np.full(len(keys), -1, dtype=np.int64)
        rows[known] = self._row_of_key[keys[known]]
        return rows

    def trending(self, scope: str) -> I64:
        """Keys of the bundle's trending items in a scope, best first: int64 (n,)."""
        if self.shelf is None or scope not in self.shelf.trending:
            return np.zeros(0, dtype=np.int64)
        return np.asarray(self.key_of_row[self.shelf.trending[scope]])

    def scope_scores(self, scope: str, keys: I64) -> F64:
        """Share of each key in what the bundle counted in a scope, float64 like `keys`."""
        found = np.zeros(len(keys))
        if self.shelf is None or scope not in self.shelf.trending:
            return found
        shares = self._scope_shares.get(scope)
        if shares is None:
            scores = self.shelf.scores[scope]
            total = max(float(scores.sum()), 1e-9)
            shares = dict(zip(self.trending(scope).tolist(), (scores / total).tolist(), strict=True))
            self._scope_shares[scope] = shares
        found[:] = [shares.get(key, 0.0) for key in keys.tolist()]
        return found

    def remembered(self, visitor: Visitor | None, user_row: int | None, limits: ActivityLimits) -> Visitor | None:
        """The visitor with what the bundle knows of the time before memory began.

        A service that has just started, or that had no room to keep somebody, still knows what they opened.
        """
        if self.shelf is None or user_row is None:
            return visitor
        began = visitor.recent[0][1] if visitor and visitor.recent else math.inf
        earlier = self.shelf.bundle.history.recent(user_row, limits.recent_items)
        before = [(int(self.key_of_row[row]), at) for row, at in earlier if at < began]
        if not before:
            return visitor
        recent = (before + (visitor.recent if visitor else []))[-limits.recent_items :]
        return replace(visitor, recent=recent) if visitor else Visitor(recent=recent)

    def segment(self, user_row: int | None) -> str | None:
        """Name of a user's segment."""
        if self.shelf is None or user_row is None or self.shelf.segment is None:
            return None
        code = self.shelf.segment[user_row]
        return self.shelf.segments[code] if code >= 0 else None

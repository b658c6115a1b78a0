"""The champion's view of one person: a vector moved by recent events, its best items and its scores."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable

import numpy as np

from ml.arrays import F32, F64, I64
from ml.decisions.activity.activity import Visitor
from ml.decisions.items.linked import Linked
from ml.decisions.items.nearest import Nearest
from ml.decisions.items.shelf import Shelf

FOLDED_ITEMS = 20
RECENT_SHARE = 0.5
SMALL = 1e-6
REMEMBERED = 20_000


class Personal:
    """Personal candidates and scores over one bundle; remembers what it computed lately.

    Args:
        linked: the bundle joined to the activity.
        nearest: search over the item factors; None without a model.
        count: candidates of one person.
    """

    def __init__(self, linked: Linked, nearest: Nearest | None, count: int) -> None:
        self.linked = linked
        self.nearest = nearest
        self.count = count
        self._best: OrderedDict[Hashable, I64] = OrderedDict()
        self._similar: OrderedDict[int, I64] = OrderedDict()
        self.hits = 0
        self.misses = 0

    def vector(self, visitor: Visitor | None, user_row: int | None) -> tuple[F32 | None, str]:
        """Factors of the person and their source: `personal` from training, `recent` from events alone."""
        shelf = self.linked.shelf
        if shelf is None:
            return None, ""
        known = shelf.user_vector(user_row)
        folded = self._folded(shelf, visitor)
        if known is None:
            return folded, "recent"
        if folded is None:
            return known, "personal"
        # what ranking learns and ridge regression answer differ in size: each opinion gets its share of the spread
        size = RECENT_SHARE * shelf.spread(known) / max(shelf.spread(folded), SMALL)
        return np.asarray((1 - RECENT_SHARE) * known + size * folded, dtype=np.float32), "personal"

    def folded(self, visitor: Visitor | None) -> F32 | None:
        """Factors from recent events alone."""
        return self._folded(self.linked.shelf, visitor) if self.linked.shelf else None

    def best(self, vector: F32, remember_as: Hashable = None) -> I64:
        """Keys of the items with the highest scores, best first.

        Args:
            remember_as: what the vector belongs to; the same again is answered from memory.
        """
        if remember_as is not None and remember_as in self._best:
            self._best.move_to_end(remember_as)
            self.hits += 1
            return self._best[remember_as]
        self.misses += 1
        if self.nearest is None:
            return np.zeros(0, dtype=np.int64)
        return self.remember(remember_as, self.nearest.by_product(vector, self.count))

    def is_remembered(self, remember_as: Hashable) -> bool:
        """Whether `best` would answer from memory."""
        return remember_as in self._best

    def remember(self, remember_as: Hashable, rows: I64) -> I64:
        """Keep the best rows of somebody, as a search found them; returns their keys."""
        keys: I64 = self.linked.key_of_row[rows]
        if remember_as is not None:
            self._best[remember_as] = keys
            if len(self._best) > REMEMBERED:
                self._best.popitem(last=False)
        return keys

    def scores(self, vector: F32, keys: I64) -> F64:
        """Scores of these candidates, centred and scaled over those that the model knows; 0 for the others."""
        shelf = self.linked.shelf
        found = np.zeros(len(keys))
        if shelf is None or shelf.bundle.item_factors is None:
            return found
        rows = self.linked.rows(keys)
        known = rows >= 0
        known[known] = shelf.known_items[rows[known]]
        if known.sum() > 1:
            scores = shelf.bundle.item_factors[rows[known]] @ vector
            found[known] = (scores - scores.mean()) / (scores.std() + 1e-9)
        return found

    def similar(self, item: int, count: int) -> I64:
        """Keys of the items nearest to an item in the model, nearest first; empty for items it does not know."""
        row = self.linked.row(item)
        shelf = self.linked.shelf
        if shelf is None or self.nearest is None or row < 0 or not shelf.known_items[row]:
            return np.zeros(0, dtype=np.int64)
        if row not in self._similar:
            self._similar[row] = self.linked.key_of_row[self.nearest.by_cosine(row, count)]
            if len(self._similar) > REMEMBERED:
                self._similar.popitem(last=False)
        return self._similar[row]

    def likeness(self, item: int, keys: I64) -> F64:
        """Cosine of these candidates with an item, 0 where the model knows one of the two not."""
        found = np.zeros(len(keys))
        shelf, row = self.linked.shelf, self.linked.row(item)
        if shelf is None or self.nearest is None or row < 0 or not shelf.known_items[row]:
            return found
        rows = self.linked.rows(keys)
        known = rows >= 0
        known[known] = shelf.known_items[rows[known]]
        found[known] = self.nearest.cosines(row, rows[known])
        return found

    def vectors(self, keys: I64) -> F32:
        """Factors of these items, float32 (n, d); zeros where the model does not know one."""
        shelf = self.linked.shelf
        if shelf is None or shelf.bundle.item_factors is None:
            return np.zeros((len(keys), 1), dtype=np.float32)
        rows = self.linked.rows(keys)
        known = (rows >= 0) & shelf.known_items[rows]
        return np.where(known[:, None], shelf.bundle.item_factors[rows], np.float32(0))

    @staticmethod
    def _pairs(linked: Linked, visitor: Visitor) -> list[int]:
        rows = [linked.row(key) for key, _ in visitor.recent[-FOLDED_ITEMS:]]
        return [row for row in rows if row >= 0]

    def _folded(self, shelf: Shelf | None, visitor: Visitor | None) -> F32 | None:
        if shelf is None or visitor is None:
            return None
        rows = self._pairs(self.linked, visitor)
        return shelf.fold_in(rows, [1.0] * len(rows)) if rows else None

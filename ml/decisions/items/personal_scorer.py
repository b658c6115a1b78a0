"""Applies the champion model to one person: a vector moved by recent events, its best items, its scores."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable, Sequence

import numpy as np

from ml.arrays import F32, F64, I64
from ml.decisions.activity.visitors import Visitor
from ml.decisions.items.bundle_index import BundleIndex
from ml.decisions.items.bundle_join import BundleJoin
from ml.decisions.items.factor_index import FactorIndex

FOLDED_ITEMS = 20
RECENT_SHARE = 0.5
SMALL = 1e-6
CACHED = 20_000
NOTHING = np.zeros(0, dtype=np.int64)


class PersonalScorer:
    """Computes personal candidates and scores over one bundle, and caches the latest.

    Args:
        join: The bundle joined to the activity.
        factor_index: Search over the item factors; None without a model.
        count: Number of candidates of one person.

    Attributes:
        hits: Lookups of best items that the cache answered.
        misses: Lookups of best items that it did not answer.
    """

    def __init__(self, join: BundleJoin, factor_index: FactorIndex | None, count: int) -> None:
        self.join = join
        self.factor_index = factor_index
        self.count = count
        self._best: OrderedDict[Hashable, I64] = OrderedDict()
        self._similar: OrderedDict[tuple[int, int], I64] = OrderedDict()
        self.hits = 0
        self.misses = 0

    def user_vector(self, visitor: Visitor | None, user_row: int | None) -> F32 | None:
        """Compute the factors of a person from training, recent events, or both, float32 (d,)."""
        index = self.join.index
        if index is None:
            return None
        trained = self.trained_vector(user_row)
        if trained is not None and (self.ranks_for_everybody or not self._has_news(index, visitor, user_row)):
            return trained
        recent = self.fold_in_recent(visitor)
        if trained is None or recent is None:
            return recent if trained is None else trained
        return self._mix(trained, recent)

    def trained_vector(self, user_row: int | None) -> F32 | None:
        """Return the factors of a user from training, float32 (d,); None if the model does not know the user."""
        return self.join.index.user_vector(user_row) if self.join.index else None

    def fold_in(self, rows: Sequence[int], weights: Sequence[float]) -> F32 | None:
        """Compute the factors of somebody who opened these items of the bundle, float32 (d,).

        The result is None if the model knows none of them.
        """
        return self.join.index.fold_in(list(rows), list(weights)) if self.join.index else None

    def fold_in_recent(self, visitor: Visitor | None) -> F32 | None:
        """Compute the factors of a person from recent events alone."""
        if self.join.index is None or visitor is None:
            return None
        rows = [row for key, _ in visitor.recent[-FOLDED_ITEMS:] if (row := self.join.row_of(key)) >= 0]
        return self.fold_in(rows, [1.0] * len(rows)) if rows else None

    def knows_item(self, row: int) -> bool:
        """Return whether the model knows an item of the bundle."""
        return self.join.index is not None and self.join.index.has_item_factors(row)

    @property
    def ranks_for_everybody(self) -> bool:
        """Whether the model has one list for all people, which says nothing of a person."""
        return False

    def best_keys(self, vector: F32, cache_key: Hashable = None) -> I64:
        """Return the keys of the items with the highest scores, best first.

        Args:
            vector: The vector of the person, float32 (d,).
            cache_key: What the vector belongs to. The same key is answered from the cache.
        """
        if cache_key is not None and cache_key in self._best:
            self._best.move_to_end(cache_key)
            self.hits += 1
            return self._best[cache_key]
        self.misses += 1
        return self.cache_best(cache_key, self._search_best(vector))

    def is_cached(self, cache_key: Hashable) -> bool:
        """Return whether `best_keys` would answer from the cache."""
        return cache_key in self._best

    def cache_best(self, cache_key: Hashable, rows: I64) -> I64:
        """Cache the best rows of somebody, as a search returned them, and return their keys."""
        keys: I64 = self.join.key_of_row[rows]
        if cache_key is not None:
            self._best[cache_key] = keys
            if len(self._best) > CACHED:
                self._best.popitem(last=False)
        return keys

    def scores(self, vector: F32, keys: I64) -> F64:
        """Score these items, float64 (n,), centred and scaled over those with factors; 0 for the others."""
        index = self.join.index
        scores = np.zeros(len(keys))
        if index is None or index.bundle.item_factors is None:
            return scores
        rows = self.join.rows_of(keys)
        has_factors = rows >= 0
        has_factors[has_factors] = index.items_with_factors[rows[has_factors]]
        if has_factors.sum() > 1:
            products = index.bundle.item_factors[rows[has_factors]] @ vector
            scores[has_factors] = (products - products.mean()) / (products.std() + 1e-9)
        return scores

    def similar_keys(self, item: int, count: int) -> I64:
        """Return the keys of the items nearest to an item, nearest first; empty for an item without factors."""
        row = self.join.row_of(item)
        if row < 0:
            return NOTHING
        keys = self._similar.get((row, count))
        if keys is None:
            keys = self._similar[row, count] = self.join.key_of_row[self._search_similar(row, count)]
            if len(self._similar) > CACHED:
                self._similar.popitem(last=False)
        return keys

    def similarities(self, item: int, keys: I64) -> F64:
        """Return the cosines of these items with an item, float64 (n,), 0 where either has no factors."""
        cosines = np.zeros(len(keys))
        row, index = self.join.row_of(item), self.join.index
        if index is None or self.factor_index is None or row < 0 or not index.items_with_factors[row]:
            return cosines
        rows = self.join.rows_of(keys)
        has_factors = rows >= 0
        has_factors[has_factors] = index.items_with_factors[rows[has_factors]]
        cosines[has_factors] = self.factor_index.cosines(row, rows[has_factors])
        return cosines

    def item_vectors(self, keys: I64) -> F32:
        """Return the factors of these items, float32 (n, d), zeros for an item without factors."""
        index = self.join.index
        if index is None or index.bundle.item_factors is None:
            return np.zeros((len(keys), 1), dtype=np.float32)
        rows = self.join.rows_of(keys)
        has_factors = (rows >= 0) & index.items_with_factors[rows]
        return np.where(has_factors[:, None], index.bundle.item_factors[rows], np.float32(0))

    def _search_best(self, vector: F32) -> I64:
        """Return the rows of the items with the highest scores, best first."""
        return NOTHING if self.factor_index is None else self.factor_index.by_product(vector, self.count)

    def _search_similar(self, row: int, count: int) -> I64:
        """Return the rows of the items nearest to an item of the bundle, nearest first."""
        if self.factor_index is None or not self.knows_item(row):
            return NOTHING
        return self.factor_index.by_cosine(row, count)

    def _mix(self, trained: F32, recent: F32) -> F32:
        """Mix a trained and a folded vector, whose lengths differ: each gets its share of the scores' spread."""
        index = self.join.index
        assert index is not None
        size = RECENT_SHARE * index.spread(trained) / max(index.spread(recent), SMALL)
        return np.asarray((1 - RECENT_SHARE) * trained + size * recent, dtype=np.float32)

    @staticmethod
    def _has_news(index: BundleIndex, visitor: Visitor | None, user_row: int | None) -> bool:
        """Return whether somebody opened something that the model was not trained on."""
        if visitor is None or not visitor.recent:
            return False
        return user_row is None or visitor.recent[-1][1] > index.trained_until[user_row]

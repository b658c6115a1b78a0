"""A bundle's items and people as arrays that ranking reads fast."""

from __future__ import annotations

import math

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ml.arrays import F32, F64, I32, I64, Bools
from ml.bundle import Bundle
from ml.recommenders.fold_in import ItemMoments, contributions, folded_in


class Shelf:
    """Columns of the bundle, numbered by row.

    Attributes:
        category: int32 (n_items,) codes into `categories`, -1 where an item has none.
        published_at: float64 (n_items,) Unix seconds, NaN where unknown.
        trending: item rows by scope, best first.
        scores: the scores beside them.
    """

    def __init__(self, bundle: Bundle) -> None:
        self.bundle = bundle
        self.item_ids = bundle.item_ids
        self.item_rows = bundle.item_rows
        self.user_rows = bundle.user_rows
        self.category, self.categories = _codes(bundle.items["category"])
        self.language, self.languages = _codes(bundle.items["language"])
        self.price = _numbers(bundle.items["price"])
        self.published_at = _seconds(bundle.items["published_at"])
        self.titles = bundle.items["title"]
        self.tags = bundle.items["tags"]
        self.trending, self.scores = _trending(bundle)
        columns = bundle.items.column_names
        self.popularity = (
            _numbers(bundle.items["popularity_all"])
            if "popularity_all" in columns
            else np.zeros(len(self.item_ids))
        )
        has_segment = "segment" in bundle.users.column_names
        self.segment: I32 | None = None
        self.segments: list[str] = []
        if has_segment:
            self.segment, self.segments = _codes(bundle.users["segment"])
        self.known_users = _known(bundle.user_factors)
        self.known_items = _known(bundle.item_factors)
        self._moments = None if bundle.item_factors is None else ItemMoments(bundle.item_factors[self.known_items])

    def user_vector(self, user_row: int | None) -> F32 | None:
        """Factors of a user that the model knows, float32 (d,)."""
        factors = self.bundle.user_factors
        if user_row is None or factors is None or not self.known_users[user_row]:
            return None
        vector: F32 = factors[user_row]
        return vector

    def is_known(self, row: int) -> bool:
        """Whether the model has factors of an item."""
        return bool(len(self.known_items)) and bool(self.known_items[row])

    def fold_in(self, rows: list[int], weights: list[float]) -> F32 | None:
        """Factors of somebody who opened these items, float32 (d,), as the model itself would fold them in.

        Args:
            rows: item rows; those that the model does not know are left out.
            weights: strength of each.

        Returns:
            None where no item is known.
        """
        factors, fold_in = self.bundle.item_factors, self.bundle.fold_in
        if factors is None or fold_in is None or self._moments is None:
            return None
        known = [place for place, row in enumerate(rows) if self.known_items[row]]
        if not known:
            return None
        chosen = factors[[rows[place] for place in known]]
        strengths = np.array([weights[place] for place in known], dtype=np.float32)
        return folded_in(fold_in, self._moments, chosen, strengths)

    def fold_in_contributions(self, opened: list[int], wanted: list[int]) -> F64:
        """What each opened item adds to the model's score of each wanted one: float64 (len(opened), len(wanted)).

        Args:
            opened, wanted: item rows; 0 where the model does not know one of the two.
        """
        found = np.zeros((len(opened), len(wanted)))
        factors, fold_in = self.bundle.item_factors, self.bundle.fold_in
        if factors is None or fold_in is None or self._moments is None:
            return found
        taken = np.array([row for row in opened if self.known_items[row]], dtype=np.int64)
        asked = np.array([row for row in wanted if self.known_items[row]], dtype=np.int64)
        if len(taken) and len(asked):
            ones = np.ones(len(taken), dtype=np.float32)
            parts = contributions(fold_in, self._moments, factors[taken], ones, factors[asked])
            found[np.ix_(self.known_items[opened], self.known_items[wanted])] = parts
        return found

    def spread(self, vector: F32) -> float:
        """Standard deviation of a vector's scores over the items that the model knows."""
        if self._moments is None:
            return 0.0
        return math.sqrt(max(0.0, float(vector @ self._moments.covariance @ vector)))

    def category_of(self, row: int) -> str | None:
        """Name of an item's category."""
        code = self.category[row]
        return self.categories[code] if code >= 0 else None

    def language_of(self, row: int) -> str | None:
        """Language tag of an item."""
        code = self.language[row]
        return self.languages[code] if code >= 0 else None

    def of_topic(self, topic: str, count: int) -> I64:
        """Rows of the items of a category or with a tag, the most popular first: int64 (at most count,)."""
        within = np.zeros(len(self.item_ids), dtype=bool)
        if topic in self.categories:
            within |= self.category == self.categories.index(topic)
        lists = self.tags.combine_chunks()
        tagged = pc.list_parent_indices(lists).filter(pc.equal(pc.list_flatten(lists), topic))
        within[np.asarray(tagged)] = True
        rows = np.flatnonzero(within)
        return rows[np.argsort(-self.popularity[rows], kind="stable")[:count]]

    def title(self, row: int) -> str | None:
        """An item's title."""
        title: str | None = self.titles[row].as_py()
        return title


def _codes(column: pa.ChunkedArray) -> tuple[I32, list[str]]:
    encoded = pc.dictionary_encode(pc.cast(column, pa.string())).combine_chunks()
    if isinstance(encoded, pa.ChunkedArray):
        encoded = encoded.chunk(0) if encoded.num_chunks else pa.array([], pa.string()).dictionary_encode()
    codes = np.asarray(pc.fill_null(encoded.indices, -1)).astype(np.int32)
    return codes, list(encoded.dictionary.to_pylist())


def _numbers(column: pa.ChunkedArray) -> F64:
    return np.asarray(pc.fill_null(pc.cast(column, pa.float64()), float("nan")), dtype=np.float64)


def _seconds(column: pa.ChunkedArray) -> F64:
    micros = pc.cast(pc.cast(column, pa.timestamp("us", tz="UTC")), pa.int64())
    return _numbers(micros) / 1e6


def _known(factors: F32 | None) -> Bools:
    if factors is None:
        return np.zeros(0, dtype=bool)
    return np.asarray(np.isfinite(factors[:, 0])) if factors.shape[1] else np.zeros(len(factors), dtype=bool)


def _trending(bundle: Bundle) -> tuple[dict[str, I64], dict[str, F64]]:
    rows = pc.index_in(bundle.trending["item_id"], value_set=bundle.items["item_id"].combine_chunks())
    row = np.asarray(pc.fill_null(rows, -1)).astype(np.int64)
    scope, names = _codes(bundle.trending["scope"])
    score = _numbers(bundle.trending["score"])
    found: dict[str, I64] = {}
    scores: dict[str, F64] = {}
    for code, name in enumerate(names):
        places = np.flatnonzero((scope == code) & (row >= 0))
        places = places[np.argsort(-score[places], kind="stable")]
        found[name], scores[name] = row[places], score[places]
    return found, scores

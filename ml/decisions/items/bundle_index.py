"""A bundle's items and users as arrays that ranking reads fast."""

from __future__ import annotations

import math

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ml.arrays import F32, F64, I32, I64, Bools
from ml.bundle import Bundle
from ml.recommenders.factors import FactorRecommender
from ml.recommenders.fold_in import ItemMoments, contributions, folded_in

CONSENT = "has_personalization_consent"
TRAINED_UNTIL = "trained_until"
"""Column of the users: time of the newest interaction that the champion learned from; null without one."""


class BundleIndex:
    """The columns of a bundle, numbered by row.

    Attributes:
        category: int32 (n_items,), codes into `categories`, -1 for an item without one.
        language: int32 (n_items,), codes into `languages`, -1 for an item without one.
        published_at: float64 (n_items,), Unix seconds, NaN if unknown.
        trending: Item rows by scope, best first.
        trending_scores: Scores of the rows in `trending`, by scope.
        popularity: float64 (n_items,), zeros if the bundle does not say.
        segment: int32 (n_users,), codes into `segments`, -1 for a user without one; None without segments.
        trained_until: float64 (n_users,), Unix seconds of each user's newest interaction that the champion
            learned from, -inf if unknown.
        users_with_factors: bool (n_users,), empty without a model.
        items_with_factors: bool (n_items,), empty without a model.
    """

    def __init__(self, bundle: Bundle) -> None:
        self.bundle = bundle
        self.item_ids = bundle.item_ids
        self.item_rows = bundle.item_rows
        self.user_rows = bundle.user_rows
        self.category, self.categories = _encode(bundle.items["category"])
        self.language, self.languages = _encode(bundle.items["language"])
        self.price = _to_numbers(bundle.items["price"])
        self.published_at = _to_seconds(bundle.items["published_at"])
        self.titles = bundle.items["title"]
        self.tags = bundle.items["tags"]
        self.trending, self.trending_scores = _group_trending(bundle)
        columns = bundle.items.column_names
        self.popularity = (
            _to_numbers(bundle.items["popularity_all"])
            if "popularity_all" in columns
            else np.zeros(len(self.item_ids))
        )
        self.segment: I32 | None = None
        self.segments: list[str] = []
        if "segment" in bundle.users.column_names:
            self.segment, self.segments = _encode(bundle.users["segment"])
        self._consents: Bools | None = None
        if CONSENT in bundle.users.column_names:
            self._consents = np.asarray(pc.fill_null(bundle.users[CONSENT], False), dtype=bool)
        self.trained_until = np.full(len(bundle.users), -np.inf)
        if TRAINED_UNTIL in bundle.users.column_names:
            trained_until = _to_seconds(bundle.users[TRAINED_UNTIL])
            self.trained_until = np.where(np.isnan(trained_until), -np.inf, trained_until)
        self.users_with_factors = _has_factors(bundle.user_factors)
        self.items_with_factors = _has_factors(bundle.item_factors)
        self._category_shares: dict[str, float] | None = None
        self._moments = (
            None if bundle.item_factors is None else ItemMoments(bundle.item_factors[self.items_with_factors])
        )

    def user_vector(self, user_row: int | None) -> F32 | None:
        """Return the trained factors of a user, float32 (d,), or None if the model does not have them."""
        factors = self.bundle.user_factors
        if user_row is None or factors is None or not self.users_with_factors[user_row]:
            return None
        vector: F32 = factors[user_row]
        return vector

    def has_consent(self, user_row: int) -> bool:
        """Return whether a user had consented to personalization, as all have in a bundle that does not say."""
        return self._consents is None or bool(self._consents[user_row])

    def has_item_factors(self, row: int) -> bool:
        """Return whether the model has factors of an item."""
        return bool(len(self.items_with_factors)) and bool(self.items_with_factors[row])

    def fold_in(self, rows: list[int], weights: list[float]) -> F32 | None:
        """Compute the factors of somebody who opened these items, as the model itself would fold them in.

        Args:
            rows: Item rows. Those without factors are left out.
            weights: Confidence of each row, 1 for a typical interaction.

        Returns:
            float32 (d,), or None if no row has factors.
        """
        factors, fold_in, model = self.bundle.item_factors, self.bundle.fold_in, self.bundle.model
        if factors is None or fold_in is None or self._moments is None:
            return None
        positions = [position for position, row in enumerate(rows) if self.items_with_factors[row]]
        if not positions:
            return None
        if isinstance(model, FactorRecommender):
            model_rows = model.item_ids_.rows([self.item_ids[rows[position]] for position in positions])
            history = model.history_of_rows(model_rows, [weights[position] for position in positions])
            return np.asarray(model.fold_in_histories(history)[0])
        chosen = factors[[rows[position] for position in positions]]
        strengths = np.array([weights[position] for position in positions], dtype=np.float32)
        return folded_in(fold_in, self._moments, chosen, strengths)

    def fold_in_contributions(self, opened: list[int], scored: list[int]) -> F64:
        """Compute what each opened item adds to the model's score of each scored item.

        Args:
            opened: Item rows that the person opened.
            scored: Item rows whose scores are taken apart.

        Returns:
            float64 (len(opened), len(scored)), 0 where the model lacks the factors of either item.
        """
        added = np.zeros((len(opened), len(scored)))
        factors, fold_in = self.bundle.item_factors, self.bundle.fold_in
        if factors is None or fold_in is None or self._moments is None:
            return added
        opened_rows = np.array([row for row in opened if self.items_with_factors[row]], dtype=np.int64)
        scored_rows = np.array([row for row in scored if self.items_with_factors[row]], dtype=np.int64)
        if len(opened_rows) and len(scored_rows):
            strengths = np.ones(len(opened_rows), dtype=np.float32)
            parts = contributions(fold_in, self._moments, factors[opened_rows], strengths, factors[scored_rows])
            added[np.ix_(self.items_with_factors[opened], self.items_with_factors[scored])] = parts
        return added

    def spread(self, vector: F32) -> float:
        """Return the standard deviation of a vector's scores over the items with factors."""
        if self._moments is None:
            return 0.0
        return math.sqrt(max(0.0, float(vector @ self._moments.covariance @ vector)))

    def category_share(self, name: str) -> float:
        """Return the share of a category in the popularity of all items, or in their number if that is unknown."""
        if self._category_shares is None:
            has_popularity = bool(np.nansum(self.popularity) > 0)
            weights = np.nan_to_num(self.popularity) if has_popularity else np.ones(len(self.item_ids))
            totals = np.bincount(self.category + 1, weights=weights, minlength=len(self.categories) + 1)[1:]
            shares = totals / max(float(weights.sum()), 1e-9)
            self._category_shares = dict(zip(self.categories, shares.tolist(), strict=True))
        return self._category_shares.get(name, 0.0)

    def category_of(self, row: int) -> str | None:
        """Return the name of an item's category."""
        code = self.category[row]
        return self.categories[code] if code >= 0 else None

    def language_of(self, row: int) -> str | None:
        """Return the language tag of an item."""
        code = self.language[row]
        return self.languages[code] if code >= 0 else None

    def readable_rows(self, languages: frozenset[str]) -> Bools:
        """Return which items somebody can read, bool (n_items,); an item without a language is for all.

        Args:
            languages: Primary language subtags, such as `de`, in lower case.
        """
        can_read = [primary_subtag(tag) in languages for tag in self.languages]
        return np.asarray(np.array([*can_read, True])[self.language], dtype=bool)

    def title_of(self, row: int) -> str | None:
        """Return an item's title."""
        title: str | None = self.titles[row].as_py()
        return title

    def find_title(self, item_id: str) -> str | None:
        """Return the title of the item with an id; None where there is no such item, or it has none."""
        row = self.item_rows.get(item_id)
        return None if row is None else self.title_of(row)

    def rows_of_topic(self, topic: str, count: int) -> I64:
        """Return the rows of items in a category or with a tag, the most popular first, int64 (at most count,)."""
        within = np.zeros(len(self.item_ids), dtype=bool)
        if topic in self.categories:
            within |= self.category == self.categories.index(topic)
        lists = self.tags.combine_chunks()
        tagged = pc.list_parent_indices(lists).filter(pc.equal(pc.list_flatten(lists), topic))
        within[np.asarray(tagged)] = True
        rows = np.flatnonzero(within)
        return rows[np.argsort(-self.popularity[rows], kind="stable")[:count]]


def primary_subtag(tag: str) -> str:
    """Return the language of a BCP 47 tag without script and region.

    >>> primary_subtag("pt-BR"), primary_subtag("DE_at")
    ('pt', 'de')
    """
    return tag.replace("_", "-").partition("-")[0].strip().lower()


def _encode(column: pa.ChunkedArray) -> tuple[I32, list[str]]:
    """Return a text column as codes, -1 for null, and the names that they stand for."""
    encoded = pc.dictionary_encode(pc.cast(column, pa.string())).combine_chunks()
    if isinstance(encoded, pa.ChunkedArray):
        encoded = encoded.chunk(0) if encoded.num_chunks else pa.array([], pa.string()).dictionary_encode()
    codes = np.asarray(pc.fill_null(encoded.indices, -1)).astype(np.int32)
    return codes, list(encoded.dictionary.to_pylist())


def _to_numbers(column: pa.ChunkedArray) -> F64:
    return np.asarray(pc.fill_null(pc.cast(column, pa.float64()), float("nan")), dtype=np.float64)


def _to_seconds(column: pa.ChunkedArray) -> F64:
    micros = pc.cast(pc.cast(column, pa.timestamp("us", tz="UTC")), pa.int64())
    return _to_numbers(micros) / 1e6


def _has_factors(factors: F32 | None) -> Bools:
    if factors is None:
        return np.zeros(0, dtype=bool)
    return np.asarray(np.isfinite(factors[:, 0])) if factors.shape[1] else np.zeros(len(factors), dtype=bool)


def _group_trending(bundle: Bundle) -> tuple[dict[str, I64], dict[str, F64]]:
    """Return the rows and the scores of the trending items by scope, best first."""
    item_rows = pc.index_in(bundle.trending["item_id"], value_set=bundle.items["item_id"].combine_chunks())
    row = np.asarray(pc.fill_null(item_rows, -1)).astype(np.int64)
    scope, names = _encode(bundle.trending["scope"])
    score = _to_numbers(bundle.trending["score"])
    rows: dict[str, I64] = {}
    scores: dict[str, F64] = {}
    for code, name in enumerate(names):
        entries = np.flatnonzero((scope == code) & (row >= 0))
        entries = entries[np.argsort(-score[entries], kind="stable")]
        rows[name], scores[name] = row[entries], score[entries]
    return rows, scores

"""The features of each candidate at the moment of a request."""

from __future__ import annotations

import numpy as np

from ml.arrays import F32, F64, I64
from ml.decisions.activity.activity import Activity
from ml.decisions.activity.co_visitation import CoVisitation
from ml.decisions.items.personal_scorer import PersonalScorer
from ml.decisions.ranker.ranking_context import RankingContext

PRIOR = 3.0
PULL = 5.0
GROUP_PRIOR = 20.0
SMALL = 1e-6
NOTICED = 1e-4

POPULARITY = ("popular_5m", "popular_30m", "popular_2h", "popular_8h", "popular_3d")
RISES = ("rise_5m_30m", "rise_30m_2h", "rise_2h_8h", "rise_8h_3d")
MANNERS = ("quick_of_all_30m", "slow_of_all_30m", "quick_to_slow_4h")
WITHIN = ("quick_30m", "quick_4h", "slow_30m", "slow_4h")
LAST = (
    "next_30m",
    "next_4h",
    "next_7d",
    "near_30m",
    "near_4h",
    "near_7d",
    "next_or_popular",
    "near_or_popular",
    "now_next_or_popular",
    "now_near_or_popular",
)
BEFORE = (
    "next_4h_of_2nd",
    "near_4h_of_2nd",
    "next_4h_of_3rd",
    "near_4h_of_3rd",
    "near_7d_of_history",
    "near_4h_of_all",
    "near_7d_of_all",
    "across_1h",
    "across_8h_of_newest",
)
SCOPES = ("scope_country", "scope_region", "scope_device", "after_category")
GROUPS = ("in_place", "in_place_lift", "of_favourite", "of_favourite_lift")
ITEM_FACTS = (
    "age", "published_age", "category_share", "same_category", "personal", "trend", "place_popular", "place_next",
    "passed", "passed_visits", "passed_day", "lift", "similar_to_last", "segment", "idle",
)  # fmt: skip
REQUEST = (
    "opened_in_visit", "seconds_since_last", "hour", "opened", "mean_popularity", "followers_30m", "followers_7d",
    "seconds_away",
)  # fmt: skip
NAMES = (*POPULARITY, *WITHIN, *RISES, *MANNERS, *LAST, *BEFORE, *SCOPES, *GROUPS, *ITEM_FACTS, *REQUEST)
_COMPARED = (
    ("popular_5m", "popular_30m"), ("popular_30m", "popular_2h"), ("popular_2h", "popular_8h"),
    ("popular_8h", "popular_3d"), ("quick_30m", "popular_30m"), ("slow_30m", "popular_30m"),
    ("quick_4h", "slow_4h"),
)  # fmt: skip
"""Pairs of shares whose logarithms RISES and MANNERS subtract."""
_MORE, _LESS = ([NAMES.index(name) for name in names] for names in zip(*_COMPARED, strict=True))


class FeatureBuilder:
    """Computes feature rows over one activity.

    It reuses scratch memory between calls, so one instance serves one thread.
    """

    def __init__(self, activity: Activity) -> None:
        self.activity = activity
        self._scratch: F64 = np.zeros((1024, 3))

    def build(self, context: RankingContext, keys: I64, scorer: PersonalScorer) -> F32:
        """Compute the features of the candidates, float32 (n, len(NAMES)), columns as NAMES."""
        n = len(keys)
        features = np.zeros((n, len(NAMES)), dtype=np.float32)
        column = 0

        def put(values: F64) -> None:
            nonlocal column
            width = values.shape[1]
            features[:, column : column + width] = values
            column += width

        popular = self._popular_shares(keys, scorer)
        put(np.log(popular + SMALL))
        noticed = np.log(popular + NOTICED)
        put(noticed[:, _MORE] - noticed[:, _LESS])
        following = self._last_item(context, keys, popular[:, 1])
        put(following)
        put(self._earlier_items(context, keys))
        put(self._scopes(context, keys))
        put(self._groups(context, keys, popular[:, 3]))
        put(self._item_facts(context, keys, scorer, popular, following))
        put(np.repeat(self._request(context)[None, :], n, axis=0))
        return features

    def _popular_shares(self, keys: I64, scorer: PersonalScorer) -> F64:
        """Return the share of each candidate in what is opened now, float64 (n, half-lives).

        What one person alone opened says nothing about what people like, where a catalogue says anything at all.
        """
        shares = self.activity.popular.shares(keys, PRIOR)
        if scorer.join.index is None:
            return shares
        return shares * self.activity.have_company(keys)[:, None]

    def _weights(self, co_visitation: CoVisitation, item: int, at: float, keys: I64) -> tuple[F64, F64]:
        """Return the weights of the candidates after `item`, float64 (n, half-lives), and their total."""
        neighbours = co_visitation.neighbours.get(item)
        width = len(co_visitation.half_lives)
        if neighbours is None:
            return np.zeros((len(keys), width)), np.zeros(width)
        if len(self._scratch) < len(self.activity.items):
            self._scratch = np.zeros((2 * len(self.activity.items), 3))
        neighbour_keys, weights = neighbours.keys[: neighbours.size], neighbours.weights[: neighbours.size]
        scratch = self._scratch[:, :width]
        scratch[neighbour_keys] = weights
        values = scratch[keys]
        scratch[neighbour_keys] = 0.0
        scale = co_visitation.scale(at)
        return values * scale, neighbours.mass * scale

    def _shares(self, co_visitation: CoVisitation, item: int, at: float, keys: I64) -> F64:
        """Return the share of each candidate among what goes with `item`, float64 (n, half-lives)."""
        weights, mass = self._weights(co_visitation, item, at, keys)
        return np.asarray(weights / (mass + PRIOR))

    def _last_item(self, context: RankingContext, keys: I64, popular: F64) -> F64:
        """Compute the columns LAST."""
        columns = np.zeros((len(keys), len(LAST)))
        columns[:, 6:] = np.log(popular + SMALL)[:, None]
        if context.last_items:
            for number, co_visitation in enumerate((self.activity.next, self.activity.near)):
                weights, mass = self._weights(co_visitation, context.last_items[0], context.at, keys)
                columns[:, 3 * number : 3 * number + 3] = weights / (mass + PRIOR)
                columns[:, 6 + number] = np.log(_backed_off(weights, mass, popular) + SMALL)
                columns[:, 8 + number] = np.log(_backed_off(weights[:, :1], mass[:1], popular) + SMALL)
        return columns

    def _earlier_items(self, context: RankingContext, keys: I64) -> F64:
        """Compute the columns BEFORE."""
        last, at = context.last_items, context.at
        columns = np.zeros((len(keys), len(BEFORE)))
        for number, item in enumerate(last[1:]):
            columns[:, 2 * number] = self._shares(self.activity.next, item, at, keys)[:, 1]
            columns[:, 2 * number + 1] = self._shares(self.activity.near, item, at, keys)[:, 1]
        recent = context.visitor.recent if context.visitor else []
        earlier = [item for item, _ in recent[-10:] if item not in last]
        for number, item in enumerate(reversed(earlier)):
            shares = self._shares(self.activity.near, item, at, keys)
            if number == 0:
                columns[:, 4] = shares[:, 2]
            columns[:, 5] += shares[:, 1]
            columns[:, 6] += shares[:, 2]
        for number, item in enumerate(reversed(self.activity.earlier_items(context.visit, context.visitor))):
            shares = self._shares(self.activity.across, item, at, keys)
            columns[:, 7] += shares[:, 0]
            if number == 0:
                columns[:, 8] = shares[:, 1]
        return columns

    def _scopes(self, context: RankingContext, keys: I64) -> F64:
        """Compute the columns SCOPES."""
        columns = np.full((len(keys), 4), np.log(SMALL))
        category = self.activity.categories.get(context.last_items[0]) if context.last_items else None
        number = self.activity.scope_numbers.get(f"after:{category}")
        if number is not None:
            columns[:, 3] = np.log(self._shares(self.activity.in_scope, number, context.at, keys)[:, 1] + SMALL)
        for column, scope in enumerate(context.scopes):
            number = self.activity.scope_numbers.get(scope) if scope else None
            if number is not None:
                shares = self._shares(self.activity.in_scope, number, context.at, keys)
                columns[:, column] = np.log(shares[:, 1] + SMALL)
        return columns

    def _groups(self, context: RankingContext, keys: I64, popular: F64) -> F64:
        """Compute the columns GROUPS: the share in two scopes, and how far it is above that among all openings."""
        columns = np.zeros((len(keys), len(GROUPS)))
        scopes = (self.activity.position_scope(context.visit), self.activity.taste_scope(context.visitor))
        for pair, scope in enumerate(scopes):
            number = self.activity.scope_numbers.get(scope) if scope else None
            if number is None:
                columns[:, 2 * pair] = np.log(SMALL)
                continue
            weights, mass = self._weights(self.activity.in_scope, number, context.at, keys)
            columns[:, 2 * pair] = np.log(weights[:, 0] / (mass[0] + PRIOR) + SMALL)
            expected = (weights[:, 1] + GROUP_PRIOR * popular) / (mass[1] + GROUP_PRIOR)
            columns[:, 2 * pair + 1] = np.log((expected + SMALL) / (popular + SMALL))
        return columns

    def _item_facts(
        self, context: RankingContext, keys: I64, scorer: PersonalScorer, popular: F64, following: F64
    ) -> F64:
        """Compute the columns ITEM_FACTS."""
        join, index = scorer.join, scorer.join.index
        at, activity = context.at, self.activity
        columns = np.zeros((len(keys), len(ITEM_FACTS)))
        first = np.array([activity.first_opened[key] for key in keys.tolist()])
        columns[:, 0] = np.log1p(np.maximum(0.0, at - np.where(np.isnan(first), at, first)))
        rows = join.rows_of(keys)
        if index is not None:
            in_bundle = rows >= 0
            published = np.full(len(keys), np.nan)
            published[in_bundle] = index.published_at[rows[in_bundle]]
            columns[:, 1] = np.log1p(np.maximum(0.0, at - np.where(np.isnan(published), at, published)))
            category = np.full(len(keys), -1)
            category[in_bundle] = index.category[rows[in_bundle]]
            recent = context.visitor.recent if context.visitor else []
            recent_rows = join.rows_of(np.array([item for item, _ in recent], dtype=np.int64))
            codes = index.category[recent_rows[recent_rows >= 0]]
            codes = codes[codes >= 0]
            if len(codes):
                counts = np.bincount(codes, minlength=len(index.categories) + 1)
                columns[:, 2] = np.where(category >= 0, counts[category] / (len(codes) + 1), 0.0)
            if context.last_items:
                last_row = join.row_of(context.last_items[0])
                if last_row >= 0:
                    columns[:, 3] = (category == index.category[last_row]) & (category >= 0)
        if context.vector is not None:
            columns[:, 4] = scorer.scores(context.vector, keys)
        columns[:, 5] = np.log((popular[:, 0] + 1e-4) / (popular[:, 2] + 1e-4))
        columns[:, 6] = _ranks(popular[:, 1])
        columns[:, 7] = _ranks(following[:, 1]) if following[:, 1].any() else 0.0
        opened = np.array([moment for _, moment in context.visitor.recent]) if context.visitor else np.zeros(0)
        if len(opened):
            columns[:, 8] = len(opened) - np.searchsorted(opened, first)
            starts = opened[np.diff(opened, prepend=-np.inf) > 1800.0]
            columns[:, 9] = len(starts) - np.searchsorted(starts, first)
            columns[:, 10] = len(opened) - np.searchsorted(opened, np.maximum(first, at - 86400.0))
        if context.last_items:
            columns[:, 12] = scorer.similarities(context.last_items[0], keys)
        if context.segment is not None:
            columns[:, 13] = join.scope_shares(f"segment:{context.segment}", keys)
        idle = at - np.array([activity.last_opened[key] for key in keys.tolist()])
        columns[:, 14] = np.log1p(np.maximum(0.0, idle))
        columns[:, 11] = np.log((following[:, 4] + 1e-3) / (popular[:, 2] + 1e-3))
        return columns

    def _request(self, context: RankingContext) -> F64:
        """Compute the values REQUEST, which all candidates share, float64 (len(REQUEST),)."""
        visit, visitor, at = context.visit, context.visitor, context.at
        opened = visitor.opened if visitor else 0
        last = context.last_items
        followers = self.activity.next.neighbours.get(last[0]) if last else None
        mass = followers.mass * self.activity.next.scale(at) if followers else np.zeros(3)
        recent = [moment for _, moment in visitor.recent] if visitor else []
        before = len(visit.items) if visit else 0
        away = at - recent[-before - 1] if len(recent) > before else -1.0
        return np.array(
            [
                visit.opened if visit else 0,
                min(at - visit.last_at, 7200.0) if visit else -1.0,
                at % 86400 / 3600,
                opened,
                visitor.popularity / opened if visitor and opened else 0.0,
                np.log1p(mass[0]),
                np.log1p(mass[2]),
                min(away, 7 * 86400.0),
            ]
        )


def _backed_off(weights: F64, mass: F64, popular: F64) -> F64:
    """Estimate the chance of each candidate from little evidence of what goes with an item, float64 (n,).

    The share at each half-life is drawn towards that at the next longer one, the longest towards popularity.

    Args:
        weights: float64 (n, half-lives), the shortest first.
        mass: float64 (half-lives,).
        popular: float64 (n,), shares among all openings.
    """
    chances = popular
    for column in reversed(range(len(mass))):
        chances = (weights[:, column] + PULL * chances) / (mass[column] + PULL)
    return chances


def _ranks(values: F64) -> F64:
    """Return the rank of each value, 0 for the highest."""
    ranks = np.empty(len(values))
    ranks[np.argsort(-values, kind="stable")] = np.arange(len(values))
    return ranks

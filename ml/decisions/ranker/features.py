"""What is known of each candidate at the moment of asking, as one row of numbers a candidate."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ml.arrays import F32, F64, I64
from ml.decisions.activity.activity import SCOPE_KINDS, Activity, Visit, Visitor
from ml.decisions.activity.follows import Follows
from ml.decisions.items.personal import Personal

LAST_ITEMS = 3
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
FACTS = (
    "age", "published_age", "category_share", "same_category", "personal", "trend", "place_popular", "place_next",
    "passed", "passed_visits", "passed_day", "lift", "similar_to_last", "segment", "idle",
)  # fmt: skip
ASKING = (
    "opened_in_visit", "seconds_since_last", "hour", "opened", "mean_popularity", "followers_30m", "followers_7d",
    "seconds_away",
)  # fmt: skip
NAMES = (*POPULARITY, *WITHIN, *RISES, *MANNERS, *LAST, *BEFORE, *SCOPES, *GROUPS, *FACTS, *ASKING)
_COMPARED = (
    ("popular_5m", "popular_30m"), ("popular_30m", "popular_2h"), ("popular_2h", "popular_8h"),
    ("popular_8h", "popular_3d"), ("quick_30m", "popular_30m"), ("slow_30m", "popular_30m"),
    ("quick_4h", "slow_4h"),
)  # fmt: skip
"""What RISES and MANNERS compare."""
_MORE, _LESS = ([NAMES.index(name) for name in names] for names in zip(*_COMPARED, strict=True))


@dataclass
class Question:
    """Who asks and when, as far as ranking cares; `at` is Unix seconds.

    Attributes:
        vector: the person's factors, None without a model or a history.
        segment: the person's segment.
        interests: stated topics that the vector was made of, for somebody of whom nothing else is known.
        place: country, region and device where they are asked from; the visitor's own where one is None.
    """

    at: float
    visit: Visit | None = None
    visitor: Visitor | None = None
    vector: F32 | None = None
    segment: str | None = None
    interests: tuple[str, ...] = ()
    place: tuple[str | None, str | None, str | None] = (None, None, None)

    @property
    def scopes(self) -> tuple[str | None, ...]:
        """Names of the groups of SCOPE_KINDS that the person belongs to, None where that is not known."""
        visitor = self.visitor
        own = (visitor.country, visitor.region, visitor.device) if visitor else (None, None, None)
        values = [asked or known for asked, known in zip(self.place, own, strict=True)]
        return tuple(f"{kind}:{value}" if value else None for kind, value in zip(SCOPE_KINDS, values, strict=True))

    @property
    def last_items(self) -> list[int]:
        """Items of the running visit, the last one first."""
        return self.visit.items[: -LAST_ITEMS - 1 : -1] if self.visit else []


class Features:
    """Makes feature rows over one activity; keeps scratch memory between calls, so it is not for two threads."""

    def __init__(self, activity: Activity) -> None:
        self.activity = activity
        self._scratch: F64 = np.zeros((1024, 3))

    def rows(self, question: Question, keys: I64, personal: Personal) -> F32:
        """Feature rows of the candidates: float32 (n, len(NAMES)), columns as NAMES."""
        activity, n = self.activity, len(keys)
        found = np.zeros((n, len(NAMES)), dtype=np.float32)
        column = 0

        def put(values: F64) -> None:
            nonlocal column
            width = values.shape[1]
            found[:, column : column + width] = values
            column += width

        popular = activity.popular.shares(keys, PRIOR)
        put(np.log(popular + SMALL))
        noticed = np.log(popular + NOTICED)
        put(noticed[:, _MORE] - noticed[:, _LESS])
        following = self._last(question, keys, popular[:, 1])
        put(following)
        put(self._before(question, keys))
        put(self._scopes(question, keys))
        put(self._groups(question, keys, popular[:, 3]))
        put(self._facts(question, keys, personal, popular, following))
        put(np.repeat(self._asking(question)[None, :], n, axis=0))
        return found

    def _weights(self, follows: Follows, item: int, at: float, keys: I64) -> tuple[F64, F64]:
        """How much each candidate goes with `item`, float64 (n, half-lives), and all together, (half-lives,)."""
        neighbours = follows.of.get(item)
        width = len(follows.half_lives)
        if neighbours is None:
            return np.zeros((len(keys), width)), np.zeros(width)
        if len(self._scratch) < len(self.activity.items):
            self._scratch = np.zeros((2 * len(self.activity.items), 3))
        places, weights = neighbours.keys[: neighbours.size], neighbours.weights[: neighbours.size]
        scratch = self._scratch[:, :width]
        scratch[places] = weights
        values = scratch[keys]
        scratch[places] = 0.0
        scale = follows.scale(at)
        return values * scale, neighbours.mass * scale

    def _shares(self, follows: Follows, item: int, at: float, keys: I64) -> F64:
        """Share of each candidate among what goes with `item`, float64 (n, half-lives)."""
        weights, mass = self._weights(follows, item, at, keys)
        return np.asarray(weights / (mass + PRIOR))

    def _last(self, question: Question, keys: I64, popular: F64) -> F64:
        found = np.zeros((len(keys), len(LAST)))
        found[:, 6:] = np.log(popular + SMALL)[:, None]
        if question.last_items:
            for place, follows in enumerate((self.activity.next, self.activity.near)):
                weights, mass = self._weights(follows, question.last_items[0], question.at, keys)
                found[:, 3 * place : 3 * place + 3] = weights / (mass + PRIOR)
                found[:, 6 + place] = np.log(_backed_off(weights, mass, popular) + SMALL)
                found[:, 8 + place] = np.log(_backed_off(weights[:, :1], mass[:1], popular) + SMALL)
        return found

    def _before(self, question: Question, keys: I64) -> F64:
        last, at = question.last_items, question.at
        found = np.zeros((len(keys), len(BEFORE)))
        for place, item in enumerate(last[1:]):
            found[:, 2 * place] = self._shares(self.activity.next, item, at, keys)[:, 1]
            found[:, 2 * place + 1] = self._shares(self.activity.near, item, at, keys)[:, 1]
        recent = question.visitor.recent if question.visitor else []
        earlier = [item for item, _ in recent[-10:] if item not in last]
        for place, item in enumerate(reversed(earlier)):
            shares = self._shares(self.activity.near, item, at, keys)
            if place == 0:
                found[:, 4] = shares[:, 2]
            found[:, 5] += shares[:, 1]
            found[:, 6] += shares[:, 2]
        for place, item in enumerate(reversed(self.activity.earlier_items(question.visit, question.visitor))):
            shares = self._shares(self.activity.across, item, at, keys)
            found[:, 7] += shares[:, 0]
            if place == 0:
                found[:, 8] = shares[:, 1]
        return found

    def _scopes(self, question: Question, keys: I64) -> F64:
        found = np.full((len(keys), 4), np.log(SMALL))
        category = self.activity.categories.get(question.last_items[0]) if question.last_items else None
        number = self.activity.scope_numbers.get(f"after:{category}")
        if number is not None:
            found[:, 3] = np.log(self._shares(self.activity.in_scope, number, question.at, keys)[:, 1] + SMALL)
        for place, scope in enumerate(question.scopes):
            number = self.activity.scope_numbers.get(scope) if scope else None
            if number is not None:
                shares = self._shares(self.activity.in_scope, number, question.at, keys)
                found[:, place] = np.log(shares[:, 1] + SMALL)
        return found

    def _groups(self, question: Question, keys: I64, popular: F64) -> F64:
        """Share in groups of openings and people like this one, and how far it is above that among all."""
        found = np.zeros((len(keys), len(GROUPS)))
        scopes = (self.activity.place_scope(question.visit), self.activity.taste_scope(question.visitor))
        for place, scope in enumerate(scopes):
            number = self.activity.scope_numbers.get(scope) if scope else None
            if number is None:
                found[:, 2 * place] = np.log(SMALL)
                continue
            weights, mass = self._weights(self.activity.in_scope, number, question.at, keys)
            found[:, 2 * place] = np.log(weights[:, 0] / (mass[0] + PRIOR) + SMALL)
            expected = (weights[:, 1] + GROUP_PRIOR * popular) / (mass[1] + GROUP_PRIOR)
            found[:, 2 * place + 1] = np.log((expected + SMALL) / (popular + SMALL))
        return found

    def _facts(self, question: Question, keys: I64, personal: Personal, popular: F64, following: F64) -> F64:
        linked = personal.linked
        at, activity = question.at, self.activity
        found = np.zeros((len(keys), len(FACTS)))
        first = np.array([activity.first_opened[key] for key in keys.tolist()])
        found[:, 0] = np.log1p(np.maximum(0.0, at - np.where(np.isnan(first), at, first)))
        rows = linked.rows(keys)
        if linked.shelf is not None:
            known = rows >= 0
            published = np.full(len(keys), np.nan)
            published[known] = linked.shelf.published_at[rows[known]]
            found[:, 1] = np.log1p(np.maximum(0.0, at - np.where(np.isnan(published), at, published)))
            category = np.full(len(keys), -1)
            category[known] = linked.shelf.category[rows[known]]
            recent = question.visitor.recent if question.visitor else []
            own = linked.rows(np.array([item for item, _ in recent], dtype=np.int64))
            codes = linked.shelf.category[own[own >= 0]]
            codes = codes[codes >= 0]
            if len(codes):
                counts = np.bincount(codes, minlength=len(linked.shelf.categories) + 1)
                found[:, 2] = np.where(category >= 0, counts[category] / (len(codes) + 1), 0.0)
            if question.last_items:
                last = linked.row(question.last_items[0])
                if last >= 0:
                    found[:, 3] = (category == linked.shelf.category[last]) & (category >= 0)
        if question.vector is not None:
            found[:, 4] = personal.scores(question.vector, keys)
        found[:, 5] = np.log((popular[:, 0] + 1e-4) / (popular[:, 2] + 1e-4))
        found[:, 6] = _places(popular[:, 1])
        found[:, 7] = _places(following[:, 1]) if following[:, 1].any() else 0.0
        opened = np.array([moment for _, moment in question.visitor.recent]) if question.visitor else np.zeros(0)
        if len(opened):
            found[:, 8] = len(opened) - np.searchsorted(opened, first)
            starts = opened[np.diff(opened, prepend=-np.inf) > 1800.0]
            found[:, 9] = len(starts) - np.searchsorted(starts, first)
            found[:, 10] = len(opened) - np.searchsorted(opened, np.maximum(first, at - 86400.0))
        if question.last_items:
            found[:, 12] = personal.likeness(question.last_items[0], keys)
        if question.segment is not None:
            found[:, 13] = linked.scope_scores(f"segment:{question.segment}", keys)
        idle = at - np.array([activity.last_opened[key] for key in keys.tolist()])
        found[:, 14] = np.log1p(np.maximum(0.0, idle))
        found[:, 11] = np.log((following[:, 4] + 1e-3) / (popular[:, 2] + 1e-3))
        return found

    def _asking(self, question: Question) -> F64:
        visit, visitor, at = question.visit, question.visitor, question.at
        opened = visitor.opened if visitor else 0
        last = question.last_items
        followers = self.activity.next.of.get(last[0]) if last else None
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
    """Chance of each candidate where little is known of what goes with an item, float64 (n,).

    The share at each half-life is drawn towards that at the next longer one, the longest towards popularity.

    Args:
        weights, mass: float64 (n, half-lives) and (half-lives,), the shortest first.
        popular: float64 (n,), shares among all openings.
    """
    chances = popular
    for place in reversed(range(len(mass))):
        chances = (weights[:, place] + PULL * chances) / (mass[place] + PULL)
    return chances


def _places(values: F64) -> F64:
    """Place of each value when they are sorted, the highest 0."""
    places = np.empty(len(values))
    places[np.argsort(-values, kind="stable")] = np.arange(len(values))
    return places

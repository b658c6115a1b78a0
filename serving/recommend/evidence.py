"""Names the evidence for the items of an answer: an item that was opened before, a topic, a place, a number."""

from __future__ import annotations

import datetime as dt
import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping

import numpy as np

from ml.arrays import F64
from ml.decisions.activity.activity import Activity
from ml.decisions.activity.co_visitation import CoVisitation
from ml.decisions.explanations import Explanation
from ml.decisions.items.personal_scorer import FOLDED_ITEMS
from ml.decisions.ranker.features import PRIOR
from ml.segmentation.segmentation import EVERYONE
from serving.context.situation import COUNTRIES
from serving.recommend.context import RequestContext
from serving.recommend.display_policy import DisplayPolicy

MANY = 10  # openings from which an item counts as opened by many
FRESH_DAYS = 7
NAMED_ITEMS = 2
BEFORE = 10
DEVICES = {"mobile": "phones", "tablet": "tablets", "desktop": "computers", "tv": "televisions"}
OFTEN_OPENINGS = 3
OFTEN_SHARE = 0.2
OFTEN_DEVIATIONS = 1.645  # one side of 95%


def name_of_scope(kind: str, name: str) -> str | None:
    """Return what people call a country, a region or a type of device; None for `bot` and `other`."""
    if kind == "device":
        return DEVICES.get(name)
    return COUNTRIES.get(name, name) if kind == "country" else name


class AnswerEvidence:
    """The evidence for the items of one answer.

    Each kind of evidence gives an explanation, or None if there is nothing to name.

    Args:
        context: The request.
        keys: Keys of the placed items.
        activity: What people opened.
        display_policy: Which stated interests an item meets.
    """

    def __init__(
        self, context: RequestContext, keys: list[int], activity: Activity, display_policy: DisplayPolicy
    ) -> None:
        self.context = context
        self.bundle = context.bundle
        self.activity = activity
        self.display_policy = display_policy
        self._last = context.last_items
        self._recent = [item for item, _ in context.visitor.recent] if context.visitor else []
        self._opened_categories = Counter(activity.categories.get(item) for item in self._recent)
        self._keys_in_bundle = [key for key in keys if self.bundle.join.row_of(key) >= 0]
        self._taste: tuple[list[int], F64] | None = None
        self._kinds: Mapping[str, Callable[[int], Explanation | None]] = {
            "follows": lambda key: self._after("follows", key, self._last),
            "goes_with": lambda key: self._after("goes_with", key, self._opened_earlier()),
            "similar": self._similar,
            "topic_of_last": self._topic_of_last,
            "taste": self._of_taste,
            "topic": self._topic,
            "segment": self._segment,
            "in_country": lambda key: self._popular_where("in_country", key, "country"),
            "in_region": lambda key: self._popular_where("in_region", key, "region"),
            "on_device": lambda key: self._popular_where("on_device", key, "device"),
            "fresh": self._fresh,
            "popular": self._popular,
            "interests": self._interests,
            "boost": lambda key: Explanation("boost"),
        }

    def explain(self, kind: str, key: int) -> Explanation | None:
        """Return the explanation of this kind for an item; None if nothing can be named or the kind is unknown."""
        explain = self._kinds.get(kind)
        return explain(key) if explain else None

    def exploration(self, key: int) -> Explanation:
        """Return the explanation of an item that was drawn at random."""
        category = self.activity.categories.get(key)
        return Explanation("exploration", (category,) if category else ())

    def is_of_one_person(self, key: int) -> bool:
        """Return whether the site knows at most one person, and nobody else has opened the item."""
        index = self.bundle.index
        return index is not None and len(index.user_rows) < 2 and not self.activity.opened_by_many[key]

    def _opened_earlier(self) -> list[int]:
        return [item for item in self._recent[-BEFORE:] if item not in self._last]

    def _after(self, kind: str, key: int, items: Iterable[int]) -> Explanation | None:
        """Name the item, of those given, that this one follows most."""
        co_visitations = (self.activity.next, self.activity.near)
        shares = {
            item: max(share_after(co_visitation, item, key, self.context.at) for co_visitation in co_visitations)
            for item in items
        }
        best = max(shares, key=lambda item: shares[item], default=None)
        return Explanation(kind, self._titles([best])) if best is not None and shares[best] > 0 else None

    def _similar(self, key: int) -> Explanation | None:
        if not self._last or self.bundle.scorer.similarities(self._last[0], np.array([key]))[0] <= 0:
            return None
        return Explanation("similar", self._titles(self._last[:1]))

    def _topic_of_last(self, key: int) -> Explanation | None:
        category = self.activity.categories.get(key)
        if not self._last or category is None or self.activity.categories.get(self._last[0]) != category:
            return None
        return Explanation("topic_of_last", (category,))

    def _of_taste(self, key: int) -> Explanation | None:
        """Name the one or two opened items that add most to the model's score of the item."""
        if key not in self._keys_in_bundle:
            return None
        if self._taste is None:
            self._taste = self._taste_of_all()
        opened, contributions = self._taste
        if not opened:
            return None
        added = contributions[:, self._keys_in_bundle.index(key)]
        best = [row for row in np.argsort(-added, kind="stable")[:NAMED_ITEMS].tolist() if added[row] > 0]
        if not best:
            return None
        if added[best[-1]] < added[best[0]] / 2:  # the first alone carries the score
            best = best[:1]
        return Explanation("taste", self._titles([opened[row] for row in best]))

    def _taste_of_all(self) -> tuple[list[int], F64]:
        """Return the opened items, and what each adds to the score of each placed item that the bundle has."""
        index, join, visitor = self.bundle.index, self.bundle.join, self.context.history
        if index is None or visitor is None:
            return [], np.zeros((0, len(self._keys_in_bundle)))
        recent = dict.fromkeys(item for item, _ in visitor.recent[-FOLDED_ITEMS:] if join.row_of(item) >= 0)
        opened_rows = [join.row_of(item) for item in recent]
        scored_rows = [join.row_of(key) for key in self._keys_in_bundle]
        return list(recent), index.fold_in_contributions(opened_rows, scored_rows)

    def _topic(self, key: int) -> Explanation | None:
        category, index = self.activity.categories.get(key), self.bundle.index
        if not category:
            return None
        base = index.category_share(category) if index is not None else 0.0
        is_named = is_often(self._opened_categories[category], len(self._recent), base)
        return Explanation("topic", (category,)) if is_named else None

    def _segment(self, key: int) -> Explanation | None:
        segment = self.context.segment
        if segment is None or segment == EVERYONE:
            return None
        if self.bundle.join.scope_shares(f"segment:{segment}", np.array([key]))[0] <= 0:
            return None
        return Explanation("segment", (segment,))

    def _popular_where(self, kind: str, key: int, scope_kind: str) -> Explanation | None:
        scopes = (scope for scope in self.context.scopes if scope and scope.startswith(f"{scope_kind}:"))
        scope = next(scopes, None)
        number = self.activity.scope_numbers.get(scope) if scope else None
        if scope is None or number is None or not self.activity.opened_by_many[key]:
            return None
        if share_after(self.activity.in_scope, number, key, self.context.at) <= 0:
            return None
        named = name_of_scope(scope_kind, scope.partition(":")[2])
        return Explanation(kind, (named,)) if named else None

    def _fresh(self, key: int) -> Explanation | None:
        row, index = self.bundle.join.row_of(key), self.bundle.index
        published = float(index.published_at[row]) if index is not None and row >= 0 else math.nan
        since = self.activity.first_opened[key] if math.isnan(published) else published
        is_fresh = self.context.at - since <= dt.timedelta(days=FRESH_DAYS).total_seconds()
        return Explanation("fresh") if is_fresh else None

    def _popular(self, key: int) -> Explanation | None:
        openings = int(self.activity.hour.count(key, self.context.at))
        if openings >= MANY:
            return Explanation("popular_hour", (str(openings),))
        return Explanation("popular") if self.activity.day.count(key, self.context.at) >= MANY else None

    def _interests(self, key: int) -> Explanation | None:
        names = self.display_policy.lift(self.context, key).interests
        return Explanation("interests", names) if names else None

    def _titles(self, keys: list[int]) -> tuple[str, ...]:
        """Return the titles in quotation marks; empty if an item has none."""
        index = self.bundle.index
        rows = [self.bundle.join.row_of(key) for key in keys]
        titles = [index.title_of(row) if index is not None and row >= 0 else None for row in rows]
        return tuple(f"“{title}”" for title in titles if title) if all(titles) else ()


def is_often(count: int, total: int, base: float) -> bool:
    """Return whether a person opens a category often: more than others do, by more than chance.

    The lower end of the share's interval (Wilson 1927) must lie above the share among all people, and the share
    itself must be worth the word.

    Args:
        count: Openings of the category by the person.
        total: Openings of the person.
        base: Share of the category among the openings of all people.

    >>> is_often(30, 50, 0.2), is_often(4, 50, 0.02), is_often(2, 3, 0.2)
    (True, False, False)
    """
    if count < OFTEN_OPENINGS or count < OFTEN_SHARE * total:
        return False
    share, z2 = count / total, OFTEN_DEVIATIONS**2
    middle = share + z2 / (2 * total)
    width = OFTEN_DEVIATIONS * math.sqrt(share * (1 - share) / total + z2 / (4 * total**2))
    return (middle - width) / (1 + z2 / total) > base


def share_after(co_visitation: CoVisitation, item: int, key: int, at: float) -> float:
    """Return the share of `key` among what goes with `item`, at the longest half-life."""
    neighbours = co_visitation.neighbours.get(item)
    position = neighbours.positions.get(key) if neighbours else None
    if neighbours is None or position is None:
        return 0.0
    scale = float(co_visitation.scale(at)[-1])
    return float(neighbours.weights[position, -1]) * scale / (float(neighbours.mass[-1]) * scale + PRIOR)

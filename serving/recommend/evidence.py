"""What can be named for each kind of evidence: the item that is followed, the items behind a taste, a place."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Callable, Iterable, Mapping

import numpy as np

from ml.decisions.activity.activity import Activity
from ml.decisions.activity.follows import Follows
from ml.decisions.explanations import Reason
from ml.decisions.items.personal import FOLDED_ITEMS
from ml.decisions.ranker.features import PRIOR
from serving.context.situation import COUNTRIES
from serving.recommend.asking import Asking
from serving.recommend.caring import Caring
from serving.recommend.ranking import Ranking

MANY = 10  # openings from which an item counts as opened by many
FRESH_DAYS = 7
NAMED_ITEMS = 2
BEFORE = 10


class Evidence:
    """The evidence of one answer. Each kind gives a reason, or None where there is nothing to name.

    Args:
        asked: the request.
        keys: of the placed items.
        ranking: the bundle that ranked.
        activity: what people opened.
        caring: knows which stated interests an item meets.
    """

    def __init__(
        self, asked: Asking, keys: list[int], ranking: Ranking, activity: Activity, caring: Caring
    ) -> None:
        self.asked = asked
        self.ranking = ranking
        self.activity = activity
        self.caring = caring
        self._last = asked.question.last_items
        visitor = asked.question.visitor
        self._recent = [item for item, _ in visitor.recent] if visitor else []
        self._taught = [key for key in keys if ranking.linked.row(key) >= 0]
        self._taste: tuple[list[int], np.ndarray[tuple[int, int], np.dtype[np.float64]]] | None = None
        self._kinds: Mapping[str, Callable[[int], Reason | None]] = {
            "follows": lambda key: self._after("follows", key, self._last),
            "goes_with": lambda key: self._after("goes_with", key, self._earlier()),
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
            "boost": lambda key: Reason("boost"),
        }

    def of(self, kind: str, key: int) -> Reason | None:
        """The reason of this kind for an item; None where nothing can be named, or the kind is not known."""
        named = self._kinds.get(kind)
        return named(key) if named else None

    def exploration(self, key: int) -> Reason:
        """The reason of an item that was drawn."""
        category = self.activity.categories.get(key)
        return Reason("exploration", (category,) if category else ())

    def _earlier(self) -> list[int]:
        return [item for item in self._recent[-BEFORE:] if item not in self._last]

    def _after(self, kind: str, key: int, items: Iterable[int]) -> Reason | None:
        """The item that this one follows most, of those given."""
        follows = (self.activity.next, self.activity.near)
        shares = {item: max(share_after(one, item, key, self.asked.at) for one in follows) for item in items}
        best = max(shares, key=lambda item: shares[item], default=None)
        return Reason(kind, self._titled([best])) if best is not None and shares[best] > 0 else None

    def _similar(self, key: int) -> Reason | None:
        if not self._last or self.ranking.personal.likeness(self._last[0], np.array([key]))[0] <= 0:
            return None
        return Reason("similar", self._titled(self._last[:1]))

    def _topic_of_last(self, key: int) -> Reason | None:
        category = self.activity.categories.get(key)
        if not self._last or category is None or self.activity.categories.get(self._last[0]) != category:
            return None
        return Reason("topic_of_last", (category,))

    def _of_taste(self, key: int) -> Reason | None:
        """The one or two opened items that add most to the model's score of the item."""
        if key not in self._taught:
            return None
        if self._taste is None:
            self._taste = self._taste_of_all()
        opened, of_all = self._taste
        if not opened:
            return None
        added = of_all[:, self._taught.index(key)]
        best = [place for place in np.argsort(-added, kind="stable")[:NAMED_ITEMS].tolist() if added[place] > 0]
        if not best:
            return None
        if added[best[-1]] < added[best[0]] / 2:  # one alone carries it
            best = best[:1]
        return Reason("taste", self._titled([opened[place] for place in best]))

    def _taste_of_all(self) -> tuple[list[int], np.ndarray[tuple[int, int], np.dtype[np.float64]]]:
        """Opened items, and what each adds to the model's score of each placed item that the bundle has."""
        shelf, linked, visitor = self.ranking.shelf, self.ranking.linked, self.asked.remembered
        if shelf is None or visitor is None:
            return [], np.zeros((0, len(self._taught)))
        recent = dict.fromkeys(item for item, _ in visitor.recent[-FOLDED_ITEMS:] if linked.row(item) >= 0)
        rows = [linked.row(item) for item in recent]
        return list(recent), shelf.fold_in_contributions(rows, [linked.row(key) for key in self._taught])

    def _topic(self, key: int) -> Reason | None:
        category = self.activity.categories.get(key)
        if category is None or all(self.activity.categories.get(item) != category for item in self._recent):
            return None
        return Reason("topic", (category,))

    def _segment(self, key: int) -> Reason | None:
        segment = self.asked.question.segment
        if segment is None or self.ranking.linked.scope_scores(f"segment:{segment}", np.array([key]))[0] <= 0:
            return None
        return Reason("segment", (segment,))

    def _popular_where(self, kind: str, key: int, where: str) -> Reason | None:
        scope = next((one for one in self.asked.question.scopes if one and one.startswith(f"{where}:")), None)
        number = self.activity.scope_numbers.get(scope) if scope else None
        if scope is None or number is None:
            return None
        if share_after(self.activity.in_scope, number, key, self.asked.at) <= 0:
            return None
        place = scope.partition(":")[2]
        return Reason(kind, (COUNTRIES.get(place, place) if where == "country" else place,))

    def _fresh(self, key: int) -> Reason | None:
        row, shelf = self.ranking.linked.row(key), self.ranking.shelf
        published = float(shelf.published_at[row]) if shelf is not None and row >= 0 else math.nan
        since = self.activity.first_opened[key] if math.isnan(published) else published
        is_fresh = self.asked.at - since <= dt.timedelta(days=FRESH_DAYS).total_seconds()
        return Reason("fresh") if is_fresh else None

    def _popular(self, key: int) -> Reason | None:
        openings = int(self.activity.hour.count(key, self.asked.at))
        if openings >= MANY:
            return Reason("popular_hour", (str(openings),))
        return Reason("popular") if self.activity.day.count(key, self.asked.at) >= MANY else None

    def _interests(self, key: int) -> Reason | None:
        names = self.caring.lift(self.asked, key, self.ranking).interests
        return Reason("interests", names) if names else None

    def _titled(self, keys: list[int]) -> tuple[str, ...]:
        """Titles in quotation marks; empty where one has none."""
        shelf = self.ranking.shelf
        rows = [self.ranking.linked.row(key) for key in keys]
        titles = [shelf.title(row) if shelf is not None and row >= 0 else None for row in rows]
        return tuple(f"“{title}”" for title in titles if title) if all(titles) else ()


def share_after(follows: Follows, item: int, key: int, at: float) -> float:
    """Share of `key` among what goes with `item`, at the longest half-life."""
    neighbours = follows.of.get(item)
    place = neighbours.places.get(key) if neighbours else None
    if neighbours is None or place is None:
        return 0.0
    scale = float(follows.scale(at)[-1])
    return float(neighbours.weights[place, -1]) * scale / (float(neighbours.mass[-1]) * scale + PRIOR)

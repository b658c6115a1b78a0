"""Care for the person: what may be shown, and what interests, rules and fatigue do to scores."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ml.arrays import I64, Bools
from ml.decisions.activity.activity import DAY, Activity
from ml.decisions.rules import care
from ml.recommenders.reranking import BusinessRules, Facts, RankedList, capped, with_rules
from ml.settings.decisions import DecisionSettings, DiversitySettings
from serving.recommend.asking import Asking
from serving.recommend.ranking import Ranking
from serving.requests import Filter
from serving.state.online import OnlineState

INTEREST_BONUS = 1.0
BOOST_LIMIT = 5.0


@dataclass(frozen=True)
class Lift:
    """What an item gains beside its score: by stated interests, which are named, and by rules."""

    interests: tuple[str, ...]
    boost: float

    @property
    def by_interests(self) -> float:
        """What interests add."""
        return INTEREST_BONUS if self.interests else 0.0


class Caring:
    """Applies filters, mutes, caps, interests, boosts and fatigue.

    Args:
        state: who saw what.
        settings: section decisions.
    """

    def __init__(self, state: OnlineState, settings: DecisionSettings) -> None:
        self.state = state
        self.settings = settings

    def may_show(self, asked: Asking, keys: I64, ranking: Ranking) -> Bools:
        """Which items may be shown: known or opened often enough, not muted, not filtered away."""
        activity = self.state.activity
        may = ranking.linked.rows(keys) >= 0
        if not may.all():
            day = activity.day.at(asked.at)
            for place in np.flatnonzero(~may).tolist():
                may[place] = day.get(int(keys[place]), 0) >= self.settings.new_item_openings
        muted = set(asked.profile.get("muted") or ())
        if not muted and asked.wanted is None:
            return may
        for place, key in enumerate(keys.tolist()):
            may[place] = (
                may[place]
                and not (muted and muted & topics_of(key, ranking))
                and allowed(key, asked.wanted, activity, ranking)
            )
        return may

    def ranked(self, asked: Asking, candidates: RankedList, ranking: Ranking) -> RankedList:
        """Candidates best first, with interests, boosts of rules and fatigue; without what the caps forbid."""
        visitor = self.state.activity.visitor(asked.user) if asked.user else None
        shown = visitor.shown if visitor is not None else {}
        tired = {key: care.fatigue(visitor, key, asked.at, self.settings.caps) for key in shown}
        changes = {key: -loss for key, loss in tired.items() if loss}
        if asked.has_lifts:
            for key in candidates.rows.tolist():
                lift = self.lift(asked, key, ranking)
                changes[key] = changes.get(key, 0.0) + lift.by_interests + lift.boost
        ranked = candidates.take(np.argsort(-candidates.scores, kind="stable"))
        if changes:
            ranked = with_rules(ranked, BusinessRules(boost=changes), asked.at)
        most = self.settings.caps.item_impressions_per_day
        own = min(asked.profile.get("item_impressions_per_day") or most, most)
        counts = {
            key: care.count_since(times, asked.at - DAY) for key, times in shown.items() if len(times) >= own
        }
        return capped(ranked, counts, own) if counts else ranked

    def facts(
        self, asked: Asking, keys: npt.NDArray[np.integer], ranking: Ranking, wanted: DiversitySettings
    ) -> Facts:
        """What composing a list asks about its candidates, as far as the settings want it."""
        known = self.state.activity.categories
        categories = [known.get(key) for key in keys.tolist()]
        vectors = topics = interests = None
        if wanted.trade_off > 0:
            vectors = ranking.personal.vectors(keys)
        visitor = asked.question.visitor
        opened = Counter(known[key] for key, _ in visitor.recent if key in known) if visitor else Counter()
        if wanted.calibration > 0 and opened:
            names = sorted(opened)
            topics = np.array([[category == name for name in names] for category in categories], dtype=np.float64)
            interests = np.array([opened[name] for name in names]) / opened.total()
        return Facts(categories, vectors, topics, interests)

    def lift(self, asked: Asking, key: int, ranking: Ranking) -> Lift:
        """What interests and rules add to an item's score."""
        topics = topics_of(key, ranking)
        boost = 0.0
        for kind, value, weight in asked.boosts:
            if value in (topics if kind == "topic" else {self.state.activity.items[key]}):
                boost += min(BOOST_LIMIT, weight)
        return Lift(tuple(topic for topic in asked.interests if topic in topics), boost)


def topics_of(key: int, ranking: Ranking) -> set[str]:
    """Category and tags of an item, empty where the bundle does not have it."""
    row, shelf = ranking.linked.row(key), ranking.shelf
    if row < 0 or shelf is None:
        return set()
    category = shelf.category_of(row)
    return {*(shelf.tags[row].as_py() or ()), *((category,) if category else ())}


def allowed(key: int, wanted: Filter | None, activity: Activity, ranking: Ranking) -> bool:
    """Whether the request's filter lets an item pass; an item of which nothing is known passes none on facts."""
    if wanted is None:
        return True
    if wanted.item_ids is not None and activity.items[key] not in wanted.item_ids:
        return False
    row, shelf = ranking.linked.row(key), ranking.shelf
    if row < 0 or shelf is None:
        return all(fact is None for fact in (wanted.category, wanted.tags, wanted.language, wanted.max_price))
    if wanted.category is not None and shelf.category_of(row) not in wanted.category:
        return False
    if wanted.language is not None and shelf.language_of(row) not in wanted.language:
        return False
    if wanted.tags is not None and not set(wanted.tags) & set(shelf.tags[row].as_py() or ()):
        return False
    return wanted.max_price is None or bool(shelf.price[row] <= wanted.max_price)

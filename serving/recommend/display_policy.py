"""Decides what may be shown to a person, and what interests, rules and fatigue change about the scores."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from ml.arrays import I64, Bools
from ml.decisions.activity.activity import Activity
from ml.decisions.activity.durations import DAY
from ml.decisions.activity.visitors import Visitor
from ml.decisions.rules.display_caps import count_since, fatigue_penalty, item_cap
from ml.recommenders.reranking import BusinessRules, CandidateFeatures, RankedList, capped, with_rules
from ml.settings.decisions import DecisionSettings
from serving.bundles.served_bundle import ReadableItems, ServedBundle
from serving.recommend.context import RequestContext
from serving.requests import Filter
from serving.state.online import OnlineState

INTEREST_BONUS = 1.0
BOOST_LIMIT = 5.0


@dataclass(frozen=True)
class ScoreLift:
    """What an item gains in addition to its score: by stated interests, which are named, and by rules."""

    interests: tuple[str, ...]
    boost: float

    @property
    def by_interests(self) -> float:
        """What the interests add."""
        return INTEREST_BONUS if self.interests else 0.0


class DisplayPolicy:
    """Applies filters, mutes, caps, interests, boosts and fatigue.

    Args:
        state: Who has seen what.
        settings: The section decisions.
    """

    def __init__(self, state: OnlineState, settings: DecisionSettings) -> None:
        self.state = state
        self.settings = settings

    def may_show(self, context: RequestContext, keys: I64) -> Bools:
        """Return which items may be shown, bool (n,).

        An item must be in the bundle or have been opened often enough, must not be muted, and must pass the filter
        of the request.
        """
        activity, bundle = self.state.activity, context.bundle
        may = bundle.join.rows_of(keys) >= 0
        if not may.all():
            day = activity.day.at(context.at)
            for position in np.flatnonzero(~may).tolist():
                may[position] = day.get(int(keys[position]), 0) >= self.settings.new_item_openings
        muted = set(context.profile.get("muted") or ())
        item_filter = context.request.filter
        if muted or item_filter is not None:
            for position, key in enumerate(keys.tolist()):
                may[position] = (
                    may[position]
                    and not (muted and muted & topics_of(key, bundle))
                    and passes_filter(key, item_filter, activity, bundle)
                )
        readable = self.find_readable(context)
        return may if readable is None else self._keep_readable(may, readable.rows, context, keys)

    def find_readable(self, context: RequestContext) -> ReadableItems | None:
        """Return the items that the person can read; None where languages don't decide.

        A filter of the request that names languages stands instead.
        """
        has_filter = context.request.filter is not None and context.request.filter.language is not None
        if has_filter or not self.settings.only_readable_languages:
            return None
        return context.bundle.readable_items(context.languages)

    @staticmethod
    def _keep_readable(may: Bools, readable: Bools, context: RequestContext, keys: I64) -> Bools:
        """Leave out items that the person cannot read, unless nothing would be left."""
        rows = context.bundle.join.rows_of(keys)
        kept = may & ((rows < 0) | readable[rows])
        return kept if kept.any() else may

    def rank(self, context: RequestContext, candidates: RankedList) -> RankedList:
        """Order candidates best first with interests, boosts and fatigue, without those that caps forbid."""
        visitor = self._find_shown(context)
        shown = visitor.shown if visitor is not None else {}
        changes: dict[int, float] = {}
        if context.is_personal:
            penalties = {key: fatigue_penalty(visitor, key, context.at, self.settings.caps) for key in shown}
            changes = {key: -penalty for key, penalty in penalties.items() if penalty}
        if context.has_lifts:
            for key in candidates.rows.tolist():
                lift = self.lift(context, key)
                changes[key] = changes.get(key, 0.0) + lift.by_interests + lift.boost
        ranked = candidates.take(np.argsort(-candidates.scores, kind="stable"))
        if changes:
            ranked = with_rules(ranked, BusinessRules(boost=changes), context.at)
        cap = item_cap(context.profile, self.settings.caps.item_impressions_per_day)
        counts = {key: count_since(times, context.at - DAY) for key, times in shown.items() if len(times) >= cap}
        return capped(ranked, counts, cap) if counts else ranked

    def _find_shown(self, context: RequestContext) -> Visitor | None:
        """Return the visitor, with what this caller was answered for the person among what was shown."""
        activity, counted = self.state.activity, context.request.counted_person
        visitor = activity.find_visitor(context.user) if context.user else None
        answered = activity.find_visitor(counted) if counted is not None and counted != context.user else None
        if answered is None:
            return visitor
        shown = dict(answered.shown)
        for key, times in visitor.shown.items() if visitor else ():
            shown[key] = sorted([*times, *shown.get(key, ())])
        return replace(visitor or answered, shown=shown)

    def describe(self, context: RequestContext, keys: npt.NDArray[np.integer]) -> CandidateFeatures:
        """Describe the candidates as far as the composition of the list needs it."""
        category_of = self.state.activity.categories
        categories = [category_of.get(key) for key in keys.tolist()]
        vectors = topics = interests = None
        if context.diversity.trade_off > 0:
            vectors = context.bundle.scorer.item_vectors(keys.astype(np.int64, copy=False))
        recent = context.visitor.recent if context.visitor else []
        opened = Counter(category_of[key] for key, _ in recent if key in category_of)
        if context.diversity.calibration > 0 and opened:
            names = sorted(opened)
            topics = np.array([[category == name for name in names] for category in categories], dtype=np.float64)
            interests = np.array([opened[name] for name in names]) / opened.total()
        return CandidateFeatures(categories, vectors, topics, interests)

    def lift(self, context: RequestContext, key: int) -> ScoreLift:
        """Compute what interests and rules add to an item's score."""
        topics = topics_of(key, context.bundle)
        boost = 0.0
        for kind, value, weight in context.boosts:
            if value in (topics if kind == "topic" else {self.state.activity.items[key]}):
                boost += min(BOOST_LIMIT, weight)
        return ScoreLift(tuple(topic for topic in context.stated_interests if topic in topics), boost)


def topics_of(key: int, bundle: ServedBundle) -> set[str]:
    """Return the category and the tags of an item, empty if the bundle does not have it."""
    row, index = bundle.join.row_of(key), bundle.index
    if row < 0 or index is None:
        return set()
    category = index.category_of(row)
    return {*(index.tags[row].as_py() or ()), *((category,) if category else ())}


def passes_filter(key: int, item_filter: Filter | None, activity: Activity, bundle: ServedBundle) -> bool:
    """Return whether an item passes the filter of a request.

    An item that the bundle does not have passes no condition on its facts.
    """
    if item_filter is None:
        return True
    if item_filter.item_ids is not None and activity.items[key] not in item_filter.item_ids:
        return False
    row, index = bundle.join.row_of(key), bundle.index
    if row < 0 or index is None:
        conditions = (item_filter.category, item_filter.tags, item_filter.language, item_filter.max_price)
        return all(condition is None for condition in conditions)
    if item_filter.category is not None and index.category_of(row) not in item_filter.category:
        return False
    if item_filter.language is not None and index.language_of(row) not in item_filter.language:
        return False
    if item_filter.tags is not None and not set(item_filter.tags) & set(index.tags[row].as_py() or ()):
        return False
    return item_filter.max_price is None or bool(index.price[row] <= item_filter.max_price)

"""One answer to `/v1/recommendations`: gather, rank, take care, explain."""

from __future__ import annotations

import datetime as dt
import random
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from ml.decisions import care
from ml.decisions.activity import Activity
from ml.decisions.candidates import Candidates, Keys, Trending, gather
from ml.decisions.explanations import Evidence, reason
from ml.decisions.features import Features, Question
from ml.decisions.refitting import mixed
from ml.decisions.reranking import Placed, explored, varied
from ml.settings import Settings
from ml.settings.decisions import DiversitySettings
from serving.context.situation import Situation
from serving.coverage import Coverage
from serving.learning import Learning
from serving.metrics import FALLBACKS, STAGE_SECONDS, STAGES_SKIPPED
from serving.ranking import Ranking
from serving.refitting import Refitting
from serving.requests import Filter, RecommendationRequest
from serving.state.online import OnlineState

PERSONAL_SOURCES = frozenset({"personal", "recent", "follows", "similar", "segment", "interests"})
CHAIN = ("personal", "recent", "similar", "follows", "interests", "segment", "here", "trending", "popular")
INTEREST_BONUS = 1.0
TIE = 1e-4
BOOST_LIMIT = 5.0
_STAGE_TIMES = {name: STAGE_SECONDS.labels(name) for name in ("gather", "score", "care", "explain")}


@dataclass
class Asking:
    """All that is known of a request before anything is ranked."""

    user: str | None
    at: float
    k: int
    slot: str | None
    question: Question
    profile: Mapping[str, Any]
    user_row: int | None
    situation: Situation
    is_personal: bool
    excluded: set[int]
    wanted: Filter | None
    boosts: tuple[tuple[str, str, float], ...] = ()
    chance: random.Random = field(default_factory=random.Random)
    is_trial: bool = False
    diversity: DiversitySettings | None = None


@dataclass(frozen=True)
class Recommended:
    """The answer before it becomes JSON.

    `fallback` is the first step of the chain that filled a place, `stages` are the seconds of each.
    """

    recommendation_id: str
    items: list[dict[str, Any]]
    propensities: list[float]
    is_personalized: bool
    fallback: str
    stages: tuple[tuple[str, float], ...] = ()


class Recommending:
    """Answers over one state and one ranking at a time.

    Args:
        state: what changes between trainings.
        settings: the whole settings; sections decisions and serving are read.
        seed: of exploration.
    """

    def __init__(self, state: OnlineState, settings: Settings, seed: int | None = None) -> None:
        self.state = state
        self.settings = settings
        self.learning = Learning(state, settings.decisions.online_learning)
        self.refitting = Refitting(state, settings.decisions.online_learning.refit)
        self._features = Features(state.activity)
        self._trending = Trending(state.activity, settings.decisions.trending_refresh_share)
        self._coverage = Coverage()
        self._chance = random.Random(seed)

    def asking(
        self,
        request: RecommendationRequest,
        now: dt.datetime,
        k: int,
        ranking: Ranking,
        situation: Situation,
        boosts: tuple[tuple[str, str, float], ...] = (),
        profile: Mapping[str, Any] | None = None,
        is_trial: bool = False,
        diversity: DiversitySettings | None = None,
    ) -> Asking:
        """Bring together what request, state and bundle say of who asks.

        Args:
            profile: instead of what the person set.
            is_trial: nothing is learned from the answer.
            diversity: instead of the settings'.
        """
        activity, linked = self.state.activity, ranking.linked
        user = request.user_id or request.anonymous_id
        at = request.moment(now).timestamp()
        visitor = activity.visitor(user) if user else None
        row = ranking.shelf.user_rows.get(user) if user and ranking.shelf else None
        if profile is None:
            profile = self.state.profile(user) if user else {}
        is_personal = not profile.get("opt_out") and not (visitor and visitor.is_withdrawn)
        excluded = {activity.key(item) for item in request.exclude if item in activity.keys}
        if visitor is not None:
            excluded |= visitor.seen | visitor.rejected
        if row is not None and ranking.shelf:
            excluded.update(linked.key_of_row[ranking.shelf.bundle.history.seen(row)].tolist())
        if is_personal:
            visit = activity.visit(request.session_id, user, at)
            remembered = linked.remembered(visitor, row, activity.limits)
            vector = ranking.personal.vector(remembered, row)[0]
            # the blend learned from what memory holds of people: a longer past would read as something else
            question = Question(at, visit, visitor or remembered, vector, linked.segment(row))
        else:
            question = Question(at)
        return Asking(
            user, at, k, request.slot, question, profile, row if is_personal else None, situation, is_personal,
            excluded, request.filter, boosts, self._chance, is_trial, diversity,
        )  # fmt: skip

    def recommend(self, asked: Asking, ranking: Ranking) -> Recommended:
        """Rank and choose. Stages that the time budget has no room for are skipped, the later ones first."""
        started = time.perf_counter()
        stages: list[tuple[str, float]] = []
        more = self._interests(asked, ranking)
        found = gather(asked.question, ranking.personal, self._trending, asked.user_row, asked.excluded, more)
        found = found.only(self._may_show(asked, found.keys, ranking))
        keys: list[int] = found.keys.tolist()
        gathered = self._stage("gather", started, stages)
        scores = self._scores(asked, found, keys, ranking, gathered - started)
        scored = self._stage("score", gathered, stages)
        adjusted = self._adjusted(asked, keys, scores, ranking)
        order = np.argsort(-adjusted, kind="stable")
        ranked = [(keys[place], float(adjusted[place])) for place in order[: 5 * asked.k + 20].tolist()]
        diversity = asked.diversity or self.settings.decisions.diversity
        chosen = varied(ranked, asked.k, self._category, diversity.max_category_share)
        pool = self._pool(asked, keys, diversity.exploration_max_openings)
        placed = explored(chosen, pool, diversity.exploration_share, asked.chance)
        cared = self._stage("care", scored, stages)
        told = self._told(asked, found, placed, ranking)
        self._stage("explain", cared, stages)
        self._coverage.shown(ranking, [one.key for one in placed])
        return replace(told, stages=tuple(stages))

    def _scores(
        self, asked: Asking, found: Candidates, keys: list[int], ranking: Ranking, spent: float
    ) -> np.ndarray[Any, np.dtype[np.float64]]:
        if not keys:
            return np.zeros(0)
        if spent > self.settings.serving.budget_ms / 1000:
            STAGES_SKIPPED.labels("features").inc()
            return -found.best.astype(np.float64)
        rows = self._features.rows(asked.question, found.keys, ranking.personal)
        # equal scores, as a stranger's to a site that nobody visits, fall in the order of the sources
        base = mixed(ranking.blend, self.refitting.fresh, rows) - TIE * found.best
        inputs = ranking.blend.inputs(rows)
        if asked.is_personal and asked.user is not None and not asked.is_trial:
            self.learning.remember(asked.user, base, inputs, keys)
        return self.learning.scores(base, inputs, keys)

    def _adjusted(
        self, asked: Asking, keys: list[int], scores: np.ndarray[Any, np.dtype[np.float64]], ranking: Ranking
    ) -> np.ndarray[Any, np.dtype[np.float64]]:
        """Scores with stated interests, boosts of rules and fatigue."""
        found = scores.copy()
        interests = set(asked.profile.get("interests", ())) if asked.is_personal else set()
        visitor = self.state.activity.visitor(asked.user) if asked.user else None
        caps = self.settings.decisions.caps
        shown = visitor is not None and bool(visitor.shown)
        if not interests and not asked.boosts and not shown:
            return found
        for place, key in enumerate(keys):
            topics = topics_of(key, ranking)
            if interests & topics:
                found[place] += INTEREST_BONUS
            for kind, value, weight in asked.boosts:
                if value in (topics if kind == "topic" else {self.state.activity.items[key]}):
                    found[place] += min(BOOST_LIMIT, weight)
            if shown:
                found[place] -= care.fatigue(visitor, key, asked.at, caps)
        return found

    def _may_show(self, asked: Asking, keys: Keys, ranking: Ranking) -> npt.NDArray[np.bool_]:
        """Which items may be shown: known or opened often enough, not muted, not capped, not filtered away."""
        activity = self.state.activity
        may = ranking.linked.rows(keys) >= 0
        if not may.all():
            day = activity.day.at(asked.at)
            for place in np.flatnonzero(~may).tolist():
                may[place] = day.get(int(keys[place]), 0) >= self.settings.decisions.new_item_openings
        visitor = activity.visitor(asked.user) if asked.user else None
        muted = set(asked.profile.get("muted") or ())
        shown = visitor is not None and bool(visitor.shown)
        if not muted and not shown and asked.wanted is None:
            return may
        own_cap = asked.profile.get("item_impressions_per_day")
        cap = self._item_cap if own_cap is None else min(own_cap, self._item_cap)
        for place, key in enumerate(keys.tolist()):
            may[place] = (
                may[place]
                and not (muted and muted & topics_of(key, ranking))
                and not (shown and care.is_capped(visitor, key, asked.at, cap))
                and allowed(key, asked.wanted, activity, ranking)
            )
        return may

    @property
    def _item_cap(self) -> int:
        return self.settings.decisions.caps.item_impressions_per_day

    @staticmethod
    def _interests(asked: Asking, ranking: Ranking) -> dict[str, list[Keys]]:
        """Items of stated interests, for those of whom nothing else is known too."""
        interests = asked.profile.get("interests") if asked.is_personal else None
        if not interests:
            return {}
        return {"interests": [np.array(ranking.of_topic(topic), dtype=np.int64) for topic in interests]}

    def _pool(self, asked: Asking, keys: list[int], most: int) -> list[int]:
        """Candidates that were rarely opened in the last day."""
        day = self.state.activity.day.at(asked.at)
        return [key for key in keys if day.get(key, 0.0) <= most]

    def _category(self, key: int) -> str | None:
        return self.state.activity.categories.get(key)

    def _told(self, asked: Asking, found: Candidates, placed: list[Placed], ranking: Ranking) -> Recommended:
        items = []
        sources = []
        for rank, one in enumerate(placed, start=1):
            source = "exploration" if one.is_exploration else found.source(one.key)
            sources.append(source)
            items.append(
                {
                    "item_id": self.state.activity.items[one.key],
                    "rank": rank,
                    "score": round(one.score, 6),
                    "source": source,
                    "reason": reason(self._evidence(asked, one.key, source, ranking)),
                }
            )
        fallback = next((step for step in CHAIN if step in sources), "none")
        FALLBACKS.labels(fallback).inc()
        is_personalized = asked.is_personal and any(source in PERSONAL_SOURCES for source in sources)
        return Recommended(uuid.uuid4().hex, items, [one.propensity for one in placed], is_personalized, fallback)

    def _evidence(self, asked: Asking, key: int, source: str, ranking: Ranking) -> Evidence:
        last = asked.question.last_items
        visitor = asked.question.visitor
        recent = visitor.recent[-1][0] if visitor and visitor.recent else None
        row = ranking.linked.row(last[0] if last else recent) if last or recent is not None else -1
        return Evidence(
            source=source,
            last_title=ranking.shelf.title(row) if ranking.shelf and row >= 0 else None,
            category=self._category(key),
            openings_last_hour=int(self.state.activity.hour.at(asked.at).get(key, 0)),
            country=asked.situation.text("country"),
            segment=asked.question.segment,
        )

    @staticmethod
    def _stage(name: str, since: float, stages: list[tuple[str, float]]) -> float:
        now = time.perf_counter()
        _STAGE_TIMES[name].observe(now - since)
        stages.append((name, now - since))
        return now


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

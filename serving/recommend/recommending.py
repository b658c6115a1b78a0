"""One answer to `/v1/recommendations`: gather, rank, take care, explain."""

from __future__ import annotations

import datetime as dt
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ml.arrays import F64, I64
from ml.decisions.items.candidates import Trending, gather
from ml.decisions.ranker.features import Features, Question
from ml.recommenders.reranking import Placed, RankedList, composed, with_exploration
from ml.settings import Settings
from ml.settings.decisions import DiversitySettings
from serving.context.situation import Situation
from serving.learn.learning import Learning
from serving.learn.refitting import Refitting
from serving.observability.metrics import FALLBACKS, STAGE_SECONDS, STAGES_SKIPPED
from serving.recommend.asking import Asking
from serving.recommend.caring import Caring
from serving.recommend.coverage import Coverage
from serving.recommend.explaining import Explaining
from serving.recommend.prepared import Prepared
from serving.recommend.ranking import Ranking
from serving.requests import RecommendationRequest
from serving.state.online import OnlineState

PERSONAL_SOURCES = frozenset({"personal", "recent", "follows", "similar", "segment", "interests"})
CHAIN = ("personal", "recent", "similar", "follows", "interests", "segment", "here", "trending", "popular")
TIE = 1e-4
_STAGE_TIMES = {name: STAGE_SECONDS.labels(name) for name in ("gather", "score", "care", "explain")}


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
        self.caring = Caring(state, settings.decisions)
        self._explaining = Explaining(state, self.caring, self.learning)
        self._features = Features(state.activity)
        self._trending = Trending(state.activity)
        self._coverage = Coverage()
        self._chance = np.random.default_rng(seed)

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
        remembered = linked.remembered(visitor, row, activity.limits) if is_personal else None
        if is_personal:
            visit = activity.visit(request.session_id, user, at)
            vector, interests = ranking.personal.vector(remembered, row)[0], tuple(profile.get("interests") or ())
            if vector is None and interests:
                vector = ranking.interests_vector(interests)
            else:
                interests = ()
            # the blend learned from what memory holds of people: a longer past would read as something else
            place = (situation.text("country"), situation.text("region"), situation.text("device_type"))
            question = Question(at, visit, visitor or remembered, vector, linked.segment(row), interests, place)
        else:
            question = Question(at)
        return Asking(
            user, at, k, request.slot, question, profile, row if is_personal else None, situation, is_personal,
            excluded, request.filter, boosts, self._chance, is_trial, diversity, remembered,
        )  # fmt: skip

    def prepare(self, asked: Asking, ranking: Ranking) -> Prepared:
        """Candidates and, where the time budget has room, their features: all that is read of the state."""
        started = time.perf_counter()
        stages: list[tuple[str, float]] = []
        more = self._interests(asked, ranking)
        found = gather(asked.question, ranking.personal, self._trending, asked.user_row, asked.excluded, more)
        found = found.only(self.caring.may_show(asked, found.keys, ranking))
        gathered = self._stage("gather", started, stages)
        rows = None
        if self._is_late(gathered - started):
            STAGES_SKIPPED.labels("features").inc()
        elif len(found.keys):
            rows = self._features.rows(asked.question, found.keys, ranking.personal)
        return Prepared(found, rows, ranking.blend, self.refitting.fresh, started, stages)

    def recommend(self, asked: Asking, ranking: Ranking, prepared: Prepared | None = None) -> Recommended:
        """Rank and choose. Stages that the time budget has no room for are skipped, the later ones first.

        Args:
            prepared: what `prepare` gave for the same request.
        """
        prepared = prepared or self.prepare(asked, ranking)
        started, stages = prepared.started, prepared.stages
        scores = self._scores(asked, prepared)
        scored = self._stage("score", started + stages[0][1], stages)
        placed = self._placed(asked, RankedList(prepared.found.keys, scores), ranking)
        cared = self._stage("care", scored, stages)
        if prepared.rows is not None and self._is_late(cared - started):
            STAGES_SKIPPED.labels("reasons").inc()
            prepared = replace(prepared, rows=None)
        told = self._told(asked, prepared, placed, ranking)
        self._stage("explain", cared, stages)
        if not asked.is_trial:
            FALLBACKS.labels(told.fallback).inc()
            self._coverage.shown(ranking, [one.row for one in placed])
        return replace(told, stages=tuple(stages))

    def _is_late(self, seconds: float) -> bool:
        return seconds > self.settings.serving.budget_ms / 1000

    def _scores(self, asked: Asking, prepared: Prepared) -> F64:
        """Scores, float64 (n,); without features the places in the sources' lists count."""
        found, rows = prepared.found, prepared.rows
        if rows is None:
            return -found.best.astype(np.float64)
        # equal scores, as a stranger's to a site that nobody visits, fall in the order of the sources
        base = prepared.base - TIE * found.best
        inputs, keys = prepared.published.inputs(rows), found.keys.tolist()
        if asked.is_personal and asked.user is not None and not asked.is_trial:
            self.learning.remember(asked.user, base, inputs, keys)
            self.refitting.remember(asked.user, found.keys, rows)
        return self.learning.scores(base, inputs, keys)

    def _placed(self, asked: Asking, candidates: RankedList, ranking: Ranking) -> list[Placed]:
        """The list that is shown: rules and caps applied, composed, and perhaps one place explored."""
        diversity = asked.diversity or self.settings.decisions.diversity
        ranked = self.caring.ranked(asked, candidates, ranking)
        best = ranked.take(range(min(len(ranked), 5 * asked.k + 20)))
        chosen = composed(
            best,
            self.caring.facts(asked, best.rows, ranking, diversity),
            asked.k,
            trade_off=diversity.trade_off,
            calibration=diversity.calibration,
            max_category_share=diversity.max_category_share,
        )
        day = self.state.activity.day.at(asked.at)
        rare = [key for key in ranked.rows.tolist() if day.get(key, 0.0) <= diversity.exploration_max_openings]
        return with_exploration(chosen, rare, diversity.exploration_share, asked.chance)

    @staticmethod
    def _interests(asked: Asking, ranking: Ranking) -> dict[str, list[I64]]:
        """Items of stated interests, for those of whom nothing else is known too."""
        if not asked.interests:
            return {}
        return {"interests": [np.array(ranking.of_topic(topic), dtype=np.int64) for topic in asked.interests]}

    def _told(self, asked: Asking, prepared: Prepared, placed: list[Placed], ranking: Ranking) -> Recommended:
        reasons, found = self._explaining.sentences(asked, prepared, placed, ranking), prepared.found
        sources = [
            "exploration" if one.is_exploration else source
            for one, source in zip(placed, found.sources_of([one.row for one in placed]), strict=True)
        ]
        items = [
            {
                "item_id": self.state.activity.items[one.row],
                "rank": rank,
                "score": round(one.score, 6),
                "source": source,
                "reason": reason,
            }
            for rank, (one, source, reason) in enumerate(zip(placed, sources, reasons, strict=True), start=1)
        ]
        fallback = next((step for step in CHAIN if step in sources), "none")
        is_personalized = asked.is_personal and any(source in PERSONAL_SOURCES for source in sources)
        return Recommended(uuid.uuid4().hex, items, [one.propensity for one in placed], is_personalized, fallback)

    @staticmethod
    def _stage(name: str, since: float, stages: list[tuple[str, float]]) -> float:
        now = time.perf_counter()
        _STAGE_TIMES[name].observe(now - since)
        stages.append((name, now - since))
        return now

"""Ranks the items of one recommendation request: gathers candidates, scores, composes the list, explains it."""

from __future__ import annotations

import time
import uuid
from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from ml.arrays import F64, I64
from ml.decisions.items.candidates import TrendingItems, gather_candidates
from ml.decisions.ranker.features import FeatureBuilder
from ml.recommenders.reranking import Placed, RankedList, composed, with_exploration
from ml.settings import Settings
from serving.learn.online_learning import OnlineLearning
from serving.learn.online_refit import OnlineRefit
from serving.observability.metrics import FALLBACKS, STAGE_SECONDS, STAGES_SKIPPED
from serving.recommend.candidates import ScoredCandidates
from serving.recommend.context import RequestContext
from serving.recommend.coverage import CatalogueCoverage
from serving.recommend.display_policy import DisplayPolicy
from serving.recommend.explainer import Explainer
from serving.recommend.recommendation import Recommendation
from serving.state.online import OnlineState

PERSONAL_SOURCES = frozenset({"personal", "recent", "follows", "similar", "segment", "interests"})
FALLBACK_CHAIN = (
    "personal", "recent", "similar", "follows", "interests", "segment", "here", "trending", "popular",
)  # fmt: skip
TIE = 1e-4
_STAGE_TIMES = {name: STAGE_SECONDS.labels(name) for name in ("gather", "score", "care", "explain")}


class RecommendationEngine:
    """Answers recommendation requests from one online state.

    Args:
        state: What changes between trainings.
        settings: All settings; the sections decisions and serving are read.
        seed: Seed of the exploration.
    """

    def __init__(self, state: OnlineState, settings: Settings, seed: int | None = None) -> None:
        self.state = state
        self.settings = settings
        self.online_learning = OnlineLearning(state, settings.decisions.online_learning)
        self.online_refit = OnlineRefit(state, settings.decisions.online_learning.refit)
        self.display_policy = DisplayPolicy(state, settings.decisions)
        self._explainer = Explainer(state, self.display_policy, self.online_learning)
        self._feature_builder = FeatureBuilder(state.activity)
        self._trending = TrendingItems(state.activity)
        self._coverage = CatalogueCoverage()
        self._generator = np.random.default_rng(seed)

    def collect_candidates(self, context: RequestContext) -> ScoredCandidates:
        """Gather the candidates and compute their features if the time budget has room.

        This reads the online state; scoring the result does not.
        """
        started = time.perf_counter()
        stages: list[tuple[str, float]] = []
        candidates = gather_candidates(
            context, context.bundle.scorer, self._trending, self._further_lists(context)
        )
        candidates = candidates.select(self.display_policy.may_show(context, candidates.keys))
        gathered = self._end_stage("gather", started, stages)
        features = None
        if self._is_late(gathered - started):
            STAGES_SKIPPED.labels("features").inc()
        elif len(candidates.keys):
            features = self._feature_builder.build(context, candidates.keys, context.bundle.scorer)
        return ScoredCandidates(
            candidates.keys,
            candidates.best_positions,
            candidates.source_numbers,
            candidates.source_names,
            features,
            context.bundle.blend,
            self.online_refit.fresh,
            started,
            stages,
            features is not None,
        )

    def recommend(self, context: RequestContext, candidates: ScoredCandidates | None = None) -> Recommendation:
        """Rank the candidates and choose the items that are shown.

        Stages that the time budget has no room for are skipped, the later ones first.

        Args:
            context: The request.
            candidates: What `collect_candidates` returned for it; None to collect them now.
        """
        candidates = candidates or self.collect_candidates(context)
        started, stages = candidates.started, candidates.stages
        scores = self._score(context, candidates)
        scored = self._end_stage("score", started + stages[0][1], stages)
        placed = self._compose(context, RankedList(candidates.keys, scores))
        composed_at = self._end_stage("care", scored, stages)
        if candidates.features is not None and self._is_late(composed_at - started):
            STAGES_SKIPPED.labels("reasons").inc()
            candidates = replace(candidates, features=None, has_personal_scores=True)
        recommendation = self._describe(context, candidates, placed)
        self._end_stage("explain", composed_at, stages)
        if not context.is_dry_run:
            FALLBACKS.labels(recommendation.fallback).inc()
            self._coverage.count_answer(context.bundle, [item.row for item in placed])
        return replace(recommendation, stages=tuple(stages))

    def recommend_with_parts(self, context: RequestContext) -> tuple[Recommendation, list[dict[str, float]]]:
        """Rank, and say what each kind of evidence adds to the score of each item.

        Returns:
            The recommendation, and for each of its items the part of its score by kind of evidence.
        """
        candidates = self.collect_candidates(context)
        recommendation = self.recommend(context, candidates)
        keys = [self.state.activity.keys[item] for item in recommendation.item_ids]
        return recommendation, self._explainer.contributions(context, candidates, keys) if keys else []

    def shown_times(self) -> Mapping[int, int]:
        """Return how often the latest answers showed each item, by its key."""
        return self._coverage.times

    def _is_late(self, seconds: float) -> bool:
        return seconds > self.settings.serving.budget_ms / 1000

    def _score(self, context: RequestContext, candidates: ScoredCandidates) -> F64:
        """Score the candidates, float64 (n,); without features their positions in the sources' lists count."""
        if candidates.features is None:
            return -candidates.best_positions.astype(np.float64)
        # Equal scores, as those of a stranger on a site that nobody visits, keep the order of the sources.
        base = candidates.base_scores - TIE * candidates.best_positions
        inputs, keys = candidates.published.correction_inputs(candidates.features), candidates.keys.tolist()
        if context.is_personal and context.user is not None and not context.is_dry_run:
            self.online_learning.remember(context.user, base, inputs, keys)
            self.online_refit.remember(context.user, candidates.keys, candidates.features)
        return self.online_learning.scores(base, inputs, keys)

    def _compose(self, context: RequestContext, candidates: RankedList) -> list[Placed]:
        """Compose the list that is shown: apply rules and caps, diversify, and perhaps explore one item."""
        diversity = context.diversity
        ranked = self.display_policy.rank(context, candidates)
        best = ranked.take(range(min(len(ranked), 5 * context.k + 20)))
        chosen = composed(
            best,
            self.display_policy.describe(context, best.rows),
            context.k,
            trade_off=diversity.trade_off,
            calibration=diversity.calibration,
            max_category_share=diversity.max_category_share,
        )
        day = self.state.activity.day.at(context.at)
        rare = [key for key in ranked.rows.tolist() if day.get(key, 0.0) <= diversity.exploration_max_openings]
        return with_exploration(chosen, rare, diversity.exploration_share, self._generator)

    def _further_lists(self, context: RequestContext) -> dict[str, list[I64]]:
        """Return the items of the stated interests, and popular ones in the languages that the person reads."""
        lists: dict[str, list[I64]] = {}
        if context.stated_interests:
            lists["interests"] = [
                np.array(context.bundle.keys_of_topic(topic), dtype=np.int64) for topic in context.stated_interests
            ]
        readable = self.display_policy.find_readable(context)
        if readable is not None:
            lists["popular"] = [readable.popular_keys]
        return lists

    def _describe(
        self, context: RequestContext, candidates: ScoredCandidates, placed: list[Placed]
    ) -> Recommendation:
        """Describe the chosen items with their sources and reasons."""
        reasons = self._explainer.write_reasons(context, candidates, placed)
        sources = [
            "exploration" if item.is_exploration else source
            for item, source in zip(placed, candidates.sources_of([item.row for item in placed]), strict=True)
        ]
        items = [
            {
                "item_id": self.state.activity.items[item.row],
                "rank": rank,
                "score": round(item.score, 6),
                "source": source,
                "reason": reason,
            }
            for rank, (item, source, reason) in enumerate(zip(placed, sources, reasons, strict=True), start=1)
        ]
        fallback = next((source for source in FALLBACK_CHAIN if source in sources), "none")
        # The features, or else the sources alone, bring in what is known of the person.
        is_personalized = bool(items) and (
            context.has_evidence
            if candidates.has_personal_scores
            else context.is_personal and any(source in PERSONAL_SOURCES for source in sources)
        )
        return Recommendation(
            uuid.uuid4().hex, items, [item.propensity for item in placed], is_personalized, fallback
        )

    @staticmethod
    def _end_stage(name: str, since: float, stages: list[tuple[str, float]]) -> float:
        """Record the seconds of a stage and return the time of its end."""
        now = time.perf_counter()
        _STAGE_TIMES[name].observe(now - since)
        stages.append((name, now - since))
        return now

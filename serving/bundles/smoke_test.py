"""Answers requests from a bundle with the real engines, to see that it can answer before people depend on it."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Any

import numpy as np

from ml.bundle import BundleError
from ml.decisions.activity.visitors import Visitor
from ml.privacy.person_key import ids_of_key
from ml.settings import Settings
from serving.bundles.served_bundle import ServedBundle
from serving.context.situation import merge_situation
from serving.context.weather import SurroundingsFile
from serving.decide.decision_engine import DecisionEngine
from serving.decide.rule_book import RuleBook
from serving.recommend.context import RequestContext
from serving.recommend.recommendation_engine import RecommendationEngine
from serving.recommend.user_segment import describe_segment
from serving.requests import DecisionRequest, RecommendationRequest
from serving.state.online import OnlineState

SLOT = "smoke-test"
ATTEMPTS = 3
"""A busy machine may leave no time to score; then the ranking is tried again."""


class SmokeTestError(BundleError):
    """A bundle failed the smoke test.

    Args:
        step: The step that failed.
        reason: Why. It may hold an id, and is for the log and for callers with a secret key.
    """

    def __init__(self, step: str, reason: str) -> None:
        super().__init__(f"smoke test, {step}: {reason}")
        self.step = step


class SmokeTest:
    """Ranks for a user of the bundle, for a stranger and for somebody with interests, and makes one decision.

    Nothing is logged or learned, and no random number is drawn, so that the answers to people stay as they are.

    Args:
        state: The online state.
        settings: All settings.
        recommendation_engine: Ranks.
        decision_engine: Decides.
        rules: The rules in use.
        surroundings: Weather and local events.
    """

    def __init__(
        self,
        state: OnlineState,
        settings: Settings,
        recommendation_engine: RecommendationEngine,
        decision_engine: DecisionEngine,
        rules: RuleBook,
        surroundings: SurroundingsFile,
    ) -> None:
        self._state = state
        self._settings = settings
        self._recommendation_engine = recommendation_engine
        self._decision_engine = decision_engine
        self._rules = rules
        self._surroundings = surroundings

    def run(self, bundle: ServedBundle, at: dt.datetime) -> None:
        """Run all steps on a bundle that is joined to the activity.

        Raises:
            SmokeTestError: A step failed or returned a number that is not finite.
        """
        if bundle.index is None:
            return
        for name, step in self._steps(bundle, at):
            try:
                numbers = np.array(list(step()), dtype=np.float64)
            except Exception as error:  # whatever fails here would fail for people
                raise SmokeTestError(name, f"{type(error).__name__}: {error}") from error
            if not np.isfinite(numbers).all():
                raise SmokeTestError(name, "a number is not finite")

    def _steps(self, bundle: ServedBundle, at: dt.datetime) -> Iterator[tuple[str, Callable[[], Iterable[float]]]]:
        index = bundle.index
        assert index is not None
        request, item = choose_known_person(bundle), _choose_item(bundle)
        if request is not None:
            yield "items for a user", lambda: self._recommend(bundle, request, {}, at)
        yield "items for a stranger", lambda: self._recommend(bundle, RecommendationRequest(), {}, at)
        if index.categories:
            interests = {"interests": index.categories[:1]}
            yield "items for interests", lambda: self._recommend(bundle, RecommendationRequest(), interests, at)
        if item is not None:
            key = int(bundle.join.key_of_row[item])
            near = bundle.scorer.similar_keys(key, self._settings.serving.default_k)
            yield "similar items", lambda: bundle.scorer.similarities(key, near).tolist()
            yield "fold-in", lambda: _or_nothing(index.fold_in([item], [1.0]))
            yield "segment", lambda: self._assign_segment(bundle, key, at)
        yield "decision", lambda: self._decide(bundle, at)

    def _recommend(
        self, bundle: ServedBundle, request: RecommendationRequest, profile: dict[str, Any], at: dt.datetime
    ) -> list[float]:
        situation = merge_situation(at, (), self._settings.decisions.dayparts, self._surroundings)
        context = RequestContext.build(
            self._state,
            request,
            bundle,
            situation,
            at=at.timestamp(),
            k=self._settings.serving.default_k,
            diversity=self._settings.decisions.diversity.model_copy(update={"exploration_share": 0.0}),
            profile=profile,
            is_personal=True,
            is_dry_run=True,
        )
        return recommend_dry(self._recommendation_engine, context)

    def _assign_segment(self, bundle: ServedBundle, key: int, at: dt.datetime) -> Iterable[float]:
        visitor = Visitor(recent=[(key, at.timestamp())], last_at=at.timestamp(), opened=1)
        segment = describe_segment(bundle.segmentation, {}, visitor, self._state.activity)
        return list(segment["memberships"].values())

    def _decide(self, bundle: ServedBundle, at: dt.datetime) -> list[float]:
        situation = merge_situation(at, (), self._settings.decisions.dayparts, self._surroundings)
        request, rules = DecisionRequest(slot=SLOT), self._rules.rules
        context = self._decision_engine.build_rule_context(request, at, situation, bundle, rules)
        fixed = (SLOT, SLOT)  # so that no bandit draws
        return [self._decision_engine.decide(context, rules, situation, at.timestamp(), fixed).propensity]


def recommend_dry(engine: RecommendationEngine, context: RequestContext) -> list[float]:
    """Rank without any trace, and return every number of the answer."""
    for _ in range(ATTEMPTS):
        candidates = engine.collect_candidates(context)
        if candidates.features is not None or not len(candidates.keys):
            break
    numbers = [] if candidates.features is None else candidates.base_scores.tolist()
    recommendation = engine.recommend(context, candidates)
    return [*numbers, *(item["score"] for item in recommendation.items), *recommendation.propensities]


def choose_known_person(bundle: ServedBundle) -> RecommendationRequest | None:
    """Return a request of the first person with factors, or of the first; None for a bundle without people."""
    index = bundle.index
    if index is None or not len(index.bundle.users):
        return None
    rows = np.flatnonzero(index.users_with_factors)
    row = int(rows[0]) if len(rows) else 0
    user_id, anonymous_id = ids_of_key(next(islice(index.user_rows, row, None)))
    return RecommendationRequest(user_id=user_id, anonymous_id=anonymous_id)


def _choose_item(bundle: ServedBundle) -> int | None:
    """Return the row of the first item with factors, or of the first item; None for an empty catalogue."""
    index = bundle.index
    if index is None or not index.item_ids:
        return None
    rows = np.flatnonzero(index.items_with_factors)
    return int(rows[0]) if len(rows) else 0


def _or_nothing(vector: Any) -> list[float]:
    return [] if vector is None else [float(math.fsum(vector)), *vector.tolist()]

"""Turns openings into ranking examples and learns the blend from them again, in a thread beside the answers.

An opening that follows an answer is an example that costs nothing more: the candidates and features of the answer
are kept until it comes. Of the other openings a sample becomes examples, within a share of the time.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import OrderedDict
from dataclasses import dataclass

import numpy as np

from ml.arrays import F32, I64
from ml.decisions.activity.state_change import OPENINGS, StateChange
from ml.decisions.items.candidates import TrendingItems, gather_candidates
from ml.decisions.ranker.blend import RankingBlend
from ml.decisions.ranker.features import FeatureBuilder
from ml.decisions.ranker.ranking_context import RankingContext
from ml.decisions.ranker.ranking_examples import ExampleLog, RankingExample
from ml.decisions.ranker.refit import RefitResult, refit_blend
from ml.settings.decisions import RefitSettings
from serving.bundles.served_bundle import ServedBundle
from serving.privacy.personalization import find_consent
from serving.state.online import OnlineState
from serving.token_bucket import TokenBucket

logger = logging.getLogger("tessera.serving")
SEED = 7
JUDGING = 400
JUDGING_SHARE = 0.2


@dataclass(frozen=True)
class _RankedAnswer:
    """The candidates of an answer; `since` is the time of the answer by the monotonic clock."""

    keys: I64
    features: F32
    since: float


class OnlineRefit:
    """Learns the fresh ranker of one worker.

    Args:
        state: The online state, whose openings are sampled.
        settings: How many examples, how often, and the share of time that this may take.

    Attributes:
        fresh: The blend that was learned since the bundle was published; None before.
        clock: The clock of waiting answers, in seconds.
    """

    def __init__(self, state: OnlineState, settings: RefitSettings) -> None:
        self.state = state
        self.settings = settings
        self.fresh: RankingBlend | None = None
        self.clock = time.monotonic
        judging = min(JUDGING, int(JUDGING_SHARE * settings.kept_questions))
        self._log = ExampleLog(settings.kept_questions, judging, JUDGING_SHARE, SEED)
        self._feature_builder = FeatureBuilder(state.activity)
        self._trending = TrendingItems(state.activity)
        self._waiting: OrderedDict[str, _RankedAnswer] = OrderedDict()
        self._openings = 0
        self._sampling_seconds = TokenBucket.full(settings.time_share, settings.saved_seconds, time.perf_counter())
        self._next_fit = 0.0

    def remember(self, user: str, keys: I64, features: F32) -> None:
        """Remember the ranking of a person's last answer until they open something.

        If many answers wait, those that have not waited long stay: a crowd is sampled, not cut short.
        """
        if not self.settings.enabled:
            return
        now = self.clock()
        self._waiting.pop(user, None)
        if len(self._waiting) >= self.settings.waiting_answers:
            eldest = next(iter(self._waiting))
            if now - self._waiting[eldest].since <= self.settings.waiting_seconds:
                return
            del self._waiting[eldest]
        self._waiting[user] = _RankedAnswer(keys, features, now)

    def forget(self, user: str) -> None:
        """Drop the answer of a person that waits for an opening."""
        self._waiting.pop(user, None)

    def observe(self, change: StateChange, bundle: ServedBundle) -> None:
        """Make an example of an opening that follows an answer, or of a sampled one.

        Memory must not have taken the opening in yet.
        """
        if not self.settings.enabled or change.event_type not in OPENINGS or change.item is None:
            return
        answer = self._waiting.pop(change.user, None)
        if answer is not None and self.clock() - answer.since <= self.settings.waiting_seconds:
            self._add_example(self.state.activity.keys.get(change.item, -1), answer.keys, answer.features)
            return
        self._openings += 1
        started = time.perf_counter()
        if self._openings < self.settings.sample_every or self._sampling_seconds.at(started) <= 0:
            return
        self._openings = 0
        self._sample(change, bundle)
        self._sampling_seconds.take(time.perf_counter() - started)

    async def fit_if_due(self, published: RankingBlend) -> RefitResult | None:
        """Learn again if there are enough new examples; answers go on meanwhile."""
        is_enough = len(self._log) >= self.settings.minimum_questions
        is_new = self._log.since_split >= self.settings.new_questions
        if not is_enough or not is_new or time.monotonic() < self._next_fit:
            return None
        started = time.monotonic()
        result = await asyncio.to_thread(refit_blend, *self._log.split(), published, SEED)
        ended = time.monotonic()
        self._next_fit = ended + (ended - started) * (1 / self.settings.time_share - 1)
        self.fresh = result.blend if result.is_sound else None
        logger.info(
            "blend learned again from %d openings: hit rate at 5 %.4f, published alone %.4f, %s",
            result.examples, result.hit_rate_at_5, result.hit_rate_at_5_before,
            "taken" if result.is_sound else "left",
        )  # fmt: skip
        return result

    def drop(self) -> None:
        """Return to the published blend alone."""
        self.fresh = None

    def _sample(self, change: StateChange, bundle: ServedBundle) -> None:
        """Rank the candidates before an opening.

        Strangers, people without consent and items that were seen before are left out.
        """
        activity, join = self.state.activity, bundle.join
        visitor, item = activity.find_visitor(change.user), activity.keys.get(change.item or "")
        if visitor is None or item is None or item in visitor.seen:
            return
        if not find_consent(self.state, bundle, (change.user,)).is_granted:
            return
        row = bundle.index.user_rows.get(change.user) if bundle.index else None
        facts = bundle.user_facts(change.user)
        context = RankingContext(
            change.at,
            activity.find_visit(change.session, change.user, change.at),
            visitor,
            # As in training, only what the person did before the opening may be used.
            bundle.scorer.fold_in_recent(visitor),
            join.segment_of(row),
            place=(
                change.country or visitor.country or facts.get("country"),
                change.region or visitor.region or facts.get("region"),
                change.device or visitor.device or facts.get("device_type"),
            ),
            excluded=visitor.seen | visitor.rejected,
        )
        keys = gather_candidates(context, bundle.scorer, self._trending).keys
        if item in keys:
            self._add_example(item, keys, self._feature_builder.build(context, keys, bundle.scorer))

    def _add_example(self, item: int, keys: I64, features: F32) -> None:
        """Add an example if the opened item is among its candidates, whose keys ascend."""
        row = int(np.searchsorted(keys, item))
        if row < len(keys) and keys[row] == item:
            self._log.add(RankingExample(features, row))

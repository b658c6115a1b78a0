"""Takes openings as questions and learns the blend from them again, in a thread beside the answers.

An opening that follows an answer is a question that costs nothing more: the answer's candidates and features are
kept until it comes. Of the others a sample is asked about, within a share of the time.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import OrderedDict
from dataclasses import dataclass

import numpy as np

from ml.arrays import F32, I64
from ml.decisions.activity.activity import OPENINGS, Change
from ml.decisions.items.candidates import Trending, gather
from ml.decisions.ranker.blend import Blend
from ml.decisions.ranker.features import Features, Question
from ml.decisions.ranker.questions import AskedQuestion, QuestionLog
from ml.decisions.ranker.refitting import Refit, refit
from ml.settings.decisions import RefitSettings
from serving.recommend.ranking import Ranking
from serving.state.online import OnlineState
from serving.token_bucket import TokenBucket

logger = logging.getLogger("tessera.serving")
SEED = 7
JUDGING = 400
JUDGING_SHARE = 0.2


@dataclass(frozen=True)
class _Waiting:
    """What was ranked for somebody, until they open something; `since` is the monotonic clock's."""

    keys: I64
    rows: F32
    since: float


class Refitting:
    """The fresh ranker of one worker.

    Args:
        state: whose openings are sampled.
        settings: how many, how often, and the share of time that it may take.
    """

    def __init__(self, state: OnlineState, settings: RefitSettings) -> None:
        self.state = state
        self.settings = settings
        self.fresh: Blend | None = None
        self.clock = time.monotonic
        judging = min(JUDGING, int(JUDGING_SHARE * settings.kept_questions))
        self._log = QuestionLog(settings.kept_questions, judging, JUDGING_SHARE, SEED)
        self._features = Features(state.activity)
        self._trending = Trending(state.activity)
        self._waiting: OrderedDict[str, _Waiting] = OrderedDict()
        self._openings = 0
        self._asking_seconds = TokenBucket.full(settings.time_share, settings.saved_seconds, time.perf_counter())
        self._next_fit = 0.0

    def remember(self, user: str, keys: I64, rows: F32) -> None:
        """Keep the ranking of a person's last answer until they open something.

        Where many wait, those who have not waited long keep their place: a crowd is sampled, not cut short.
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
        self._waiting[user] = _Waiting(keys, rows, now)

    def forget(self, user: str) -> None:
        """Drop what waits for a person."""
        self._waiting.pop(user, None)

    def observe(self, change: Change, ranking: Ranking) -> None:
        """Learn from an opening that memory has not yet taken in: one that was answered, or one of a sample."""
        if not self.settings.enabled or change.event_type not in OPENINGS or change.item is None:
            return
        answered = self._waiting.pop(change.user, None)
        if answered is not None and self.clock() - answered.since <= self.settings.waiting_seconds:
            self._take(self.state.activity.keys.get(change.item, -1), answered.keys, answered.rows)
            return
        self._openings += 1
        started = time.perf_counter()
        if self._openings < self.settings.sample_every or self._asking_seconds.at(started) <= 0:
            return
        self._openings = 0
        self._ask(change, ranking)
        self._asking_seconds.take(time.perf_counter() - started)

    async def fit_if_due(self, published: Blend) -> Refit | None:
        """Learn again where there are enough new questions; answers go on meanwhile."""
        enough = len(self._log) >= self.settings.minimum_questions
        if not enough or self._log.since_split < self.settings.new_questions or time.monotonic() < self._next_fit:
            return None
        started = time.monotonic()
        found = await asyncio.to_thread(refit, *self._log.split(), published, SEED)
        ended = time.monotonic()
        self._next_fit = ended + (ended - started) * (1 / self.settings.time_share - 1)
        self.fresh = found.blend if found.is_sound else None
        logger.info(
            "blend learned again from %d openings: hit rate at 5 %.4f, published alone %.4f, %s",
            found.questions, found.hit_rate_at_5, found.hit_rate_at_5_before,
            "taken" if found.is_sound else "left",
        )  # fmt: skip
        return found

    def drop(self) -> None:
        """Go back to the published blend alone."""
        self.fresh = None

    def _ask(self, change: Change, ranking: Ranking) -> None:
        """Ask about the candidates before the opening; not of a stranger, nor where the item was seen before."""
        activity, linked = self.state.activity, ranking.linked
        visitor, item = activity.visitor(change.user), activity.keys.get(change.item or "")
        if visitor is None or item is None or item in visitor.seen:
            return
        row = ranking.shelf.user_rows.get(change.user) if ranking.shelf else None
        # as in training, only what the person did before the question may speak
        vector = ranking.personal.folded(visitor)
        visit = activity.visit(change.session, change.user, change.at)
        told = ranking.facts(change.user)
        place = (
            change.country or visitor.country or told.get("country"),
            change.region or visitor.region or told.get("region"),
            change.device or visitor.device or told.get("device_type"),
        )
        question = Question(change.at, visit, visitor, vector, linked.segment(row), place=place)
        keys = gather(question, ranking.personal, self._trending, None, visitor.seen | visitor.rejected).keys
        if item in keys:
            self._take(item, keys, self._features.rows(question, keys, ranking.personal))

    def _take(self, item: int, keys: I64, rows: F32) -> None:
        """Keep a question if the item that was opened is among its candidates, whose keys ascend."""
        place = int(np.searchsorted(keys, item))
        if place < len(keys) and keys[place] == item:
            self._log.add(AskedQuestion(rows, place))

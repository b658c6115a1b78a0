"""Samples openings as questions and learns the blend from them again, in a thread beside the answers."""

from __future__ import annotations

import asyncio
import logging
import time

import numpy as np

from ml.decisions.activity import OPENINGS, Change
from ml.decisions.blend import Blend
from ml.decisions.candidates import Trending, gather
from ml.decisions.features import Features, Question
from ml.decisions.refitting import AskedQuestion, QuestionLog, Refit, refit
from ml.settings.decisions import RefitSettings
from serving.ranking import Ranking
from serving.state.online import OnlineState

logger = logging.getLogger("tessera.serving")
SEED = 7


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
        self._log = QuestionLog(settings.kept_questions)
        self._features = Features(state.activity)
        self._trending = Trending(state.activity, settings.time_share)
        self._openings = 0
        self._next_sample = 0.0
        self._next_fit = 0.0

    def observe(self, change: Change, ranking: Ranking) -> None:
        """Sample an opening that memory has not yet taken in."""
        if not self.settings.enabled or change.event_type not in OPENINGS or change.item is None:
            return
        self._openings += 1
        started = time.perf_counter()
        if self._openings < self.settings.sample_every or started < self._next_sample:
            return
        self._openings = 0
        question = self._asked(change, ranking)
        if question is not None:
            self._log.add(question)
        spent = time.perf_counter() - started
        self._next_sample = started + spent / self.settings.time_share

    async def fit_if_due(self, published: Blend) -> Refit | None:
        """Learn again where there are enough new questions; answers go on meanwhile."""
        enough = len(self._log.questions) >= self.settings.minimum_questions
        if not enough or self._log.since_fit < self.settings.new_questions or time.monotonic() < self._next_fit:
            return None
        started = time.monotonic()
        found = await asyncio.to_thread(refit, self._log.taken(), published, SEED)
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

    def _asked(self, change: Change, ranking: Ranking) -> AskedQuestion | None:
        """The candidates before the opening; None for a stranger, and where the item was no candidate."""
        activity, linked = self.state.activity, ranking.linked
        visitor, item = activity.visitor(change.user), activity.keys.get(change.item or "")
        if visitor is None or item is None or item in visitor.seen:
            return None
        row = ranking.shelf.user_rows.get(change.user) if ranking.shelf else None
        # as in training, only what the person did before the question may speak
        vector = ranking.personal.folded(visitor)
        visit = activity.visit(change.session, change.user, change.at)
        question = Question(change.at, visit, visitor, vector, linked.segment(row))
        keys = gather(question, ranking.personal, self._trending, None, visitor.seen | visitor.rejected).keys
        place = int(np.searchsorted(keys, item))
        if place == len(keys) or keys[place] != item:
            return None
        return AskedQuestion(self._features.rows(question, keys, ranking.personal), place)

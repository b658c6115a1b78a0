"""Learning between two trainings: each opening that follows an answer moves the blend a little."""

from __future__ import annotations

import logging
from collections import OrderedDict
from typing import Any

import numpy as np

from ml.arrays import F64
from ml.decisions.activity.activity import OPENINGS, Change
from ml.decisions.ranker.blend import OnlineLearner
from ml.settings.decisions import OnlineLearningSettings
from serving.state.online import OnlineState

logger = logging.getLogger("tessera.serving")
DOCUMENT = "blend_snapshots"
WAYS_BACK = "blend_ways_back"


class Learning:
    """Remembers what was ranked, learns from what was then opened, keeps snapshots to go back to.

    Args:
        state: whose store keeps the snapshots.
        settings: rate, bounds and the switch.
    """

    def __init__(self, state: OnlineState, settings: OnlineLearningSettings) -> None:
        self.state = state
        self.settings = settings
        self.learner = OnlineLearner(rate=settings.rate, bound=settings.bound, decay=settings.decay)
        self._answers: OrderedDict[str, tuple[F64, F64, list[int]]] = OrderedDict()
        self._ways_back = self._told_ways_back()
        self._restore(self.snapshots())

    def scores(self, base: F64, inputs: F64, keys: list[int]) -> F64:
        """Scores with what was learned, or the base where learning is switched off."""
        return self.learner.scores(base, inputs, keys) if self.settings.enabled else base

    def remember(self, user: str, base: F64, inputs: F64, keys: list[int]) -> None:
        """Keep the ranking of a person's last answer until the next opening."""
        if not self.settings.enabled:
            return
        self._answers[user] = (base, inputs, keys)
        self._answers.move_to_end(user)
        if len(self._answers) > self.settings.remembered_answers:
            self._answers.popitem(last=False)

    def observe(self, change: Change) -> None:
        """Learn from an opening, if an answer preceded it and had the item among its candidates."""
        if change.event_type not in OPENINGS or change.item is None:
            return
        answer = self._answers.pop(change.user, None)
        key = self.state.activity.keys.get(change.item)
        if answer is None or key is None:
            return
        base, inputs, keys = answer
        if key in keys:
            self.learner.learn(base, inputs, keys, keys.index(key))
            if self.learner.correction.updates % self.settings.snapshot_updates == 0:
                self.snapshot()

    def snapshot(self) -> None:
        """Keep what was learned so far, and say so in the log."""
        now = self.learner.snapshot(self.state.activity.items)
        most = self.settings.kept_snapshots
        self.state.store.change_value(DOCUMENT, lambda kept: [*(kept or []), now][-most:])
        logger.info("blend: %d updates, weights %s", now["updates"], np.round(now["weights"], 3).tolist())

    def snapshots(self) -> list[dict[str, Any]]:
        """Kept snapshots, oldest first."""
        return list(self.state.store.value(DOCUMENT) or [])

    def go_back(self, steps: int) -> None:
        """Go back: 0 to the newest snapshot, 1 to the one before …; beyond the oldest to nothing learned.

        Newer snapshots are dropped, so that a restart does not bring them back. Each worker learns a correction of
        its own, and all of them go back: see `follow`.
        """
        store = self.state.store
        left = store.change_value(DOCUMENT, lambda kept: (kept or [])[: max(0, len(kept or []) - steps)])
        self._ways_back = store.change_value(WAYS_BACK, lambda count: (count or 0) + 1)
        self._restore(left)
        logger.info("blend: went back %d snapshots, to %d updates", steps, self.learner.correction.updates)

    def follow(self) -> bool:
        """Go back where another worker did since the last look; tells whether it was so."""
        told = self._told_ways_back()
        if told == self._ways_back:
            return False
        self._ways_back = told
        self._restore(self.snapshots())
        return True

    def _told_ways_back(self) -> int:
        return int(self.state.store.value(WAYS_BACK) or 0)

    def _restore(self, snapshots: list[dict[str, Any]]) -> None:
        self.learner.restore(snapshots[-1] if snapshots else None, self.state.activity.keys)

    def forget(self, user: str) -> None:
        """Drop a person's remembered answer."""
        self._answers.pop(user, None)

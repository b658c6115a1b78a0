"""Learning between two trainings: each opening that follows an answer moves the blend a little."""

from __future__ import annotations

import logging
from collections import OrderedDict
from typing import Any

import numpy as np
import numpy.typing as npt

from ml.decisions.activity import OPENINGS, Change
from ml.decisions.blend import OnlineLearner
from ml.settings.decisions import OnlineLearningSettings
from serving.state.online import OnlineState

logger = logging.getLogger("tessera.serving")
DOCUMENT = "blend_snapshots"
Floats = npt.NDArray[np.float64]


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
        self._answers: OrderedDict[str, tuple[Floats, Floats, list[int]]] = OrderedDict()
        kept = self.snapshots()
        self.learner.restore(kept[-1] if kept else None, state.activity.keys)

    def scores(self, base: Floats, inputs: Floats, keys: list[int]) -> Floats:
        """Scores with what was learned, or the base where learning is switched off."""
        return self.learner.scores(base, inputs, keys) if self.settings.enabled else base

    def remember(self, user: str, base: Floats, inputs: Floats, keys: list[int]) -> None:
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
        kept = [*self.snapshots(), self.learner.snapshot(self.state.activity.items)]
        self.state.store.put_value(DOCUMENT, kept[-self.settings.kept_snapshots :])
        logger.info(
            "blend: %d updates, weights %s", kept[-1]["updates"], np.round(kept[-1]["weights"], 3).tolist()
        )

    def snapshots(self) -> list[dict[str, Any]]:
        """Kept snapshots, oldest first."""
        return list(self.state.store.value(DOCUMENT) or [])

    def go_back(self, steps: int) -> None:
        """Go back: 0 to the newest snapshot, 1 to the one before …; beyond the oldest to nothing learned.

        Newer snapshots are dropped, so that a restart does not bring them back.
        """
        kept = self.snapshots()
        left = kept[: max(0, len(kept) - steps)]
        self.state.store.put_value(DOCUMENT, left)
        self.learner.restore(left[-1] if left else None, self.state.activity.keys)
        logger.info("blend: went back %d snapshots, to %d updates", steps, self.learner.correction.updates)

    def forget(self, user: str) -> None:
        """Drop a person's remembered answer."""
        self._answers.pop(user, None)

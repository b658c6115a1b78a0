"""Learns between two trainings: each opening that follows an answer moves the blend a little."""

from __future__ import annotations

import logging
from collections import OrderedDict
from typing import Any

import numpy as np

from ml.arrays import F64
from ml.decisions.activity.state_change import OPENINGS, StateChange
from ml.decisions.ranker.blend import OnlineLearner
from ml.settings.decisions import OnlineLearningSettings
from serving.state.online import OnlineState
from serving.state.store import StoreUnavailableError

logger = logging.getLogger("tessera.serving")
SNAPSHOTS_DOCUMENT = "blend_snapshots"
REVERTS_DOCUMENT = "blend_ways_back"


class OnlineLearning:
    """Remembers what was ranked, learns from what was then opened, and keeps snapshots to revert to.

    Args:
        state: Its store keeps the snapshots.
        settings: Rate, bounds, and whether anything is learned.
    """

    def __init__(self, state: OnlineState, settings: OnlineLearningSettings) -> None:
        self.state = state
        self.settings = settings
        self.learner = OnlineLearner(rate=settings.rate, bound=settings.bound, decay=settings.decay)
        self._answers: OrderedDict[str, tuple[F64, F64, list[int]]] = OrderedDict()
        self._reverts = self._read_reverts()
        self._restore(self.snapshots())

    def scores(self, base: F64, inputs: F64, keys: list[int]) -> F64:
        """Return scores with what was learned, or the base scores if learning is disabled."""
        return self.learner.scores(base, inputs, keys) if self.settings.enabled else base

    def remember(self, user: str, base: F64, inputs: F64, keys: list[int]) -> None:
        """Remember the ranking of a person's last answer until the next opening."""
        if not self.settings.enabled:
            return
        self._answers[user] = (base, inputs, keys)
        self._answers.move_to_end(user)
        if len(self._answers) > self.settings.remembered_answers:
            self._answers.popitem(last=False)

    def observe(self, change: StateChange) -> None:
        """Learn from an opening if an answer preceded it and had the item among its candidates."""
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
                try:
                    self.save_snapshot()
                except StoreUnavailableError as error:
                    logger.warning("the blend is saved after the next updates: %s", error.message)

    def save_snapshot(self) -> None:
        """Save what was learned so far, and log it."""
        snapshot = self.learner.snapshot(self.state.activity.items)
        most = self.settings.kept_snapshots
        self.state.store.change_value(SNAPSHOTS_DOCUMENT, lambda saved: [*(saved or []), snapshot][-most:])
        logger.info(
            "blend: %d updates, weights %s", snapshot["updates"], np.round(snapshot["weights"], 3).tolist()
        )

    def snapshots(self) -> list[dict[str, Any]]:
        """Return the saved snapshots, oldest first."""
        return list(self.state.store.value(SNAPSHOTS_DOCUMENT) or [])

    def revert(self, steps: int) -> None:
        """Revert to a snapshot: 0 is the newest, 1 the one before; beyond the oldest nothing is learned.

        Newer snapshots are dropped, so that a restart does not restore them. Each worker learns a correction of
        its own, and all of them revert: see `follow_revert`.
        """
        store = self.state.store
        left = store.change_value(
            SNAPSHOTS_DOCUMENT, lambda saved: (saved or [])[: max(0, len(saved or []) - steps)]
        )
        self._reverts = store.change_value(REVERTS_DOCUMENT, lambda count: (count or 0) + 1)
        self._restore(left)
        logger.info("blend: went back %d snapshots, to %d updates", steps, self.learner.correction.updates)

    def follow_revert(self) -> bool:
        """Revert if another worker did since the last call, and return whether it did."""
        reverts = self._read_reverts()
        if reverts == self._reverts:
            return False
        self._reverts = reverts
        self._restore(self.snapshots())
        return True

    def forget(self, user: str) -> None:
        """Drop a person's remembered answer."""
        self._answers.pop(user, None)

    def _read_reverts(self) -> int:
        return int(self.state.store.value(REVERTS_DOCUMENT) or 0)

    def _restore(self, snapshots: list[dict[str, Any]]) -> None:
        self.learner.restore(snapshots[-1] if snapshots else None, self.state.activity.keys)

"""All that is known of a request before anything is ranked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ml.decisions.activity.activity import Visitor
from ml.decisions.ranker.features import Question
from ml.settings.decisions import DiversitySettings
from serving.context.situation import Situation
from serving.requests import Filter


@dataclass
class Asking:
    """Who asks, for what, and in what situation.

    Attributes:
        at: Unix seconds.
        profile: what the person set.
        user_row: the person's row in the bundle, None for strangers and where the answer is not personal.
        remembered: the visitor with what the bundle knows of the time before memory began.
        excluded: keys of items that must not be shown.
        boosts: (`topic` or `item`, its name, what the score gains), from rules.
        is_trial: the answer is not shown: nothing is learned from it, and it counts in no metric.
        diversity: instead of the settings'.
    """

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
    chance: np.random.Generator = field(default_factory=np.random.default_rng)
    is_trial: bool = False
    diversity: DiversitySettings | None = None
    remembered: Visitor | None = None

    @property
    def interests(self) -> list[str]:
        """Stated interests that may speak."""
        return list(self.profile.get("interests") or ()) if self.is_personal else []

    @property
    def has_lifts(self) -> bool:
        """Whether interests or rules may lift an item."""
        return bool(self.boosts or self.interests)

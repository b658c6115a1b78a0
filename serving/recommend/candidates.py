"""The candidates of one request with what scores them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ml.arrays import F32, F64
from ml.decisions.items.candidates import CandidateSet
from ml.decisions.ranker.blend import RankingBlend, mix_scores


@dataclass(frozen=True)
class ScoredCandidates(CandidateSet):
    """Candidates of one request, their features, and the rankers that score them.

    Everything that scoring reads is held here and none of it changes, so any thread may score.

    Attributes:
        features: float32 (n, features); None if the time budget had no room for them, or without candidates.
        published: The bundle's blend.
        fresh: The blend that was learned since the bundle was published.
        started: Start of the ranking by `time.perf_counter`.
        stages: Name and seconds of each finished stage.
        has_personal_scores: Whether the scores were made of the features, which describe the person too.
    """

    features: F32 | None
    published: RankingBlend
    fresh: RankingBlend | None
    started: float
    stages: list[tuple[str, float]]
    has_personal_scores: bool = False

    @property
    def has_trees(self) -> bool:
        """Whether scoring takes long enough to run in a thread of its own."""
        return self.features is not None and (self.published.ranker is not None or self.fresh is not None)

    @cached_property
    def base_scores(self) -> F64:
        """Score of each candidate by the rankers, float64 (n,), computed once."""
        return np.zeros(0) if self.features is None else self.score(self.features)

    def score(self, features: F32) -> F64:
        """Score any feature rows by the rankers, float64 (m,)."""
        return mix_scores(self.published, self.fresh, features)

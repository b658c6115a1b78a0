"""One request on its way: what was read of the state, before anything is scored."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ml.arrays import F32, F64
from ml.decisions.items.candidates import Candidates
from ml.decisions.ranker.blend import Blend
from ml.decisions.ranker.refitting import mixed


@dataclass(frozen=True)
class Prepared:
    """Candidates of one request and the rankers that score them; touches no state, so any thread may score.

    Attributes:
        rows: features of the candidates; None where the time budget had no room for them, or there are none.
        published, fresh: the bundle's blend and the one learned since.
        started: of the ranking, by `time.perf_counter`.
        stages: name and seconds of each stage so far.
    """

    found: Candidates
    rows: F32 | None
    published: Blend
    fresh: Blend | None
    started: float
    stages: list[tuple[str, float]]

    @property
    def has_trees(self) -> bool:
        """Whether scoring is work worth a thread of its own."""
        return self.rows is not None and (self.published.ranker is not None or self.fresh is not None)

    @cached_property
    def base(self) -> F64:
        """Score of each candidate by the rankers, float64 (n,); computed once."""
        return np.zeros(0) if self.rows is None else self.score(self.rows)

    def score(self, rows: F32) -> F64:
        """Score of any feature rows by the rankers, float64 (m,)."""
        return mixed(self.published, self.fresh, rows)

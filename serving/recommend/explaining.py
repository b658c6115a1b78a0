"""Why each item of an answer is there: the evidence that carried its score, in words."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ml.arrays import F32, F64
from ml.decisions.explanations import Reason, carried, in_words
from ml.recommenders.reranking import Placed
from serving.learn.learning import Learning
from serving.recommend.asking import Asking
from serving.recommend.caring import Caring
from serving.recommend.evidence import Evidence
from serving.recommend.prepared import Prepared
from serving.recommend.ranking import Ranking
from serving.state.online import OnlineState

TYPICAL_OF = 40  # candidates that the ordinary one is made of
KIND_OF_SOURCE = {
    "personal": "taste",
    "recent": "taste",
    "follows": "follows",
    "similar": "similar",
    "interests": "interests",
    "segment": "segment",
    "here": "here",
    "trending": "popular",
    "popular": "well_known",
}


class Explaining:
    """Finds the reason of each item of an answer.

    Args:
        state: what people opened.
        caring, learning: what scores are made of, beside the rankers.
    """

    def __init__(self, state: OnlineState, caring: Caring, learning: Learning) -> None:
        self.state = state
        self.caring = caring
        self.learning = learning

    def reasons(self, asked: Asking, prepared: Prepared, placed: list[Placed], ranking: Ranking) -> list[Reason]:
        """The reason of each placed item; without features, the lists of the sources are all that is known."""
        if not placed:
            return []
        keys, found = [one.row for one in placed], prepared.found
        parts = self._parts(asked, prepared, keys, ranking)
        evidence = Evidence(asked, keys, ranking, self.state.activity, self.caring)
        return [
            evidence.exploration(one.row)
            if one.is_exploration
            else _reason(evidence, one.row, own, KIND_OF_SOURCE[source])
            for one, own, source in zip(placed, parts, found.sources_of(keys), strict=True)
        ]

    def sentences(self, asked: Asking, prepared: Prepared, placed: list[Placed], ranking: Ranking) -> list[str]:
        """`reasons` in words."""
        return [in_words(reason) for reason in self.reasons(asked, prepared, placed, ranking)]

    def _parts(
        self, asked: Asking, prepared: Prepared, keys: list[int], ranking: Ranking
    ) -> list[dict[str, float]]:
        """What each kind of evidence adds to the score of each item, stated interests and rules among them."""
        rows = prepared.rows
        if rows is None:
            return [{} for _ in keys]
        typical = _median(rows[:: max(1, len(rows) // TYPICAL_OF)])
        own = rows[prepared.found.places(keys)]
        parts = carried(lambda some: self._score(some, prepared), own, typical)
        if not asked.has_lifts:
            return parts
        for key, one in zip(keys, parts, strict=True):
            lift = self.caring.lift(asked, key, ranking)
            one["interests"], one["boost"] = lift.by_interests, lift.boost
        return parts

    def _score(self, rows: F32, prepared: Prepared) -> F64:
        """Scores of feature rows as the answer was ranked by; the bias of an item is no evidence and left out."""
        base = prepared.score(rows)
        if not self.learning.learner.correction.updates:
            return base
        return self.learning.scores(base, prepared.published.inputs(rows), [])


def _median(rows: F32) -> F32:
    """Median of each column, float32; `np.median` takes four times as long for its care about NaN."""
    middle = [(len(rows) - 1) // 2, len(rows) // 2]
    return np.asarray(np.partition(rows, middle, axis=0)[middle].mean(axis=0))


def _reason(evidence: Evidence, key: int, parts: Mapping[str, float], kind_of_source: str) -> Reason:
    """The kind that adds most and has something to name; else what brought the item among the candidates."""
    for kind in sorted(parts, key=lambda kind: -parts[kind]):
        if parts[kind] <= 0:
            break
        reason = evidence.of(kind, key)
        if reason is not None:
            return reason
    return evidence.of(kind_of_source, key) or Reason(kind_of_source)

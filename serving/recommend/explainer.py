"""Explains why each item of an answer is there: the evidence that carried its score, in words."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ml.arrays import F32, F64
from ml.decisions.explanations import Explanation, family_contributions, write_sentence
from ml.recommenders.reranking import Placed
from serving.learn.online_learning import OnlineLearning
from serving.recommend.candidates import ScoredCandidates
from serving.recommend.context import RequestContext
from serving.recommend.display_policy import DisplayPolicy
from serving.recommend.evidence import AnswerEvidence
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
OF_OTHERS = frozenset({"segment", "here", "popular", "well_known"})
"""Kinds that say what other people do, which nobody can say of a site that has one person."""


class Explainer:
    """Chooses the explanation of each item of an answer.

    Args:
        state: What people opened.
        display_policy: What interests and rules add to the scores.
        online_learning: What was learned since the bundle was published.
    """

    def __init__(self, state: OnlineState, display_policy: DisplayPolicy, online_learning: OnlineLearning) -> None:
        self.state = state
        self.display_policy = display_policy
        self.online_learning = online_learning

    def write_reasons(
        self, context: RequestContext, candidates: ScoredCandidates, placed: list[Placed]
    ) -> list[str]:
        """Return one sentence for each placed item.

        Without features, only the sources of the items are available as evidence.
        """
        if not placed:
            return []
        keys = [item.row for item in placed]
        contributions = self.contributions(context, candidates, keys)
        evidence = AnswerEvidence(context, keys, self.state.activity, self.display_policy)
        explanations = [
            evidence.exploration(item.row)
            if item.is_exploration
            else _explain(evidence, item.row, by_kind, KIND_OF_SOURCE[source])
            for item, by_kind, source in zip(placed, contributions, candidates.sources_of(keys), strict=True)
        ]
        return [write_sentence(explanation) for explanation in explanations]

    def contributions(
        self, context: RequestContext, candidates: ScoredCandidates, keys: list[int]
    ) -> list[dict[str, float]]:
        """Compute what each kind of evidence adds to the score of each item, interests and rules included."""
        features = candidates.features
        if features is None:
            return [{} for _ in keys]
        typical = _median(features[:: max(1, len(features) // TYPICAL_OF)])
        placed_features = features[candidates.find_rows(keys)]
        contributions = family_contributions(lambda rows: self._score(rows, candidates), placed_features, typical)
        if not context.has_lifts:
            return contributions
        for key, by_kind in zip(keys, contributions, strict=True):
            lift = self.display_policy.lift(context, key)
            by_kind["interests"], by_kind["boost"] = lift.by_interests, lift.boost
        return contributions

    def _score(self, features: F32, candidates: ScoredCandidates) -> F64:
        """Score feature rows as the answer was ranked. The bias of an item is no evidence and is left out."""
        base = candidates.score(features)
        if not self.online_learning.learner.correction.updates:
            return base
        return self.online_learning.scores(base, candidates.published.correction_inputs(features), [])


def _median(features: F32) -> F32:
    """Return the median of each column, float32; `np.median`, which checks for NaN, takes four times as long."""
    middle = [(len(features) - 1) // 2, len(features) // 2]
    return np.asarray(np.partition(features, middle, axis=0)[middle].mean(axis=0))


def _explain(
    evidence: AnswerEvidence, key: int, contributions: Mapping[str, float], kind_of_source: str
) -> Explanation:
    """Return the explanation of the kind that adds most and names something, or that of the item's source."""
    for kind in sorted(contributions, key=lambda kind: -contributions[kind]):
        if contributions[kind] <= 0:
            break
        explanation = evidence.explain(kind, key)
        if explanation is not None:
            return explanation
    kind = "catalogue" if kind_of_source in OF_OTHERS and evidence.is_of_one_person(key) else kind_of_source
    return evidence.explain(kind_of_source, key) or Explanation(kind)

"""Settings of the section `evaluation`."""

from typing import Literal

from pydantic import Field, PositiveInt

from ml.settings.section import Section


class GuardrailSettings(Section):
    """A bound on one metric of a candidate."""

    metric: str
    floor: float | None
    largest_drop: float | None


class EvaluationSettings(Section):
    """Knobs of `evaluation`; their reasons stand in settings.yaml."""

    split: Literal["time", "leave-last-out", "random"]
    test_share: float = Field(gt=0, lt=1)
    k: PositiveInt
    metric: Literal["ndcg", "map", "recall", "precision", "hit", "mrr"]
    most_users: PositiveInt
    least_gain: float
    confidence: float = Field(gt=0, lt=1)
    guardrails: list[GuardrailSettings]
    seed: int

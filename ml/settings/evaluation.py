"""Settings of the section `evaluation`: how candidates are measured and when one becomes the champion."""

from typing import Literal

from ml.settings.section import Section, knob


class GuardrailSettings(Section):
    """A bound on one metric of a candidate."""

    metric: str
    floor: float | None
    largest_drop: float | None


class EvaluationSettings(Section):
    """The split, the metrics and the promotion gate."""

    split: Literal["time", "leave-last-out", "random"] = knob(
        "time", "`time` trains on the past and measures on what came next, as in production."
    )
    test_share: float = knob(
        0.1, "Newest interactions, which are the test.", unit="share of interactions", gt=0, lt=1
    )
    k: int = knob(10, "Places of a list that are measured.", unit="places", gt=0)
    metric: Literal["ndcg", "map", "recall", "precision", "hit", "mrr"] = knob(
        "ndcg", "The metric that decides about the champion."
    )
    most_users: int = knob(
        20_000,
        "Test users that are measured, drawn at random; the interval is narrow enough with them.",
        unit="users",
        gt=0,
    )
    least_gain: float = knob(
        0.0, "The whole interval of a new configuration's gain must lie above this.", unit="of the metric"
    )
    confidence: float = knob(0.95, "Confidence of that interval.", unit="probability", gt=0, lt=1)
    guardrails: list[GuardrailSettings] = knob(
        [
            GuardrailSettings(metric="coverage", floor=None, largest_drop=0.5),
            GuardrailSettings(metric="novelty", floor=None, largest_drop=0.25),
            GuardrailSettings(metric="long_tail", floor=None, largest_drop=0.6),
            GuardrailSettings(metric="worst_segment_ndcg_at_10", floor=None, largest_drop=0.2),
        ],
        "Metrics that can veto a promotion: `floor` is the least value, `largest_drop` the largest relative loss"
        " against the champion.",
    )
    seed: int = knob(20, "Seed of what is drawn at random.", unit="any integer")

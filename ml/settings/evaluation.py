"""Settings of the sections `evaluation` and `canary`: how models are measured, when one becomes the champion."""

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

    @property
    def deciding_metric(self) -> str:
        """Name of the metric that decides, with the places that it measures, such as `ndcg_at_10`."""
        return f"{self.metric}_at_{self.k}"


class CanarySettings(Section):
    """How a new model is tried on some people before it answers everybody."""

    share: float = knob(
        0.1,
        "People whom a new model answers until it is clear whether it is worse than the former one; with 0 it"
        " answers everybody at once.",
        unit="share of people",
        ge=0,
        le=0.5,
    )
    tolerated_loss: float = knob(
        0.05,
        "Tolerated loss of clicked answers: the new model answers everybody once a larger one is ruled out.",
        unit="relative",
        gt=0,
        lt=1,
    )
    confidence: float = knob(
        0.95,
        "Confidence of the interval that decides. It is read after every run and holds at all readings together.",
        unit="probability",
        gt=0.5,
        lt=1,
    )
    least_people: int = knob(
        30,
        "People whom either model has to answer before anything is decided, so that means are about normal.",
        unit="people",
        ge=10,
    )
    most_days: float = knob(
        14,
        "After so long, the difference that was measured decides, even if it is uncertain.",
        unit="days",
        gt=0,
    )
    rest_days: float = knob(
        28,
        "So long a configuration that was rolled back is not tried again; the gate would choose it anew.",
        unit="days",
        ge=0,
    )

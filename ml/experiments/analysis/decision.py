"""Judge guardrails and make the decision by the rule that was stated before the start."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Literal

from ml.experiments.analysis.inference import InferenceResult
from ml.experiments.definition.definition import Experiment, GuardrailMetric

GuardrailState = Literal["held", "breached", "worse", "open"]


@dataclass(frozen=True)
class GuardrailVerdict:
    """The verdict on a guardrail.

    Attributes:
        metric: name of the metric.
        variant: name of the treatment.
        margin: largest acceptable relative change for the worse.
        low: lower bound of the relative change for the worse.
        high: upper bound of that change.
        state: `held`, `breached`, `worse` or `open`, see `judge_guardrail`.
    """

    metric: str
    variant: str
    margin: float
    low: float
    high: float
    state: GuardrailState


@dataclass(frozen=True)
class ExperimentDecision:
    """Ship a variant, stop, or go on, with the reasons in words."""

    verdict: Literal["ship", "stop", "go on"]
    variant: str | None
    reasons: tuple[str, ...]


@dataclass(frozen=True)
class PrimaryEvidence:
    """The primary metric of a treatment, by the inference of the decision rule."""

    variant: str
    inference: InferenceResult
    higher_is_better: bool

    @property
    def gain(self) -> tuple[float, float]:
        """Return the bounds of the relative change for the better."""
        relative = self.inference.relative
        return (relative.low, relative.high) if self.higher_is_better else (-relative.high, -relative.low)

    @property
    def absolute_gain(self) -> tuple[float, float]:
        """Return the bounds of the absolute change for the better.

        Their sign decides, because no division is involved.
        """
        absolute = self.inference.absolute
        return (absolute.low, absolute.high) if self.higher_is_better else (-absolute.high, -absolute.low)


def judge_guardrail(
    guardrail: GuardrailMetric, variant: str, inference: InferenceResult, *, higher_is_better: bool
) -> GuardrailVerdict:
    """Judge whether the change for the worse stays below the margin.

    The state is `held` if the change is certainly below the margin, `breached` if it is certainly beyond, `worse`
    if there certainly is a change for the worse, and `open` otherwise.
    """
    relative = inference.relative
    low, high = (-relative.high, -relative.low) if higher_is_better else (relative.low, relative.high)
    state: GuardrailState = "open"
    if low > guardrail.margin:
        state = "breached"
    elif high < guardrail.margin:
        state = "held"
    elif low > 0:
        state = "worse"
    return GuardrailVerdict(guardrail.metric, variant, guardrail.margin, low, high, state)


def describe_decision_rule(experiment: Experiment) -> str:
    """Describe the rule of the definition, as `apply_decision_rule` applies it."""
    rule = experiment.decision
    interval = {
        "always_valid": "the always-valid interval (valid at every look)",
        "group_sequential": f"the repeated interval at {rule.looks} planned looks ({rule.spending} spending)",
        "fixed": "the interval of the single look at the end",
    }[rule.inference]
    level = (
        f"{1 - rule.alpha:.0%}"
        if len(experiment.treatments) == 1
        else (f"{1 - rule.alpha:.0%}, shared by {len(experiment.treatments)} treatments")
    )
    guardrail_condition = (
        "no guardrail is breached" if rule.guardrails == "not_breached" else "every guardrail is held"
    )
    return (
        f"Ship a variant when {interval} of {experiment.primary_metric} (level {level}) lies entirely on the "
        f"better side of 0, at least {rule.minimum_days} days have passed and {guardrail_condition}. "
        "Stop when the sample ratio is wrong, a guardrail is breached, the interval lies entirely on the worse "
        f"side of 0, or it excludes a gain of {experiment.minimum_detectable_effect:.1%}. "
        "Stop without a conclusion at the planned end. Otherwise go on."
    )


def apply_decision_rule(
    experiment: Experiment,
    evidence: Sequence[PrimaryEvidence],
    guardrails: Sequence[GuardrailVerdict],
    *,
    sample_ratio_alarm: bool,
    days_run: int,
    complete: bool,
) -> ExperimentDecision:
    """Apply the decision rule.

    Args:
        experiment: definition of the experiment.
        evidence: the primary metric of each treatment that has an estimate.
        guardrails: verdicts on the guardrails.
        sample_ratio_alarm: whether the sample ratio check failed.
        days_run: days since the start.
        complete: whether no more units will come and all have seen the metric's whole window. Until then the
            inference `fixed` reaches no conclusion, except that guardrails stop the test.
    """
    if sample_ratio_alarm:
        return ExperimentDecision(
            "stop",
            None,
            ("the sample ratio is wrong: assignment or logging is broken, no effect can be read",),
        )
    breached = [verdict for verdict in guardrails if verdict.state == "breached"]
    breached_variants = {verdict.variant for verdict in breached}
    reasons = [
        f"{verdict.metric} of {verdict.variant} is worse by at least {verdict.low:.1%}, beyond "
        f"{verdict.margin:.1%}"
        for verdict in breached
    ]
    remaining = [entry for entry in evidence if entry.variant not in breached_variants]
    if breached_variants and not remaining:
        return ExperimentDecision("stop", None, tuple(reasons))
    if experiment.decision.inference == "fixed" and not complete:
        return ExperimentDecision("go on", None, (*reasons, "a single-look test is evaluated once, at its end"))
    winners = [entry for entry in remaining if entry.absolute_gain[0] > 0]
    if winners:
        return _decide_on_winners(experiment, winners, guardrails, reasons, days_run, complete=complete)
    hopeless = []
    for entry in remaining:
        if entry.absolute_gain[1] < 0:
            hopeless.append(f"{entry.variant} is certainly worse than control")
        elif entry.gain[1] < experiment.minimum_detectable_effect:
            hopeless.append(
                f"{entry.variant} certainly gains less than {experiment.minimum_detectable_effect:.1%}"
            )
    if remaining and len(hopeless) == len(remaining):
        return ExperimentDecision("stop", None, (*reasons, *hopeless))
    if complete:
        return ExperimentDecision(
            "stop", None, (*reasons, *hopeless, "the planned end is reached without a conclusion")
        )
    return ExperimentDecision(
        "go on", None, (*reasons, *hopeless, "the interval still contains both 0 and a relevant gain")
    )


def _describe_gain(evidence: PrimaryEvidence) -> str:
    """Describe a gain in percent of the control, or in units of the metric where the control may be 0."""
    low, high = evidence.gain
    if isfinite(low) and isfinite(high):
        return f"gains between {low:.1%} and {high:.1%}"
    low, high = evidence.absolute_gain
    return f"gains between {low:.4g} and {high:.4g} of a metric that may be 0 without it"


def _decide_on_winners(
    experiment: Experiment,
    winners: list[PrimaryEvidence],
    guardrails: Sequence[GuardrailVerdict],
    reasons: list[str],
    days_run: int,
    *,
    complete: bool,
) -> ExperimentDecision:
    """Ship the best winner, or name what is still missing."""
    best = max(winners, key=lambda entry: entry.inference.absolute.value * (1 if entry.higher_is_better else -1))
    variant_guardrails = [verdict for verdict in guardrails if verdict.variant == best.variant]
    reasons = [*reasons, f"{best.variant} {_describe_gain(best)}"]
    reasons += [
        f"{v.metric} may be worse by up to {v.high:.1%}, check it"
        for v in variant_guardrails
        if v.state == "worse"
    ]
    if days_run < experiment.decision.minimum_days:
        wait = f"day {days_run} of at least {experiment.decision.minimum_days} days"
        return ExperimentDecision("go on", best.variant, (*reasons, wait))
    unproven = [verdict.metric for verdict in variant_guardrails if verdict.state != "held"]
    if experiment.decision.guardrails == "held" and unproven:
        verdict: Literal["stop", "go on"] = "stop" if complete else "go on"
        return ExperimentDecision(
            verdict, best.variant, (*reasons, f"not yet proven to hold: {', '.join(unproven)}")
        )
    return ExperimentDecision("ship", best.variant, tuple(reasons))

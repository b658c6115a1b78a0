"""Guardrail verdicts and the decision, by the rule that the definition stated before the start."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from ml.experiments.analysis.inference import InferenceResult
from ml.experiments.definition.definition import Experiment, GuardrailMetric

GuardrailState = Literal["held", "breached", "worse", "open"]


@dataclass(frozen=True)
class GuardrailVerdict:
    """What is known of a guardrail: `low` and `high` bound the relative change for the worse."""

    metric: str
    variant: str
    margin: float
    low: float
    high: float
    state: GuardrailState


@dataclass(frozen=True)
class ExperimentDecision:
    """Ship a variant, stop, or go on; with the reasons in words."""

    verdict: Literal["ship", "stop", "go on"]
    variant: str | None
    reasons: tuple[str, ...]


@dataclass(frozen=True)
class PrimaryEvidence:
    """A treatment's primary metric, read by the inference of the rule, `estimable` when there is an estimate."""

    variant: str
    reading: InferenceResult
    higher_is_better: bool

    @property
    def gain(self) -> tuple[float, float]:
        """Bounds of the relative change for the better."""
        relative = self.reading.relative
        return (relative.low, relative.high) if self.higher_is_better else (-relative.high, -relative.low)

    @property
    def absolute_gain(self) -> tuple[float, float]:
        """Bounds of the absolute change for the better; the sign is decided here, where no division blurs it."""
        absolute = self.reading.absolute
        return (absolute.low, absolute.high) if self.higher_is_better else (-absolute.high, -absolute.low)


def judge_guardrail(
    guardrail: GuardrailMetric, variant: str, reading: InferenceResult, *, higher_is_better: bool
) -> GuardrailVerdict:
    """Say whether the change for the worse stays below the margin.

    `held`: it is below for certain; `breached`: it is beyond; `worse`: it is there, beyond or not; else `open`.
    """
    relative = reading.relative
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
    """The rule of the definition, as it is applied by `apply_decision_rule`."""
    rule = experiment.decision
    kind = {
        "always_valid": "the always-valid interval (it holds at every look)",
        "group_sequential": f"the repeated interval at {rule.looks} planned looks ({rule.spending} spending)",
        "fixed": "the interval of the single look at the end",
    }[rule.inference]
    level = (
        f"{1 - rule.alpha:.0%}"
        if len(experiment.treatments) == 1
        else (f"{1 - rule.alpha:.0%}, shared by {len(experiment.treatments)} treatments")
    )
    asked = "no guardrail is breached" if rule.guardrails == "not_breached" else "every guardrail is held"
    return (
        f"Ship a variant when {kind} of {experiment.primary_metric} (level {level}) lies wholly on the better "
        f"side of 0, "
        f"at least {rule.minimum_days} days have passed and {asked}. Stop when the sample ratio is wrong, a "
        f"guardrail "
        f"is breached, the interval lies wholly on the worse side, or it excludes a gain of "
        f"{experiment.minimum_detectable_effect:.1%}; stop at the end without a finding. Otherwise go on."
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
    """Apply the rule.

    evidence: one entry for each treatment that has an estimate. complete: no more units will come and all have
    seen the metric's whole window; the inference `fixed` says nothing before, except that guardrails stop it.
    """
    if sample_ratio_alarm:
        return ExperimentDecision(
            "stop", None, ("the sample ratio is wrong: assignment or logging is broken, no effect can be read",)
        )
    breached = [verdict for verdict in guardrails if verdict.state == "breached"]
    out = {verdict.variant for verdict in breached}
    reasons = [
        f"{verdict.metric} of {verdict.variant} is worse by at least {verdict.low:.1%}, beyond "
        f"{verdict.margin:.1%}"
        for verdict in breached
    ]
    alive = [entry for entry in evidence if entry.variant not in out]
    if out and not alive:
        return ExperimentDecision("stop", None, tuple(reasons))
    if experiment.decision.inference == "fixed" and not complete:
        return ExperimentDecision("go on", None, (*reasons, "a single-look test is read once, at its end"))
    winners = [entry for entry in alive if entry.absolute_gain[0] > 0]
    if winners:
        return _ship_or_wait(experiment, winners, guardrails, reasons, days_run, complete=complete)
    hopeless = []
    for entry in alive:
        if entry.absolute_gain[1] < 0:
            hopeless.append(f"{entry.variant} is worse than control for certain")
        elif entry.gain[1] < experiment.minimum_detectable_effect:
            hopeless.append(
                f"{entry.variant} gains less than {experiment.minimum_detectable_effect:.1%} for certain"
            )
    if alive and len(hopeless) == len(alive):
        return ExperimentDecision("stop", None, (*reasons, *hopeless))
    if complete:
        return ExperimentDecision(
            "stop", None, (*reasons, *hopeless, "the planned end is reached without a finding")
        )
    return ExperimentDecision(
        "go on", None, (*reasons, *hopeless, "the interval still holds both 0 and a gain worth having")
    )


def _ship_or_wait(
    experiment: Experiment,
    winners: list[PrimaryEvidence],
    guardrails: Sequence[GuardrailVerdict],
    reasons: list[str],
    days_run: int,
    *,
    complete: bool,
) -> ExperimentDecision:
    best = max(winners, key=lambda entry: entry.reading.absolute.value * (1 if entry.higher_is_better else -1))
    own = [verdict for verdict in guardrails if verdict.variant == best.variant]
    reasons = [*reasons, f"{best.variant} gains between {best.gain[0]:.1%} and {best.gain[1]:.1%}"]
    reasons += [f"{v.metric} is worse by up to {v.high:.1%}, look at it" for v in own if v.state == "worse"]
    if days_run < experiment.decision.minimum_days:
        wait = f"day {days_run} of at least {experiment.decision.minimum_days}"
        return ExperimentDecision("go on", best.variant, (*reasons, wait))
    unproven = [verdict.metric for verdict in own if verdict.state != "held"]
    if experiment.decision.guardrails == "held" and unproven:
        verdict: Literal["stop", "go on"] = "stop" if complete else "go on"
        return ExperimentDecision(verdict, best.variant, (*reasons, f"not shown to hold: {', '.join(unproven)}"))
    return ExperimentDecision("ship", best.variant, tuple(reasons))

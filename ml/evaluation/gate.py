"""The gate of the alias `champion`: who passes is better by more than noise and breaks no guardrail."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from ml.arrays import F64
from ml.evaluation.bootstrap import paired_difference
from ml.evaluation.gains import describe_gain

Kind = Literal["first", "improvement", "refresh", "kept"]


@dataclass(frozen=True)
class Contender:
    """One configuration, measured on the validation window.

    Attributes:
        name: of the model.
        configuration: plain values; equal configurations are the same model on other data.
        metrics: by name, such as `ndcg_at_10`, `coverage`.
        per_user: float64 (n_users,) of the deciding metric, the same users in the same order for all contenders.
    """

    name: str
    configuration: Mapping[str, Any]
    metrics: Mapping[str, float]
    per_user: F64


@dataclass(frozen=True)
class Guardrail:
    """A bound on a metric of the candidate for which higher is better.

    Attributes:
        metric: Name of the metric.
        floor: Lowest value that is allowed.
        largest_drop: Largest loss that is allowed, as a share of the champion's value.
    """

    metric: str
    floor: float | None = None
    largest_drop: float | None = None

    def broken_by(self, candidate: Contender, champion: Contender | None) -> str | None:
        """Say why the candidate breaks the guardrail.

        A metric without a value breaks a guardrail that bounds it.

        Returns:
            The reason, or None if the guardrail holds.
        """
        value = candidate.metrics.get(self.metric, math.nan)
        before = champion.metrics.get(self.metric, math.nan) if champion is not None else math.nan
        is_bounded = self.floor is not None or not math.isnan(before)
        if math.isnan(value):
            return f"{self.metric} has no value" if is_bounded else None
        if self.floor is not None and value < self.floor:
            return f"{self.metric} {value:.4f} is below the floor {self.floor:.4f}"
        if self.largest_drop is not None and value < before * (1 - self.largest_drop):
            return f"{self.metric} falls from {before:.4f} to {value:.4f}, by more than {self.largest_drop:.0%}"
        return None


@dataclass(frozen=True)
class Verdict:
    """Whether the alias moves, and why."""

    promote: bool
    kind: Kind
    reasons: tuple[str, ...] = field(default_factory=tuple)


def decide(
    candidate: Contender,
    champion: Contender | None,
    guardrails: Sequence[Guardrail] = (),
    *,
    metric: str = "ndcg_at_10",
    least_gain: float = 0.0,
    confidence: float = 0.95,
    baseline: Contender | None = None,
    seed: int = 0,
) -> Verdict:
    """Decide on a candidate.

    A changed configuration must gain more than `least_gain` with the whole paired bootstrap interval above it. A
    refit of the champion's configuration is a refresh and needs the guardrails only. The first champion must not
    be worse than the baseline. A guardrail vetoes any of them.

    Args:
        candidate: the contender that would replace the champion.
        champion: the champion's configuration, measured on the candidate's own window; None: there is none.
        guardrails: limits that the candidate must keep.
        metric: name of the deciding metric, for the reasons.
        least_gain: the gain that the whole interval must exceed, in units of the metric.
        confidence: level of the interval.
        baseline: popularity, measured on the same window.
        seed: seed of the bootstrap.
    """
    vetoes = [reason for rail in guardrails if (reason := rail.broken_by(candidate, champion))]
    if vetoes:
        return Verdict(False, "kept", tuple(f"guardrail: {reason}" for reason in vetoes))
    if champion is None:
        return _decide_first(candidate, baseline, metric)
    if dict(candidate.configuration) == dict(champion.configuration):
        return Verdict(True, "refresh", (f"the champion's own configuration ({candidate.name}) on newer data",))
    gain = paired_difference(candidate.per_user, champion.per_user, confidence, seed=seed)
    text = f"{metric} against {champion.name}: {describe_gain(gain)}"
    if gain.low > least_gain:
        return Verdict(True, "improvement", (text,))
    return Verdict(False, "kept", (f"{text}; the interval does not lie above {least_gain:+.4f}",))


def _decide_first(candidate: Contender, baseline: Contender | None, metric: str) -> Verdict:
    value = candidate.metrics.get(metric, math.nan)
    if (
        baseline is not None
        and baseline.name != candidate.name
        and not value >= baseline.metrics.get(metric, math.nan)
    ):
        return Verdict(
            False, "kept", (f"{metric} {value:.4f} does not reach {baseline.name} {baseline.metrics[metric]:.4f}",)
        )
    return Verdict(True, "first", (f"there was no champion yet; its {metric} is {value:.4f}",))


def elect(
    contenders: Sequence[Contender],
    champion: Mapping[str, Any] | None,
    baseline: str,
    guardrails: Sequence[Guardrail],
    *,
    metric: str,
    least_gain: float,
    confidence: float,
    seed: int,
    resting: Sequence[tuple[Mapping[str, Any], str]] = (),
) -> tuple[Contender, Verdict]:
    """The contender that should be served, and the gate's verdict on it.

    The challengers are tried from the best down. If none passes, the champion's own configuration is refreshed,
    and the verdict also says why the challengers failed.

    Args:
        contenders: all contenders, measured on the same window.
        champion: the champion's configuration, which must be among the contenders; None: there is none yet.
        baseline: name of the baseline among the contenders.
        guardrails: limits that the elected contender must keep.
        metric: name of the deciding metric, for the reasons.
        least_gain: the gain that the whole interval must exceed, in units of the metric.
        confidence: level of the interval.
        seed: seed of the bootstrap.
        resting: configurations that may not replace the champion for the time being, and why.

    Raises:
        ValueError: the champion's configuration is not among the contenders.
    """
    ranked = sorted(contenders, key=lambda contender: -float(np.nanmean(contender.per_user)))
    floor = next((contender for contender in contenders if contender.name == baseline), None)
    current = next(
        (c for c in contenders if champion is not None and dict(c.configuration) == dict(champion)), None
    )
    if champion is not None and current is None:
        raise ValueError(f"the champion's configuration {dict(champion)} was not measured with the candidates")
    failures: list[str] = []
    for contender in ranked:
        if contender is current:
            break
        rest = next((why for barred, why in resting if dict(barred) == dict(contender.configuration)), None)
        if rest is not None:
            failures.append(f"{contender.name}: {rest}")
            continue
        verdict = decide(
            contender, current, guardrails, metric=metric, least_gain=least_gain, confidence=confidence,
            baseline=floor, seed=seed,
        )  # fmt: skip
        if verdict.promote:
            return contender, Verdict(True, verdict.kind, (*verdict.reasons, *failures))
        failures += [f"{contender.name}: {reason}" for reason in verdict.reasons]
    if current is None:
        return ranked[0], Verdict(False, "kept", tuple(failures))
    verdict = decide(current, current, guardrails, metric=metric)
    return current, Verdict(verdict.promote, verdict.kind, (*verdict.reasons, *failures))

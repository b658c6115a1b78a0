"""What a policy would have earned, from the log of another one with known propensities.

Inverse propensity scoring (Horvitz and Thompson 1952), its self-normalised form (Swaminathan and Joachims 2015)
and the doubly robust estimate (Dudík, Langford and Li 2011), with intervals over independent clusters (users).
"""

from __future__ import annotations

from dataclasses import dataclass
from math import nan, sqrt

import numpy as np
from scipy.stats import norm

from ml.arrays import F64, I64
from ml.errors import InvalidInputError


@dataclass(frozen=True)
class LoggedDecisions:
    """A log of decisions, one entry a decision; all arrays have shape (n_decisions,).

    reward: what followed. logged: probability with which the logging policy chose the action it chose, above 0.
    target: probability with which the policy in question would have chosen that action. cluster: whose decision it
    was; decisions of one cluster may depend on each other.
    """

    reward: F64
    logged: F64
    target: F64
    cluster: I64

    def __post_init__(self) -> None:
        if len(self.reward) == 0:
            raise InvalidInputError("no decisions were logged")
        if len({len(self.reward), len(self.logged), len(self.target), len(self.cluster)}) != 1:
            raise InvalidInputError("reward, logged, target and cluster must have the same length")
        if not ((self.logged > 0) & (self.logged <= 1)).all():
            raise InvalidInputError(f"logged propensities must lie in (0, 1], smallest is {self.logged.min():g}")
        if not ((self.target >= 0) & (self.target <= 1)).all():
            raise InvalidInputError("target propensities must lie in [0, 1]")


@dataclass(frozen=True)
class PolicyValue:
    """Estimated mean reward a decision, with its interval.

    effective_decisions: (Σw)²/Σw², how many decisions the log is worth for this policy; an interval from fewer
    than some hundred is not to be trusted. mean_weight should be near 1: far from it, the propensities are wrong,
    or the logging policy never does what the target would.
    """

    method: str
    value: float
    low: float
    high: float
    effective_decisions: float
    mean_weight: float


def inverse_propensity(log: LoggedDecisions, alpha: float = 0.05, clip: float | None = None) -> PolicyValue:
    """Weigh rewards by target over logged propensity. `clip` bounds the weights: less variance, some bias."""
    weight = _weights(log, clip)
    return _summary("IPS", weight * log.reward, weight, log, alpha)


def self_normalized(log: LoggedDecisions, alpha: float = 0.05, clip: float | None = None) -> PolicyValue:
    """Divide by the sum of the weights instead of their number: steadier, bias of order 1/n."""
    weight = _weights(log, clip)
    total = weight.mean()
    if total == 0:
        return PolicyValue("SNIPS", nan, nan, nan, 0.0, 0.0)
    value = float((weight * log.reward).mean() / total)
    return _summary("SNIPS", value + weight * (log.reward - value) / total, weight, log, alpha)


def doubly_robust(
    log: LoggedDecisions,
    predicted_logged: F64,
    predicted_target: F64,
    alpha: float = 0.05,
    clip: float | None = None,
) -> PolicyValue:
    """Correct a reward model by the weighted errors it makes; right if either the model or the propensities are.

    predicted_logged: the model's reward of the action that was chosen. predicted_target: its mean reward under the
    target policy. Fit the model on other data, or the interval is too narrow.
    """
    weight = _weights(log, clip)
    terms = predicted_target + weight * (log.reward - predicted_logged)
    return _summary("DR", terms, weight, log, alpha)


def _weights(log: LoggedDecisions, clip: float | None) -> F64:
    weight = log.target / log.logged
    return weight if clip is None else np.minimum(weight, clip)


def _summary(method: str, terms: F64, weight: F64, log: LoggedDecisions, alpha: float) -> PolicyValue:
    value = float(terms.mean())
    _, index = np.unique(log.cluster, return_inverse=True)
    residual = np.bincount(index, weights=terms - value)
    clusters = len(residual)
    width = nan
    if clusters > 1:
        # Sandwich variance over clusters, with the usual correction for few of them.
        variance = float((residual**2).sum()) / len(terms) ** 2 * clusters / (clusters - 1)
        width = float(norm.ppf(1 - alpha / 2)) * sqrt(variance)
    squares = float((weight**2).sum())
    effective = float(weight.sum()) ** 2 / squares if squares else 0.0
    return PolicyValue(method, value, value - width, value + width, effective, float(weight.mean()))

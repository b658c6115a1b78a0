"""Estimate what a policy would have earned from the log of another policy with known propensities.

The estimators are inverse propensity scoring (Horvitz and Thompson 1952), its self-normalized form (Swaminathan
and Joachims 2015) and the doubly robust estimate (Dudík, Langford and Li 2011), with intervals over independent
clusters (users).
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
    """A log of decisions; all arrays have shape (n_decisions,).

    Attributes:
        reward: observed reward.
        logged: probability with which the logging policy chose the logged action, above 0.
        target: probability with which the evaluated policy would have chosen that action.
        cluster: whose decision it was; decisions within a cluster may be dependent.
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
    """Estimated mean reward per decision.

    Attributes:
        method: `IPS`, `SNIPS` or `DR`.
        value: the estimate.
        low: lower bound of the interval.
        high: upper bound of the interval.
        effective_decisions: (Σw)²/Σw², the number of decisions that the log is worth for this policy. Intervals
            from fewer than a few hundred are not reliable.
        mean_weight: mean importance weight, which should be near 1. Otherwise the propensities are wrong, or the
            logging policy never does what the evaluated policy would do.
    """

    method: str
    value: float
    low: float
    high: float
    effective_decisions: float
    mean_weight: float


def inverse_propensity(log: LoggedDecisions, alpha: float = 0.05) -> PolicyValue:
    """Weight rewards by target over logged propensity."""
    weight = log.target / log.logged
    return _summarize_terms("IPS", weight * log.reward, weight, log, alpha)


def self_normalized(log: LoggedDecisions, alpha: float = 0.05) -> PolicyValue:
    """Divide by the sum of the weights instead of their number, which reduces variance at a bias of order 1/n."""
    weight = log.target / log.logged
    total = weight.mean()
    if total == 0:
        return PolicyValue("SNIPS", nan, nan, nan, 0.0, 0.0)
    value = float((weight * log.reward).mean() / total)
    return _summarize_terms("SNIPS", value + weight * (log.reward - value) / total, weight, log, alpha)


def doubly_robust(
    log: LoggedDecisions,
    predicted_logged: F64,
    predicted_target: F64,
    alpha: float = 0.05,
) -> PolicyValue:
    """Correct a reward model by its weighted errors.

    The result is right if the model or the propensities are right.

    Args:
        log: the log.
        predicted_logged: the model's reward of the logged action, (n_decisions,).
        predicted_target: the model's mean reward under the evaluated policy, (n_decisions,). Fit the model on
            other data, otherwise the interval is too narrow.
        alpha: 1 minus the level of the interval.
    """
    weight = log.target / log.logged
    terms = predicted_target + weight * (log.reward - predicted_logged)
    return _summarize_terms("DR", terms, weight, log, alpha)


def _summarize_terms(method: str, terms: F64, weight: F64, log: LoggedDecisions, alpha: float) -> PolicyValue:
    """Return the mean of the terms with its interval over clusters."""
    value = float(terms.mean())
    _, index = np.unique(log.cluster, return_inverse=True)
    residual = np.bincount(index, weights=terms - value)
    clusters = len(residual)
    width = nan
    if clusters > 1:
        # This is the sandwich variance over clusters, with the usual correction for few clusters.
        variance = float((residual**2).sum()) / len(terms) ** 2 * clusters / (clusters - 1)
        width = float(norm.ppf(1 - alpha / 2)) * sqrt(variance)
    squares = float((weight**2).sum())
    effective = float(weight.sum()) ** 2 / squares if squares else 0.0
    return PolicyValue(method, value, value - width, value + width, effective, float(weight.mean()))

"""How far little evidence about a person can be trusted.

Segments are learned from people with much evidence. A newcomer's features look as definite as anybody's: after one
page, one topic has a share of 1. The discount mixes memberships with the sizes of the segments, by a share that is
large for little evidence and vanishes with much. It is learned from the past: what the model would have said of a
person when little was seen, against what it says now that much has been seen.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from scipy.optimize import minimize
from scipy.special import expit, logit

from ml.arrays import F64

# Measured on the simulator's default site, against the later behaviour of people who came back: after one page,
# .18 of the memberships are chance, and after ten pages .01. Used until a site has enough history of its own.
DEFAULT_CHANCE, DEFAULT_DECAY = 0.18, 1.3
MINIMUM_PAIRS = 100  # of little and much evidence about the same person, below which the default applies


@dataclass(frozen=True)
class EvidenceDiscount:
    """Mix memberships with the sizes of the segments by how little is known of a person.

    Attributes:
        column: column that counts the evidence, such as page views.
        prior: size of each segment as a share, (k,); what is said of somebody of whom nothing is known.
        chance_at_one: share of the prior at one unit of evidence.
        decay: exponent with which the odds of chance fall with the evidence.
    """

    column: str
    prior: tuple[float, ...]
    chance_at_one: float = DEFAULT_CHANCE
    decay: float = DEFAULT_DECAY

    def chance(self, evidence: F64) -> F64:
        """Return the share of the prior (n,) at each amount of evidence (n,); 1 without evidence."""
        amount = np.nan_to_num(np.maximum(evidence, 0.0))
        odds = logit(self.chance_at_one)
        with np.errstate(divide="ignore"):
            return np.asarray(expit(odds - self.decay * np.log(amount)))

    def apply(self, memberships: F64, evidence: F64) -> F64:
        """Return discounted memberships (n, k); rows of zeros, which are noise, stay zeros."""
        chance = self.chance(evidence)[:, None]
        inside = memberships.sum(axis=1, keepdims=True) > 0
        return np.where(inside, (1 - chance) * memberships + chance * np.array(self.prior), 0.0)

    def fitted(self, then: F64, evidence: F64, now: F64) -> EvidenceDiscount:
        """Return the discount that makes early memberships agree best with later ones.

        Args:
            then: memberships of people when little was seen of them, before any discount (n, k).
            evidence: amount of evidence at that time (n,).
            now: memberships of the same people since then, by much evidence (n, k).

        Returns:
            The discount of least cross-entropy, or this one if there are fewer than `MINIMUM_PAIRS` people.
        """
        if len(then) < MINIMUM_PAIRS:
            return self

        def cross_entropy(parameters: F64) -> float:
            early = self._with(parameters).apply(then, evidence)
            return -float((now * np.log(np.maximum(early, 1e-12))).sum(axis=1).mean())

        start = np.array([logit(self.chance_at_one), np.log(self.decay)])
        return self._with(minimize(cross_entropy, start, method="Nelder-Mead").x)

    def _with(self, parameters: F64) -> EvidenceDiscount:
        """Return the discount with log-odds of chance and log-decay (2,), within bounds that keep them finite."""
        odds, log_decay = np.clip(parameters, [-12.0, -4.0], [12.0, 2.0])
        return replace(self, chance_at_one=float(expit(odds)), decay=float(np.exp(log_decay)))

    def document(self) -> dict[str, Any]:
        """Return the attributes as JSON values."""
        return asdict(self)

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> EvidenceDiscount:
        """Return the discount that `document` wrote."""
        return cls(**{**document, "prior": tuple(document["prior"])})

"""Chooses among content variants while learning which works: a Bayesian linear bandit with known propensities."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ml.arrays import F64
from ml.settings.decisions import BanditSettings

CONTEXT = (
    "constant", "is_known", "mobile", "desktop", "morning", "midday", "afternoon", "evening", "night", "weekend",
)  # fmt: skip


@dataclass(frozen=True)
class Choice:
    """The variant that was drawn and the probability that it would be."""

    variant: str
    propensity: float


class ThompsonSampling:
    """One linear model of the reward a variant; variants are drawn by the chance that they are the best.

    The chances are counted from draws of the posterior (Agrawal and Goyal 2013), each variant keeps a minimum, and
    the choice is made from those very chances, so that the logged propensity is exact.
    """

    def __init__(self, settings: BanditSettings) -> None:
        self.settings = settings
        self._models: dict[str, tuple[F64, F64]] = {}
        self._own: dict[str, tuple[F64, F64]] = {}

    def choose(self, slot: str, variants: Sequence[str], context: F64, generator: np.random.Generator) -> Choice:
        """Draw a variant.

        Args:
            context: float64 (len(CONTEXT),), see `context_of`.
        """
        chances = self.propensities(slot, variants, context, generator)
        place = int(generator.choice(len(variants), p=chances))
        return Choice(variants[place], float(chances[place]))

    def propensities(
        self, slot: str, variants: Sequence[str], context: F64, generator: np.random.Generator
    ) -> F64:
        """Probability of each variant, float64 (len(variants),), summing to one."""
        draws = np.empty((self.settings.draws, len(variants)))
        for place, variant in enumerate(variants):
            precision, weighted = self._model(slot, variant)
            mean = np.linalg.solve(precision, weighted)
            spread = float(np.sqrt(context @ np.linalg.solve(precision, context)))
            noise = generator.standard_normal(self.settings.draws)
            draws[:, place] = context @ mean + self.settings.exploration * spread * noise
        won = np.bincount(draws.argmax(axis=1), minlength=len(variants)) / self.settings.draws
        least = min(self.settings.minimum_propensity, 1.0 / len(variants))
        return np.asarray(least + (1.0 - least * len(variants)) * won)

    def learn(self, slot: str, variant: str, context: F64, reward: float) -> None:
        """A variant was shown in this context and earned `reward` (0 … 1)."""
        name, seen, earned = f"{slot}/{variant}", np.outer(context, context), reward * context
        precision, weighted = self._model(slot, variant)
        self._models[name] = (precision + seen, weighted + earned)
        before = self._own.get(name)
        self._own[name] = (seen, earned) if before is None else (before[0] + seen, before[1] + earned)

    @property
    def has_news(self) -> bool:
        """Whether something was learned since `restore`."""
        return bool(self._own)

    def joined(self, kept: Mapping[str, Any] | None) -> dict[str, Any]:
        """A snapshot and what was learned here since `restore`; sums, so that order does not matter."""
        other = ThompsonSampling(self.settings)
        other.restore(kept)
        for name, (seen, earned) in self._own.items():
            precision, weighted = other._named(name)
            other._models[name] = (precision + seen, weighted + earned)
        return other.snapshot()

    def snapshot(self) -> dict[str, Any]:
        """All models as plain JSON."""
        return {name: {"precision": a.tolist(), "weighted": b.tolist()} for name, (a, b) in self._models.items()}

    def restore(self, snapshot: Mapping[str, Any] | None) -> None:
        """Go on from a snapshot; models of another width are left out."""
        self._own = {}
        self._models = {
            name: (np.array(model["precision"]), np.array(model["weighted"]))
            for name, model in (snapshot or {}).items()
            if len(model["weighted"]) == len(CONTEXT)
        }

    def _model(self, slot: str, variant: str) -> tuple[F64, F64]:
        return self._named(f"{slot}/{variant}")

    def _named(self, name: str) -> tuple[F64, F64]:
        return self._models.get(name) or (np.eye(len(CONTEXT)), np.zeros(len(CONTEXT)))


def context_of(*, is_known: bool, device_type: str | None, daypart: str, is_weekend: bool) -> F64:
    """The bandit's view of a situation, float64 (len(CONTEXT),)."""
    holds = {"constant", device_type, daypart}
    holds |= {"is_known"} if is_known else set()
    holds |= {"weekend"} if is_weekend else set()
    return np.array([1.0 if name in holds else 0.0 for name in CONTEXT])

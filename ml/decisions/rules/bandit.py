"""Chooses among content variants while it learns which of them works: a Bayesian linear bandit."""

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
class VariantDraw:
    """The variant that was drawn, and the probability with which it was drawn."""

    variant: str
    propensity: float


class ThompsonSampling:
    """Models the reward of each variant linearly and draws variants by the chance that they are the best.

    The chances are counted from draws of the posterior (Agrawal and Goyal 2013), and each variant keeps a minimum.
    The variant is drawn by those very chances, so that the logged propensity is exact.
    """

    def __init__(self, settings: BanditSettings) -> None:
        self.settings = settings
        self._models: dict[str, tuple[F64, F64]] = {}
        self._unsaved: dict[str, tuple[F64, F64]] = {}

    def draw_variant(
        self, slot: str, variants: Sequence[str], context: F64, generator: np.random.Generator
    ) -> VariantDraw:
        """Draw a variant.

        Args:
            slot: Where the variants compete.
            variants: What may be drawn.
            context: float64 (len(CONTEXT),), as `encode_context` returns it.
            generator: Source of randomness.
        """
        chances = self.propensities(slot, variants, context, generator)
        index = int(generator.choice(len(variants), p=chances))
        return VariantDraw(variants[index], float(chances[index]))

    def propensities(
        self, slot: str, variants: Sequence[str], context: F64, generator: np.random.Generator
    ) -> F64:
        """Return the probability of each variant, float64 (len(variants),), which sum to 1."""
        draws = np.empty((self.settings.draws, len(variants)))
        for column, variant in enumerate(variants):
            precision, weighted = self._model(f"{slot}/{variant}")
            mean = np.linalg.solve(precision, weighted)
            spread = float(np.sqrt(context @ np.linalg.solve(precision, context)))
            noise = generator.standard_normal(self.settings.draws)
            draws[:, column] = context @ mean + self.settings.exploration * spread * noise
        won = np.bincount(draws.argmax(axis=1), minlength=len(variants)) / self.settings.draws
        least = min(self.settings.minimum_propensity, 1.0 / len(variants))
        return np.asarray(least + (1.0 - least * len(variants)) * won)

    def posteriors(self, slot: str, variants: Sequence[str], context: F64) -> dict[str, dict[str, float]]:
        """Return what is learned of each variant.

        Returns:
            By variant, how often it was `shown` and a reward was learned, the sum that it `earned`, and the `mean`
            and the standard deviation `spread` of its expected reward in the context.
        """
        learned = {}
        for variant in variants:
            precision, weighted = self._model(f"{slot}/{variant}")
            learned[variant] = {
                "shown": float(precision[0, 0] - 1.0),
                "earned": float(weighted[0]),
                "mean": float(context @ np.linalg.solve(precision, weighted)),
                "spread": float(np.sqrt(context @ np.linalg.solve(precision, context))),
            }
        return learned

    def learn(self, slot: str, variant: str, context: F64, reward: float) -> None:
        """Learn that a variant was shown in this context and earned `reward` (0 … 1)."""
        name, seen, earned = f"{slot}/{variant}", np.outer(context, context), reward * context
        precision, weighted = self._model(name)
        self._models[name] = (precision + seen, weighted + earned)
        before = self._unsaved.get(name)
        self._unsaved[name] = (seen, earned) if before is None else (before[0] + seen, before[1] + earned)

    @property
    def has_news(self) -> bool:
        """Whether something was learned since `restore`."""
        return bool(self._unsaved)

    def merge_into(self, snapshot: Mapping[str, Any] | None) -> dict[str, Any]:
        """Return a snapshot with what was learned here since `restore` added to it.

        Models are sums, so the order in which workers merge does not matter.
        """
        merged = ThompsonSampling(self.settings)
        merged.restore(snapshot)
        for name, (seen, earned) in self._unsaved.items():
            precision, weighted = merged._model(name)
            merged._models[name] = (precision + seen, weighted + earned)
        return merged.snapshot()

    def snapshot(self) -> dict[str, Any]:
        """Return all models as plain JSON."""
        return {name: {"precision": a.tolist(), "weighted": b.tolist()} for name, (a, b) in self._models.items()}

    def restore(self, snapshot: Mapping[str, Any] | None) -> None:
        """Replace the models by those of a snapshot; models of another width are left out."""
        self._unsaved = {}
        self._models = {
            name: (np.array(model["precision"]), np.array(model["weighted"]))
            for name, model in (snapshot or {}).items()
            if len(model["weighted"]) == len(CONTEXT)
        }

    def _model(self, name: str) -> tuple[F64, F64]:
        return self._models.get(name) or (np.eye(len(CONTEXT)), np.zeros(len(CONTEXT)))


def encode_context(*, is_known: bool, device_type: str | None, daypart: str, is_weekend: bool) -> F64:
    """Encode a situation for the bandit, float64 (len(CONTEXT),)."""
    present = {"constant", device_type, daypart}
    present |= {"is_known"} if is_known else set()
    present |= {"weekend"} if is_weekend else set()
    return np.array([1.0 if name in present else 0.0 for name in CONTEXT])

"""The weight of each feature: a ranker learned from the log, and a small correction learned online.

The score of a candidate is that of the learned ranker (gradient-boosted trees, LambdaRank) plus a linear
correction and a bias of the item. Correction and biases move with each opening that follows an answer. They are
bounded and can be reverted to a snapshot.
"""

from __future__ import annotations

import json
from collections import OrderedDict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import lightgbm as lgb
import numpy as np

from ml.arrays import F32, F64
from ml.decisions.ranker.features import NAMES
from ml.errors import TesseraError

PRIOR_WEIGHTS = {"next_7d": 4.0, "near_4h": 1.0, "popular_30m": 0.6, "popular_2h": 0.3, "personal": 0.5}
CORRECTED = (
    "popular_5m", "popular_30m", "popular_8h", "next_30m", "next_7d", "near_4h", "age", "category_share",
    "same_category", "personal", "trend", "scope_device", "scope_region", "after_category",
)  # fmt: skip
_CORRECTED = np.array([NAMES.index(name) for name in CORRECTED])
_PRIOR = np.array([PRIOR_WEIGHTS.get(name, 0.0) for name in NAMES])
RANKER_FILE = "ranker.txt"
BLEND_FILE = "blend.json"
FRESHNESS = 2.0  # how many examples of the published ranker a newer example is worth


class BlendVersionError(TesseraError, ValueError):
    """A saved blend was learned on other features than this version computes."""


class RankingBlend:
    """Scores candidates by their features.

    Args:
        ranker: The learned trees. None if the log was too short to learn from; then PRIOR_WEIGHTS score.
        means: float64 (len(NAMES),), of the features in training.
        deviations: float64 (len(NAMES),), standard deviations of the features in training.
        scale: Divisor that turns the ranker's scores into logits.
        figures: How the blend was learned and how well it ranks. They are written to the bundle's manifest.
    """

    def __init__(
        self,
        *,
        ranker: lgb.Booster | None,
        means: F64,
        deviations: F64,
        scale: float = 1.0,
        figures: dict[str, Any] | None = None,
    ) -> None:
        self.ranker = ranker
        self.means = means
        self.deviations = deviations
        self.scale = scale
        self.figures = figures or {}

    @classmethod
    def prior(cls) -> RankingBlend:
        """Return the blend that scores before anything was learned."""
        return cls(ranker=None, means=np.zeros(len(NAMES)), deviations=np.ones(len(NAMES)))

    @property
    def example_count(self) -> int:
        """Number of ranking examples that the blend was learned from."""
        return int(self.figures.get("questions", 0))

    def base_scores(self, features: F32) -> F64:
        """Score candidates before the correction, float64 (n,)."""
        if self.ranker is not None:
            scores = self.ranker.predict(features, num_threads=1)
            return np.asarray(scores, dtype=np.float64) / self.scale
        return np.asarray(features @ _PRIOR, dtype=np.float64)

    def correction_inputs(self, features: F32) -> F64:
        """Return the standardized features of the correction, clipped to ±4: float64 (n, len(CORRECTED))."""
        columns = _CORRECTED
        standardized = (features[:, columns] - self.means[columns]) / self.deviations[columns]
        return np.asarray(np.clip(standardized, -4.0, 4.0))

    def save(self, folder: Path) -> None:
        """Write the blend to a folder; the trees are written in LightGBM's text format."""
        folder.mkdir(parents=True, exist_ok=True)
        document = {
            "features": list(NAMES),
            "means": self.means.tolist(),
            "deviations": self.deviations.tolist(),
            "scale": self.scale,
            "figures": self.figures,
        }
        (folder / BLEND_FILE).write_text(json.dumps(document, indent=1), encoding="utf-8")
        if self.ranker is not None:
            self.ranker.save_model(str(folder / RANKER_FILE))

    @classmethod
    def load(cls, folder: Path) -> RankingBlend:
        """Read what `save` wrote.

        Raises:
            BlendVersionError: The blend was learned on other features than this version computes.
        """
        document = json.loads((folder / BLEND_FILE).read_text(encoding="utf-8"))
        if document["features"] != list(NAMES):
            raise BlendVersionError(f"{folder}: the blend was learned on other features; publish again")
        file = folder / RANKER_FILE
        return cls(
            ranker=lgb.Booster(model_file=str(file)) if file.exists() else None,
            means=np.array(document["means"]),
            deviations=np.array(document["deviations"]),
            scale=float(document["scale"]),
            figures=document["figures"],
        )


def mix_scores(published: RankingBlend, fresh: RankingBlend | None, features: F32) -> F64:
    """Score candidates by two rankers, or by the one that was learned, float64 (n,).

    Each ranker counts in proportion to the examples that it was learned from, newer examples FRESHNESS times.
    """
    if fresh is None:
        return published.base_scores(features)
    if published.ranker is None:
        return fresh.base_scores(features)
    old, new = published.example_count, FRESHNESS * fresh.example_count
    return np.asarray((old * published.base_scores(features) + new * fresh.base_scores(features)) / (old + new))


@dataclass
class Correction:
    """What is learned online.

    Attributes:
        weights: float64 (len(CORRECTED),), of the standardized features.
        biases: Bias by item key, the least recently changed first.
        updates: Number of learning steps.
    """

    weights: F64 = field(default_factory=lambda: np.zeros(len(CORRECTED)))
    biases: OrderedDict[int, float] = field(default_factory=OrderedDict)
    updates: int = 0


class OnlineLearner:
    """Moves a correction by stochastic gradient steps on the listwise softmax of one answer.

    Args:
        rate: Step of the weights; biases move ten times as far.
        bound: Largest absolute value of a weight or a bias.
        decay: Share by which weights shrink towards zero with every step.
        biases: Number of item biases that are kept; the least recent are dropped first.
    """

    def __init__(self, *, rate: float, bound: float, decay: float, biases: int = 20_000) -> None:
        self.rate = rate
        self.bound = bound
        self.decay = decay
        self.kept_biases = biases
        self.correction = Correction()

    def scores(self, base: F64, inputs: F64, keys: list[int]) -> F64:
        """Return base scores with the correction, float64 (n,); without item biases if no keys are given."""
        biases = self.correction.biases
        bias = np.array([biases.get(key, 0.0) for key in keys]) if keys else 0.0
        return np.asarray(base + inputs @ self.correction.weights + bias)

    def learn(self, base: F64, inputs: F64, keys: list[int], chosen: int) -> None:
        """Take one step: of the candidates `keys`, the one at index `chosen` was opened."""
        scores = self.scores(base, inputs, keys)
        chances = np.exp(scores - scores.max())
        chances /= chances.sum()
        gradient = inputs[chosen] - chances @ inputs
        weights = self.correction.weights * (1.0 - self.decay) + self.rate * gradient
        self.correction.weights = np.clip(weights, -self.bound, self.bound)
        heaviest = np.argsort(-chances)[:10].tolist()
        for row in {chosen, *heaviest}:
            step = (1.0 if row == chosen else 0.0) - float(chances[row])
            self._move_bias(keys[row], 10.0 * self.rate * step)
        self.correction.updates += 1

    def snapshot(self, names: list[str]) -> dict[str, Any]:
        """Return the correction as plain JSON with biases by item id; `names` holds the id of each key."""
        return {
            "features": list(CORRECTED),
            "weights": self.correction.weights.tolist(),
            "biases": {names[key]: round(value, 6) for key, value in self.correction.biases.items()},
            "updates": self.correction.updates,
        }

    def restore(self, snapshot: dict[str, Any] | None, keys: dict[str, int]) -> None:
        """Go back to a snapshot; None, or a snapshot of other features, resets the correction."""
        self.correction = Correction()
        if snapshot is None or snapshot.get("features") != list(CORRECTED):
            return
        self.correction.weights = np.array(snapshot["weights"])
        self.correction.updates = int(snapshot["updates"])
        for item, value in snapshot["biases"].items():
            if item in keys:
                self.correction.biases[keys[item]] = value

    def _move_bias(self, key: int, step: float) -> None:
        biases = self.correction.biases
        value = biases.get(key, 0.0) * (1.0 - self.decay) + step
        biases[key] = min(self.bound, max(-self.bound, value))
        biases.move_to_end(key)
        if len(biases) > self.kept_biases:
            biases.popitem(last=False)

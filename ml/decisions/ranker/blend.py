"""How much each feature counts: a ranker learned from the log, and a small correction learned online.

The score of a candidate is that of the learned ranker (gradient-boosted trees, LambdaRank) plus a linear
correction and a bias of the item. Correction and biases move with each opening that follows an answer; they are
bounded, can be taken back, and snapshots of them are kept.
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

PRIOR_WEIGHTS = {"next_7d": 4.0, "near_4h": 1.0, "popular_30m": 0.6, "popular_2h": 0.3, "personal": 0.5}
CORRECTED = (
    "popular_5m", "popular_30m", "popular_8h", "next_30m", "next_7d", "near_4h", "age", "category_share",
    "same_category", "personal", "trend", "scope_device", "scope_region", "after_category",
)  # fmt: skip
_CORRECTED = np.array([NAMES.index(name) for name in CORRECTED])
_PRIOR = np.array([PRIOR_WEIGHTS.get(name, 0.0) for name in NAMES])
RANKER_FILE = "ranker.txt"
BLEND_FILE = "blend.json"


class Blend:
    """Scores candidates.

    Args:
        ranker: the learned trees, None where the log was too short to learn from: then PRIOR_WEIGHTS count.
        means, deviations: float64 (len(NAMES),) of the features in training.
        scale: standard deviation of the ranker's scores in training, which turns them into logits.
        figures: how it was learned and how well it did; goes into the bundle's manifest.
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
    def prior(cls) -> Blend:
        """What counts before anything was learned."""
        return cls(ranker=None, means=np.zeros(len(NAMES)), deviations=np.ones(len(NAMES)))

    @property
    def questions(self) -> int:
        """How many questions it was learned from."""
        return int(self.figures.get("questions", 0))

    def base(self, rows: F32) -> F64:
        """Score of each candidate before the correction, float64 (n,)."""
        if self.ranker is not None:
            scores = self.ranker.predict(rows, num_threads=1)
            return np.asarray(scores, dtype=np.float64) / self.scale
        return np.asarray(rows @ _PRIOR, dtype=np.float64)

    def inputs(self, rows: F32) -> F64:
        """Standardised features of the correction, clipped to ±4: float64 (n, len(CORRECTED))."""
        columns = _CORRECTED
        return np.asarray(np.clip((rows[:, columns] - self.means[columns]) / self.deviations[columns], -4.0, 4.0))

    def save(self, folder: Path) -> None:
        """Write the blend to a folder; the trees as LightGBM's own text."""
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
    def load(cls, folder: Path) -> Blend:
        """Read what `save` wrote.

        Raises:
            ValueError: it was learned on other features than this version makes.
        """
        document = json.loads((folder / BLEND_FILE).read_text(encoding="utf-8"))
        if document["features"] != list(NAMES):
            raise ValueError(f"{folder}: the blend was learned on other features; publish again")
        file = folder / RANKER_FILE
        return cls(
            ranker=lgb.Booster(model_file=str(file)) if file.exists() else None,
            means=np.array(document["means"]),
            deviations=np.array(document["deviations"]),
            scale=float(document["scale"]),
            figures=document["figures"],
        )


@dataclass
class Correction:
    """What is learned online: weights of the standardised features, and biases of items by key."""

    weights: F64 = field(default_factory=lambda: np.zeros(len(CORRECTED)))
    biases: OrderedDict[int, float] = field(default_factory=OrderedDict)
    updates: int = 0


class OnlineLearner:
    """Moves a correction by stochastic gradient steps on the listwise softmax of one answer.

    Args:
        rate: step of the weights; biases take ten times that.
        bound: largest size of a weight or bias.
        decay: share by which weights shrink back to zero with every step.
        biases: item biases that are kept; the least recent go first.
    """

    def __init__(self, *, rate: float, bound: float, decay: float, biases: int = 20_000) -> None:
        self.rate = rate
        self.bound = bound
        self.decay = decay
        self.kept_biases = biases
        self.correction = Correction()

    def scores(self, base: F64, inputs: F64, keys: list[int]) -> F64:
        """Base scores with the correction, float64 (n,); without the items' biases where no keys are given."""
        bias = self.correction.biases
        own = np.array([bias.get(key, 0.0) for key in keys]) if keys else 0.0
        return np.asarray(base + inputs @ self.correction.weights + own)

    def learn(self, base: F64, inputs: F64, keys: list[int], chosen: int) -> None:
        """One step: of the candidates `keys`, the one at place `chosen` was opened."""
        scores = self.scores(base, inputs, keys)
        chances = np.exp(scores - scores.max())
        chances /= chances.sum()
        gradient = inputs[chosen] - chances @ inputs
        weights = self.correction.weights * (1.0 - self.decay) + self.rate * gradient
        self.correction.weights = np.clip(weights, -self.bound, self.bound)
        heaviest = np.argsort(-chances)[:10].tolist()
        for place in {chosen, *heaviest}:
            step = (1.0 if place == chosen else 0.0) - float(chances[place])
            self._move_bias(keys[place], 10.0 * self.rate * step)
        self.correction.updates += 1

    def snapshot(self, names: list[str]) -> dict[str, Any]:
        """The correction as plain JSON; biases by item id. `names` gives the id of each key."""
        return {
            "features": list(CORRECTED),
            "weights": self.correction.weights.tolist(),
            "biases": {names[key]: round(value, 6) for key, value in self.correction.biases.items()},
            "updates": self.correction.updates,
        }

    def restore(self, snapshot: dict[str, Any] | None, keys: dict[str, int]) -> None:
        """Go back to a snapshot; None, or one of other features, means to nothing learned."""
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

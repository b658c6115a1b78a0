"""Weights as confidence: how much more an interaction of a large weight says than one of a small weight.

Weights come in units of all kinds: plays, seconds, purchases, points. A scale is learned from the weights
themselves, so that their unit makes no difference, and confidences are 1 on average, so that the parameters of a
model keep their meaning. Weights that are all equal give confidences of exactly 1.

Of the scalings, `bm25` ranked best on two sets of purchases and page views, whatever the model: a user who does
everything often says no more than one who does everything once, and few outliers decide nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias, get_args

import numpy as np
from scipy import sparse

from ml.arrays import F64
from ml.errors import InvalidInputError

WeightScaling: TypeAlias = Literal["binary", "linear", "log", "bm25"]
"""`binary`: every interaction counts the same. `linear`: twice the weight is twice the confidence. `log`:
confidence grows with the logarithm (Hu, Koren, Volinsky 2008, equation 6). `bm25`: confidence approaches a limit,
the sooner the smaller the weights of the user are (Robertson, Walker 1994; without the part for rare items)."""
WEIGHT_SCALINGS: tuple[WeightScaling, ...] = get_args(WeightScaling)

SATURATION, USER_SHARE = 2.0, 0.75  # k1 and b of BM25, in the range that is usual for texts


@dataclass(frozen=True)
class WeightScale:
    """What a scaling has learned of the weights of a training.

    Attributes:
        kind: How weights become confidences.
        typical: Geometric mean of the weights: the weight of a typical interaction.
        user_mean: Mean over users of the mean weight of a user.
        level: Mean of the scaled weights before they are divided by it.
    """

    kind: WeightScaling
    typical: float = 1.0
    user_mean: float = 1.0
    level: float = 1.0

    @classmethod
    def learn(cls, weights: sparse.csr_matrix, kind: WeightScaling) -> WeightScale:
        """Learn a scale from weights.

        Args:
            weights: CSR (n_users, n_items) of positive weights.
            kind: How weights become confidences.

        Raises:
            InvalidInputError: There is no such scaling.
        """
        if kind not in WEIGHT_SCALINGS:
            raise InvalidInputError(f"weight_scaling {kind!r}; there are {', '.join(WEIGHT_SCALINGS)}")
        values = weights.data.astype(np.float64)
        if kind == "binary" or not len(values):
            return cls(kind)
        if values.min() == values.max():
            typical = user_mean = float(values[0])
        else:
            means = _user_means(weights)
            typical, user_mean = float(np.exp(np.log(values).mean())), float(means[means > 0].mean())
        relative = cls(kind, typical, user_mean)
        return cls(kind, typical, user_mean, float(relative._scaled(weights).mean()))

    def confidences(self, weights: sparse.csr_matrix) -> sparse.csr_matrix:
        """Scale weights of any users on the same items.

        Args:
            weights: CSR (b, n_items) of positive weights in the unit of the training.

        Returns:
            CSR float32 (b, n_items), 1 for a weight that says as much as the average of the training.
        """
        data = (self._scaled(weights) / self.level).astype(np.float32)
        return sparse.csr_matrix((data, weights.indices, weights.indptr), weights.shape)

    def _scaled(self, weights: sparse.csr_matrix) -> F64:
        """Scaled weights in the order of `weights.data`."""
        relative = weights.data.astype(np.float64) / self.typical
        if self.kind == "bm25":
            length = np.repeat(_user_means(weights) / self.user_mean, np.diff(weights.indptr))
            damping = SATURATION * (1 - USER_SHARE + USER_SHARE * length)
            return np.asarray(relative * (SATURATION + 1) / (relative + damping))
        return _CURVES[self.kind](relative)

    def to_list(self) -> list[Any]:
        """The arguments that make this scale again, as plain values."""
        return [self.kind, self.typical, self.user_mean, self.level]


_CURVES: dict[str, Callable[[F64], F64]] = {"binary": np.ones_like, "linear": np.positive, "log": np.log1p}


def _user_means(weights: sparse.csr_matrix) -> F64:
    """Mean weight of each user, 0 without one: float64 (n_users,)."""
    lengths = np.diff(weights.indptr)
    rows = np.repeat(np.arange(weights.shape[0]), lengths)
    sums = np.bincount(rows, weights.data.astype(np.float64), minlength=weights.shape[0])
    return np.asarray(sums / np.maximum(lengths, 1))

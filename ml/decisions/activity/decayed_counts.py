"""Counts that decay with time, for many keys and several half-lives at once."""

from __future__ import annotations

import numpy as np

from ml.arrays import F64, I64

MAX_EXPONENT = 512.0


class DecayedCounts:
    """Exponentially decayed counts of the keys 0 … n.

    A weight is stored multiplied by 2^(time / half-life) from an origin, so that the passing of time costs
    nothing. The origin moves before the numbers grow too large.

    Args:
        half_lives: Seconds, the shortest first.
    """

    def __init__(self, half_lives: tuple[float, ...]) -> None:
        self.half_lives = np.array(half_lives)
        self.weights: F64 = np.zeros((1024, len(half_lives)))
        self.mass: F64 = np.zeros(len(half_lives))
        self.origin: float | None = None

    def add(self, key: int, at: float, amount: F64 | float = 1.0) -> None:
        """Count a key at time `at` (Unix seconds).

        Args:
            key: The key that is counted.
            at: The time in Unix seconds.
            amount: How much is added, for all half-lives or float64 (half-lives,).
        """
        if self.origin is None:
            self.origin = at
        exponent = (at - self.origin) / self.half_lives
        if exponent[0] > MAX_EXPONENT:
            scale = np.exp2(np.maximum(-exponent, -1000.0))
            self.weights *= scale
            self.mass *= scale
            self.origin = at
            exponent = np.zeros(len(self.half_lives))
        if key >= len(self.weights):
            grown = np.zeros((max(key + 1, 2 * len(self.weights)), len(self.half_lives)))
            grown[: len(self.weights)] = self.weights
            self.weights = grown
        weight = np.exp2(exponent) * amount
        row = self.weights[key]
        row += weight
        self.mass += weight

    def shares(self, keys: I64, prior: float = 1.0) -> F64:
        """Return the share of each key in everything that was counted, float64 (n, half-lives).

        Args:
            keys: The keys, int64 (n,).
            prior: The least total that shares are taken of, so that a share of very little is small.
        """
        if self.origin is None:
            return np.zeros((len(keys), len(self.half_lives)))
        is_counted = keys < len(self.weights)
        weights = np.where(is_counted[:, None], self.weights[np.where(is_counted, keys, 0)], 0.0)
        return np.asarray(weights / np.maximum(self.mass, prior))

    def share(self, key: int, column: int) -> float:
        """Return the share of one key at the half-life of this column."""
        mass = self.mass[column]
        return float(self.weights[key, column] / mass) if key < len(self.weights) and mass > 0 else 0.0

    def top(self, column: int, k: int, among: I64 | None = None) -> I64:
        """Return the k keys with most weight at the half-life of this column, best first, ties by key.

        Args:
            column: The index of the half-life.
            k: The largest number of keys to return.
            among: Distinct keys to choose from; None for all.
        """
        weights = self.weights[:, column] if among is None else self.weights[among, column]
        k = min(k, len(weights))
        if k == 0:
            return np.zeros(0, dtype=np.int64)
        least = max(float(np.partition(weights, len(weights) - k)[len(weights) - k]), np.nextafter(0.0, 1.0))
        positions = np.flatnonzero(weights >= least)
        keys = positions if among is None else among[positions]
        return np.asarray(keys[np.lexsort((keys, -weights[positions]))][:k], dtype=np.int64)

"""Counts that fade with time, for many keys and several half-lives at once."""

from __future__ import annotations

import numpy as np

from ml.arrays import F64, I64

MAX_EXPONENT = 512.0


class DecayedCounts:
    """Exponentially decayed counts of keys 0 … n.

    A weight is kept multiplied by 2^(time / half-life) from an origin, so that time costs nothing; the origin
    moves before the numbers grow too large.

    Args:
        half_lives: seconds, the shortest first.
    """

    def __init__(self, half_lives: tuple[float, ...]) -> None:
        self.half_lives = np.array(half_lives)
        self.weights: F64 = np.zeros((1024, len(half_lives)))
        self.mass: F64 = np.zeros(len(half_lives))
        self.origin: float | None = None

    def add(self, key: int, at: float, counted: F64 | float = 1.0) -> None:
        """Count `key` at time `at` (Unix seconds); `counted` says how much, for all columns or for each."""
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
        weight = np.exp2(exponent) * counted
        row = self.weights[key]
        row += weight
        self.mass += weight

    def shares(self, keys: I64, prior: float = 1.0) -> F64:
        """Share of each key in all that was counted, float64 (n, half-lives).

        Args:
            prior: counts that nobody had, added to the whole: a share of little is little.
        """
        if self.origin is None:
            return np.zeros((len(keys), len(self.half_lives)))
        known = keys < len(self.weights)
        weights = np.where(known[:, None], self.weights[np.where(known, keys, 0)], 0.0)
        return np.asarray(weights / np.maximum(self.mass, prior))

    def share(self, key: int, place: int) -> float:
        """Share of one key at the half-life of this place."""
        mass = self.mass[place]
        return float(self.weights[key, place] / mass) if key < len(self.weights) and mass > 0 else 0.0

    def top(self, place: int, k: int, among: I64 | None = None) -> I64:
        """The k keys with most weight at the half-life of this place, best first, ties by key.

        Args:
            among: distinct keys to choose from; None for all.
        """
        column = self.weights[:, place] if among is None else self.weights[among, place]
        k = min(k, len(column))
        if k == 0:
            return np.zeros(0, dtype=np.int64)
        least = max(float(np.partition(column, len(column) - k)[len(column) - k]), np.nextafter(0.0, 1.0))
        places = np.flatnonzero(column >= least)
        keys = places if among is None else among[places]
        return np.asarray(keys[np.lexsort((keys, -column[places]))][:k], dtype=np.int64)

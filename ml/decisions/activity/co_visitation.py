"""Decayed co-visitation: which items are opened after which, updated with each opening."""

from __future__ import annotations

import numpy as np

from ml.arrays import F64, I64

MAX_EXPONENT = 512.0


class ItemNeighbours:
    """Decayed weights of the items that go with one item.

    Attributes:
        keys: int64 (capacity,), of which the first `size` count.
        weights: float64 (capacity, half-lives), of which the first `size` rows count.
        mass: float64 (half-lives,), all weight that was ever added, decayed.
        positions: Row of each key.
        size: Number of neighbours.
    """

    __slots__ = ("keys", "mass", "positions", "size", "weights")

    def __init__(self, half_lives: int) -> None:
        self.keys = np.zeros(4, dtype=np.int64)
        self.weights = np.zeros((4, half_lives))
        self.mass = np.zeros(half_lives)
        self.positions: dict[int, int] = {}
        self.size = 0

    def add(self, key: int, weight: F64, limit: int) -> None:
        """Add weight to a neighbour; the lightest half is dropped when there are `limit` of them."""
        position = self.positions.get(key)
        if position is None:
            if self.size == limit:
                self._keep_heaviest(limit // 2)
            if self.size == len(self.keys):
                self.keys = np.concatenate([self.keys, np.zeros_like(self.keys)])
                self.weights = np.concatenate([self.weights, np.zeros_like(self.weights)])
            position = self.positions[key] = self.size
            self.keys[position] = key
            self.weights[position] = 0.0
            self.size += 1
        row = self.weights[position]  # a view: faster than adding in place by index
        row += weight
        self.mass += weight

    def _keep_heaviest(self, count: int) -> None:
        keep = np.sort(np.argpartition(-self.weights[: self.size, -1], count)[:count])
        self.keys[:count] = self.keys[keep]
        self.weights[:count] = self.weights[keep]
        self.size = count
        self.positions = {int(key): position for position, key in enumerate(self.keys[:count])}


class CoVisitation:
    """For each item, what was opened with it, at several half-lives at once.

    A decaying weight is stored multiplied by 2^(time / half-life) from a common origin, so that an event costs one
    addition. The origin moves before the numbers grow too large.

    Args:
        half_lives: Seconds, ascending. Neighbours are kept by their weight at the longest.
        limit: Neighbours that are kept for each item.
    """

    def __init__(self, half_lives: tuple[float, ...], limit: int = 256) -> None:
        self.half_lives = np.array(half_lives)
        self.limit = limit
        self.neighbours: dict[int, ItemNeighbours] = {}
        self.origin: float | None = None

    def unit(self, at: float) -> F64:
        """Return the weight of one event at time `at` (Unix seconds) as `add` takes it, float64 (half-lives,)."""
        if self.origin is None:
            self.origin = at
        exponent = (at - self.origin) / self.half_lives
        if exponent[0] > MAX_EXPONENT:
            self._move_origin(at)
            exponent = np.zeros(len(self.half_lives))
        return np.exp2(exponent)

    def add(self, item: int, follower: int, weight: F64) -> None:
        """Count that `follower` was opened after `item`; `weight` is a multiple of the moment's `unit`."""
        neighbours = self.neighbours.get(item)
        if neighbours is None:
            neighbours = self.neighbours[item] = ItemNeighbours(len(self.half_lives))
        neighbours.add(follower, weight, self.limit)

    def followers(self, item: int, at: float) -> tuple[I64, F64]:
        """Return the followers of an item, int64 (n,), and their weights at `at`, float64 (n, half-lives)."""
        neighbours = self.neighbours.get(item)
        if neighbours is None or self.origin is None:
            return np.zeros(0, dtype=np.int64), np.zeros((0, len(self.half_lives)))
        size = neighbours.size
        return neighbours.keys[:size], neighbours.weights[:size] * self.scale(at)

    def scale(self, at: float) -> F64:
        """Return the factor that turns stored weights into weights at `at`, float64 (half-lives,)."""
        if self.origin is None:
            return np.ones(len(self.half_lives))
        return np.asarray(np.exp2(np.clip((self.origin - at) / self.half_lives, -1000.0, 0.0)))

    def _move_origin(self, at: float) -> None:
        assert self.origin is not None
        scale = np.exp2(np.maximum((self.origin - at) / self.half_lives, -1000.0))
        for item, neighbours in list(self.neighbours.items()):
            neighbours.weights *= scale
            neighbours.mass *= scale
            if neighbours.mass[-1] < 1e-6:
                del self.neighbours[item]
        self.origin = at

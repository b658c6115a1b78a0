"""What is opened after what: decayed co-visitation, updated click by click."""

from __future__ import annotations

import numpy as np

from ml.arrays import F64, I64

MAX_EXPONENT = 512.0


class Neighbours:
    """Decayed weights of the items that go with one item: `keys` int64 (n,), `weights` float64 (n, half-lives)."""

    __slots__ = ("keys", "mass", "places", "size", "weights")

    def __init__(self, half_lives: int) -> None:
        self.keys = np.zeros(4, dtype=np.int64)
        self.weights = np.zeros((4, half_lives))
        self.mass = np.zeros(half_lives)
        self.places: dict[int, int] = {}
        self.size = 0

    def add(self, key: int, weight: F64, limit: int) -> None:
        """Add `weight` to a neighbour; the lightest half goes when there are `limit` of them."""
        place = self.places.get(key)
        if place is None:
            if self.size == limit:
                self._keep_heaviest(limit // 2)
            if self.size == len(self.keys):
                self.keys = np.concatenate([self.keys, np.zeros_like(self.keys)])
                self.weights = np.concatenate([self.weights, np.zeros_like(self.weights)])
            place = self.places[key] = self.size
            self.keys[place] = key
            self.weights[place] = 0.0
            self.size += 1
        row = self.weights[place]  # a view: faster than adding in place by index
        row += weight
        self.mass += weight

    def _keep_heaviest(self, count: int) -> None:
        keep = np.sort(np.argpartition(-self.weights[: self.size, -1], count)[:count])
        self.keys[:count] = self.keys[keep]
        self.weights[:count] = self.weights[keep]
        self.size = count
        self.places = {int(key): place for place, key in enumerate(self.keys[:count])}


class Follows:
    """For each item, what was opened right after it, at several half-lives at once.

    A weight that decays is kept multiplied by 2^(time / half-life) from a common origin, so that adding is all
    that an event costs; the origin moves before the numbers grow too large.

    Args:
        half_lives: seconds, ascending; neighbours are kept by the longest.
        limit: neighbours kept per item.
    """

    def __init__(self, half_lives: tuple[float, ...], limit: int = 256) -> None:
        self.half_lives = np.array(half_lives)
        self.limit = limit
        self.of: dict[int, Neighbours] = {}
        self.origin: float | None = None

    def unit(self, at: float) -> F64:
        """Weight of one event at time `at` (Unix seconds), to be given to `add`: float64 (half-lives,)."""
        if self.origin is None:
            self.origin = at
        exponent = (at - self.origin) / self.half_lives
        if exponent[0] > MAX_EXPONENT:
            self._move_origin(at)
            exponent = np.zeros(len(self.half_lives))
        return np.exp2(exponent)

    def add(self, item: int, follower: int, weight: F64) -> None:
        """`follower` was opened after `item`; `weight` is a multiple of the moment's `unit`."""
        neighbours = self.of.get(item)
        if neighbours is None:
            neighbours = self.of[item] = Neighbours(len(self.half_lives))
        neighbours.add(follower, weight, self.limit)

    def after(self, item: int, at: float) -> tuple[I64, F64]:
        """Followers of an item and their weights as of `at`: int64 (n,), float64 (n, half-lives)."""
        neighbours = self.of.get(item)
        if neighbours is None or self.origin is None:
            return np.zeros(0, dtype=np.int64), np.zeros((0, len(self.half_lives)))
        size = neighbours.size
        return neighbours.keys[:size], neighbours.weights[:size] * self.scale(at)

    def scale(self, at: float) -> F64:
        """What turns stored weights into weights as of `at`: float64 (half-lives,)."""
        if self.origin is None:
            return np.ones(len(self.half_lives))
        return np.asarray(np.exp2(np.clip((self.origin - at) / self.half_lives, -1000.0, 0.0)))

    def _move_origin(self, at: float) -> None:
        assert self.origin is not None
        scale = np.exp2(np.maximum((self.origin - at) / self.half_lives, -1000.0))
        for item, neighbours in list(self.of.items()):
            neighbours.weights *= scale
            neighbours.mass *= scale
            if neighbours.mass[-1] < 1e-6:
                del self.of[item]
        self.origin = at

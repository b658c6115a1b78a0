"""Counts over a sliding window, in memory that is bounded by what happened within it."""

from __future__ import annotations

from collections import deque

BUCKETS = 60


class WindowedCounts:
    """Counts keys over the last `window_seconds`, to the width of one of 60 buckets.

    The window follows the times of the events. A question about a later moment than the newest event does not move
    it.
    """

    def __init__(self, window_seconds: float) -> None:
        self.window_seconds = window_seconds
        self.width = window_seconds / BUCKETS
        self.total: dict[int, float] = {}
        self.mass = 0.0
        self._buckets: deque[tuple[int, dict[int, float]]] = deque()

    def add(self, key: int, at: float, weight: float = 1.0) -> None:
        """Count a key at time `at` (Unix seconds). A time before the window is ignored."""
        number = int(at // self.width)
        if not self._buckets or number > self._buckets[-1][0]:
            self._buckets.append((number, {}))
            self._expire(number)
        elif number <= self._buckets[-1][0] - BUCKETS:
            return
        bucket = self._bucket(number)
        bucket[key] = bucket.get(key, 0.0) + weight
        self.total[key] = self.total.get(key, 0.0) + weight
        self.mass += weight

    def at(self, moment: float) -> dict[int, float]:
        """Return the counts of the window that ends at `moment`, by key."""
        number = int(moment // self.width)
        if self._is_whole(number):
            return self.total
        counts: dict[int, float] = {}
        for bucket_number, bucket in self._buckets:
            if number - BUCKETS < bucket_number <= number:
                for key, weight in bucket.items():
                    counts[key] = counts.get(key, 0.0) + weight
        return counts

    def count(self, key: int, moment: float) -> float:
        """Return the count of one key in the window that ends at `moment`."""
        number = int(moment // self.width)
        if self._is_whole(number):
            return self.total.get(key, 0.0)
        return sum(
            bucket.get(key, 0.0)
            for bucket_number, bucket in self._buckets
            if number - BUCKETS < bucket_number <= number
        )

    def _is_whole(self, number: int) -> bool:
        return not self._buckets or self._buckets[-1][0] <= number < self._buckets[0][0] + BUCKETS

    def _bucket(self, number: int) -> dict[int, float]:
        for bucket_number, bucket in reversed(self._buckets):
            if bucket_number == number:
                return bucket
            if bucket_number < number:
                break
        fresh: dict[int, float] = {}
        later = [pair for pair in self._buckets if pair[0] > number]
        earlier = [pair for pair in self._buckets if pair[0] < number]
        self._buckets = deque([*earlier, (number, fresh), *later])
        return fresh

    def _expire(self, newest: int) -> None:
        while self._buckets[0][0] <= newest - BUCKETS:
            for key, weight in self._buckets.popleft()[1].items():
                left = self.total[key] - weight
                self.mass -= weight
                if left > 1e-9:
                    self.total[key] = left
                else:
                    del self.total[key]

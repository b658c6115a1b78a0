"""A share of the time for work that can wait."""

from __future__ import annotations

from collections.abc import Callable


class TimeBudget:
    """What may be spent is a share of the time that passes; what is not spent is saved, up to a bound.

    Args:
        share: of the time.
        most_seconds: that may be saved, and that there are at first: what one burst may take at once.
        clock: seconds, such as `time.perf_counter`.
    """

    def __init__(self, share: float, most_seconds: float, clock: Callable[[], float]) -> None:
        self.share = share
        self.most_seconds = most_seconds
        self.clock = clock
        self._saved = most_seconds
        self._looked_at = clock()

    def has_some(self) -> bool:
        """Whether there is anything left to spend."""
        now = self.clock()
        self._saved = min(self.most_seconds, self._saved + self.share * (now - self._looked_at))
        self._looked_at = now
        return self._saved > 0.0

    def spend(self, seconds: float) -> None:
        """Take from what there is; the last one may take more than was left, and the next wait for it."""
        self._saved -= seconds

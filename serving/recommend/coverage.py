"""How much of the catalogue the latest answers showed."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Sequence

from serving.observability.metrics import COVERAGE
from serving.recommend.ranking import Ranking

ANSWERS = 10_000
TOLD_EVERY = 100


class Coverage:
    """Counts distinct items over the last ANSWERS answers, and tells their share of the bundle's items."""

    def __init__(self) -> None:
        self._answers: deque[tuple[int, ...]] = deque()
        self._times: Counter[int] = Counter()
        self._since_told = 0

    def shown(self, ranking: Ranking, keys: Sequence[int]) -> None:
        """An answer showed these items."""
        self._answers.append(tuple(keys))
        self._times.update(keys)
        if len(self._answers) > ANSWERS:
            for key in self._answers.popleft():
                self._times[key] -= 1
                if not self._times[key]:
                    del self._times[key]
        self._since_told += 1
        if self._since_told >= TOLD_EVERY and ranking.shelf is not None and ranking.shelf.item_ids:
            self._since_told = 0
            COVERAGE.set(len(self._times) / len(ranking.shelf.item_ids))

"""Measures how much of the catalogue the latest answers showed."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Mapping, Sequence

from serving.bundles.served_bundle import ServedBundle
from serving.observability.metrics import COVERAGE

ANSWERS = 10_000
REPORT_EVERY = 100


class CatalogueCoverage:
    """Counts distinct items over the last ANSWERS answers and reports their share of the bundle's items."""

    def __init__(self) -> None:
        self._answers: deque[tuple[int, ...]] = deque()
        self._times: Counter[int] = Counter()
        self._since_report = 0

    @property
    def times(self) -> Mapping[int, int]:
        """How often the latest answers showed each item, by its key."""
        return self._times

    def count_answer(self, bundle: ServedBundle, keys: Sequence[int]) -> None:
        """Count the items of an answer."""
        self._answers.append(tuple(keys))
        self._times.update(keys)
        if len(self._answers) > ANSWERS:
            for key in self._answers.popleft():
                self._times[key] -= 1
                if not self._times[key]:
                    del self._times[key]
        self._since_report += 1
        if self._since_report >= REPORT_EVERY and bundle.index is not None and bundle.index.item_ids:
            self._since_report = 0
            COVERAGE.set(len(self._times) / len(bundle.index.item_ids))

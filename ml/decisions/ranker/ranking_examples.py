"""The examples that the blend is learned from: the candidates of a moment, and which of them was opened.

The settings and the figures of a blend call an example a question.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ml.arrays import F32, I64, Bools

LEARNED_SHARE = 0.25  # of what was not opened: three times the examples then take as long, and rank better


@dataclass(frozen=True)
class RankingExample:
    """The candidates just before one of them was opened.

    Attributes:
        features: float32 (n, features).
        opened: Row of the candidate that was opened.
    """

    features: F32
    opened: int

    def thin(self, generator: np.random.Generator) -> RankingExample:
        """Return the example with a random part of what was not opened, most of which is easy to tell apart."""
        kept = generator.random(len(self.features)) < LEARNED_SHARE
        kept[self.opened] = True
        return RankingExample(self.features[kept], int(kept[: self.opened].sum()))


@dataclass(frozen=True)
class ReplayedOpening:
    """An opening of the log that the candidates of its moment were ranked for.

    Attributes:
        at: Unix seconds.
        user: Key of the person.
        opened: Row of the item among the candidates; None if it was none.
        features: float32 (n, features) of the candidates; None where the item was none and nobody judges by it.
    """

    at: float
    user: str
    opened: int | None
    features: F32 | None

    @property
    def example(self) -> RankingExample | None:
        """What can be learned from it; nothing if the item was no candidate."""
        return None if self.opened is None or self.features is None else RankingExample(self.features, self.opened)


class ExampleLog:
    """Keeps the newest examples in bounded memory.

    Args:
        kept: Number of examples that are kept.
        judging: Number of the newest examples that are kept whole, so that they can judge; the others are thinned.
        judging_share: Share of the examples that judges while the log is not full.
        seed: Seed of the thinning.

    Attributes:
        since_split: Number of examples added since the last `split`.
    """

    def __init__(self, kept: int, judging: int, judging_share: float, seed: int) -> None:
        self._whole: deque[RankingExample] = deque()
        self._thinned: deque[RankingExample] = deque(maxlen=kept - judging)
        self._judging = judging
        self._judging_share = judging_share
        self._generator = np.random.default_rng(seed)
        self.since_split = 0

    def __len__(self) -> int:
        return len(self._whole) + len(self._thinned)

    def add(self, example: RankingExample) -> None:
        """Add an example; the oldest is dropped if there are too many."""
        self._whole.append(example)
        if len(self._whole) > self._judging:
            self._thinned.append(self._whole.popleft().thin(self._generator))
        self.since_split += 1

    def split(self) -> tuple[list[RankingExample], list[RankingExample]]:
        """Return the examples to learn from and the newest, which judge, each oldest first."""
        whole = list(self._whole)
        count = len(whole) - max(1, min(self._judging, int(self._judging_share * len(self))))
        learned = [*self._thinned, *(example.thin(self._generator) for example in whole[:count])]
        self.since_split = 0
        return learned, whole[count:]


def stack_examples(examples: Sequence[RankingExample]) -> tuple[F32, Bools, I64]:
    """Stack examples into arrays.

    Returns:
        Features, float32 (total, features); which rows were opened, bool (total,); and the number of rows of each
        example, int64 (examples,).
    """
    sizes = np.array([len(example.features) for example in examples])
    opened = np.zeros(int(sizes.sum()), dtype=bool)
    opened[np.r_[0, np.cumsum(sizes)[:-1]] + [example.opened for example in examples]] = True
    return np.vstack([example.features for example in examples]), opened, sizes

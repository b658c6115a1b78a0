"""Questions that the blend is learned from: what could have been opened, and what was."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ml.arrays import F32, I64, Bools

LEARNED_SHARE = 0.25  # of what was not opened: three times the questions then take as long, and rank better


@dataclass(frozen=True)
class AskedQuestion:
    """Candidates as they were just before one of them was opened: float32 (n, features), and which one it was."""

    rows: F32
    opened: int

    def thinned(self, generator: np.random.Generator) -> AskedQuestion:
        """The same with a draw of what was not opened: most of it is easily told from what was."""
        kept = generator.random(len(self.rows)) < LEARNED_SHARE
        kept[self.opened] = True
        return AskedQuestion(self.rows[kept], int(kept[: self.opened].sum()))


class QuestionLog:
    """The newest questions, in bounded memory.

    Args:
        kept: how many.
        judging: how many of them, the newest, are kept whole, so that they can judge; the others are thinned.
        judging_share: of a log that is not full, the share that judges.
        seed: of what is thinned out.
    """

    def __init__(self, kept: int, judging: int, judging_share: float, seed: int) -> None:
        self._whole: deque[AskedQuestion] = deque()
        self._thinned: deque[AskedQuestion] = deque(maxlen=kept - judging)
        self._judging = judging
        self._judging_share = judging_share
        self._generator = np.random.default_rng(seed)
        self.since_split = 0

    def __len__(self) -> int:
        return len(self._whole) + len(self._thinned)

    def add(self, question: AskedQuestion) -> None:
        """Keep one more; the oldest goes where there are too many."""
        self._whole.append(question)
        if len(self._whole) > self._judging:
            self._thinned.append(self._whole.popleft().thinned(self._generator))
        self.since_split += 1

    def split(self) -> tuple[list[AskedQuestion], list[AskedQuestion]]:
        """Those to learn from and the newest, which judge, oldest first; from now on new ones are counted."""
        whole = list(self._whole)
        count = len(whole) - max(1, min(self._judging, int(self._judging_share * len(self))))
        learned = [*self._thinned, *(question.thinned(self._generator) for question in whole[:count])]
        self.since_split = 0
        return learned, whole[count:]


def joined(
    questions: Sequence[AskedQuestion],
) -> tuple[F32, Bools, I64]:
    """Candidates float32 (total, features), which were opened bool (total,), and how many each question has."""
    sizes = np.array([len(question.rows) for question in questions])
    opened = np.zeros(int(sizes.sum()), dtype=bool)
    opened[np.r_[0, np.cumsum(sizes)[:-1]] + [question.opened for question in questions]] = True
    return np.vstack([question.rows for question in questions]), opened, sizes

"""A chain of a group of paths that leans on the chain of all paths."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ml.arrays import F64, Bools
from ml.sequences.paths.backoff import SmoothedCounts, smooth_witten_bell
from ml.sequences.paths.chains import MarkovChain, MoveIndex, Transitions
from ml.sequences.paths.contexts import DistinctMoves


@dataclass(frozen=True)
class GroupChain:
    """The moves of a group after the contexts of a chain, shrunk to the probabilities of that chain.

    Attributes:
        base: The chain of all paths.
        kinds: Whether a path of the group goes on, converts or leaves after the contexts of each level.
        targets: To which state a path of the group goes on after the contexts of each level.
    """

    base: MarkovChain
    kinds: list[SmoothedCounts]
    targets: list[SmoothedCounts]

    @classmethod
    def fit(cls, base: MarkovChain, index: MoveIndex, inside: Bools) -> GroupChain:
        """Count the moves of a group.

        Args:
            base: The chain of all paths.
            index: Moves of paths after the contexts of that chain.
            inside: Which of the paths the group has, (p,).
        """
        numbers = index.moves.count(inside.astype(np.float64))
        return cls(base, smooth_witten_bell(index.kinds, numbers), smooth_witten_bell(index.targets, numbers))

    def score_moves(self, moves: DistinctMoves) -> F64:
        """Return the log-likelihood of each path (p,) of these moves, in nats."""
        rows = moves.rows
        kinds, targets, goes_on = self.base.chances(moves)
        for length, contexts in enumerate(rows):
            is_longest = (contexts >= 0) & (rows[length + 1] < 0 if length + 1 < len(rows) else True)
            chosen = np.where(is_longest, contexts, -1)
            kinds = self.kinds[length].refine(kinds, chosen, moves.kinds)
            targets = self.targets[length].refine(targets, chosen[goes_on], moves.symbols[goes_on])
        likelihood = np.log(kinds)
        likelihood[goes_on] += np.log(targets)
        return moves.sum_by_path(likelihood)

    def transitions(self) -> Transitions:
        """Return the chain of the group as one of order 1 whose states are the contexts that can be reached."""
        kinds, targets = self.base.probabilities()
        return self.base.transitions(
            [counts.probabilities(below) for counts, below in zip(self.kinds, kinds, strict=True)],
            [counts.probabilities(below) for counts, below in zip(self.targets, targets, strict=True)],
        )

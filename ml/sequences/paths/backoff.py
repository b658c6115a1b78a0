"""Probabilities of an outcome after a context, leaning on those after shorter contexts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np

from ml.arrays import F64, I64, Bools
from ml.sequences.paths.contexts import ContextLevel
from ml.sequences.sums import sum_by_group

USUAL_DISCOUNT = 0.5  # where no number is 1; without any, an outcome that was never seen would be impossible


@dataclass(frozen=True)
class Occurrences:
    """Which outcome came after which context of a level, for moves that may be counted with other numbers.

    Attributes:
        shape: Numbers of contexts and of outcomes.
        pairs: The distinct pairs that occur, (u,) ascending: context times the number of outcomes, plus outcome.
        pair_of_move: Position among them of each counted move, (k,).
        is_counted: Which moves have a context and an outcome, (m,).
        is_longest: Which of the counted moves have no longer context, (k,).
        shorter: Position, in the level before, of each pair without the first state of its context, (u,).
    """

    shape: tuple[int, int]
    pairs: I64
    pair_of_move: I64
    is_counted: Bools
    is_longest: Bools
    shorter: I64

    @classmethod
    def of_levels(
        cls, rows_of_levels: list[I64], levels: list[ContextLevel], outcomes: I64, n_outcomes: int
    ) -> list[Self]:
        """Find the pairs of each level.

        Args:
            rows_of_levels: Context of each move at each level, (m,) each; -1 where it is not known.
            levels: Contexts by their length, from 0.
            outcomes: What came, (m,); -1 where nothing came that is counted.
            n_outcomes: Number of different outcomes.
        """
        occurrences: list[Self] = []
        for length, (rows, level) in enumerate(zip(rows_of_levels, levels, strict=True)):
            is_counted = (rows >= 0) & (outcomes >= 0)
            pairs, inverse = np.unique(rows[is_counted] * n_outcomes + outcomes[is_counted], return_inverse=True)
            is_last = length + 1 == len(levels)
            is_longest = np.ones(len(inverse), bool) if is_last else rows_of_levels[length + 1][is_counted] < 0
            shorter = level.parents[pairs // max(n_outcomes, 1)] * n_outcomes + pairs % max(n_outcomes, 1)
            places = (
                np.searchsorted(occurrences[-1].pairs, shorter) if occurrences else np.zeros(len(pairs), np.int64)
            )
            shape = (len(level), n_outcomes)
            occurrences.append(cls(shape, pairs, inverse.astype(np.int64), is_counted, is_longest, places))
        return occurrences

    def count(self, numbers: F64, only_longest: bool = False) -> F64:
        """Count the pairs (u,); each move (m,) occurs so often."""
        of_moves = numbers[self.is_counted]
        chosen = self.is_longest if only_longest else slice(None)
        return sum_by_group(self.pair_of_move[chosen], of_moves[chosen], len(self.pairs))


@dataclass(frozen=True)
class SmoothedCounts:
    """How often each outcome followed each context of a level, and how much the level leans on the shorter one.

    With `n` moves after a context, `d` different outcomes among them and `n_y` times the outcome `y`, its
    probability is `(n_y - D + L · q_y) / (n - D · d + L)`, where `q_y` is that after the shorter context.

    Attributes:
        shape: Numbers of contexts and of outcomes.
        pairs: The pairs that occur, (u,) ascending: context times the number of outcomes, plus outcome.
        numbers: How often each of them did, (u,).
        discount: What is taken from each number, D.
        leaning: Weight of the shorter context, L, in moves, (contexts,).
        whole: The denominator, (contexts,).
    """

    shape: tuple[int, int]
    pairs: I64
    numbers: F64
    discount: float
    leaning: F64
    whole: F64

    @classmethod
    def of(cls, occurrences: Occurrences, numbers: F64, discount: float, leaning: float) -> Self:
        """Smooth numbers (u,) of pairs; `leaning` is in moves for each different outcome."""
        context = occurrences.pairs // max(occurrences.shape[1], 1)
        totals = sum_by_group(context, numbers, occurrences.shape[0])
        different = sum_by_group(context, numbers > 0, occurrences.shape[0])
        weights = leaning * different
        whole = totals - discount * different + weights
        return cls(occurrences.shape, occurrences.pairs, numbers, discount, weights, whole)

    def refine(self, chances: F64, rows: I64, outcomes: I64) -> F64:
        """Return the chances of moves after contexts that are one state longer.

        Args:
            chances: Chance of each move after the shorter context, (m,).
            rows: The longer context of each move, (m,), or -1 where it is not known.
            outcomes: What came, (m,).
        """
        if not self.shape[0]:
            return chances
        mixed = self._mix(self._look_up(rows, outcomes), self.leaning[rows], self.whole[rows], chances)
        return np.where(rows >= 0, mixed, chances)

    def probabilities(self, below: F64) -> F64:
        """Return the probability of every outcome after every context from those after the shorter, (c, o)."""
        dense = np.zeros(self.shape[0] * self.shape[1])
        dense[self.pairs] = self.numbers
        return self._mix(dense.reshape(self.shape), self.leaning[:, None], self.whole[:, None], below)

    def _mix(self, seen: F64, leaning: F64, whole: F64, below: F64) -> F64:
        kept = np.maximum(seen - self.discount, 0.0) + leaning * below
        return np.where(whole > 0, kept / np.where(whole > 0, whole, 1.0), below)

    def _look_up(self, rows: I64, outcomes: I64) -> F64:
        if not len(self.pairs):
            return np.zeros(len(rows))
        keys = rows * self.shape[1] + outcomes
        places = np.minimum(np.searchsorted(self.pairs, keys), len(self.pairs) - 1)
        return np.where(self.pairs[places] == keys, self.numbers[places], 0.0)


def smooth_witten_bell(levels: list[Occurrences], numbers: F64, smooths: bool = True) -> list[SmoothedCounts]:
    """Lean on shorter contexts as much as a context showed different outcomes, for few and frequent outcomes.

    Source: Witten and Bell, IEEE Transactions on Information Theory 37, 1991.

    Args:
        levels: Pairs of context and outcome by the length of the context.
        numbers: How often each move occurs, (m,).
        smooths: Whether to smooth at all; otherwise the observed shares are kept.
    """
    leaning = 1.0 if smooths else 0.0
    return [SmoothedCounts.of(level, level.count(numbers), 0.0, leaning) for level in levels]


def smooth_kneser_ney(levels: list[Occurrences], numbers: F64, smooths: bool = True) -> list[SmoothedCounts]:
    """Interpolate shorter contexts that count an outcome once for each longer context, for many and rare outcomes.

    Shorter contexts so hold what the longer ones gave away, and the shares of the outcomes over all moves stay
    what they are. The discount is that of Ney, Essen and Kneser (Computer Speech and Language 8, 1994).

    Source: Kneser and Ney, ICASSP 1995; Chen and Goodman, Computer Speech and Language 13, 1999.

    Args:
        levels: Pairs of context and outcome by the length of the context.
        numbers: How often each move occurs, (m,), as whole numbers.
        smooths: Whether to smooth at all; otherwise the observed shares are kept.
    """
    smoothed: list[SmoothedCounts] = []
    from_longer = np.zeros(0)
    for level in reversed(levels):
        of_pairs = level.count(numbers, only_longest=True)
        of_pairs[: len(from_longer)] += from_longer
        once, twice = float((of_pairs == 1).sum()), float((of_pairs == 2).sum())
        discount = (once / (once + 2 * twice) if once else USUAL_DISCOUNT) if smooths else 0.0
        smoothed.append(SmoothedCounts.of(level, of_pairs, discount, discount))
        if len(smoothed) < len(levels):
            from_longer = sum_by_group(level.shorter, of_pairs > 0, 0)
    return smoothed[::-1]


def chances_of_moves(smoothed: list[SmoothedCounts], rows_of_levels: list[I64], outcomes: I64) -> F64:
    """Return the chance of each move (m,), from its context at each level, (m,) each."""
    chances = np.full(len(outcomes), 1.0 / max(smoothed[0].shape[1], 1))
    for counts, rows in zip(smoothed, rows_of_levels, strict=True):
        chances = counts.refine(chances, rows, outcomes)
    return chances


def probabilities_of_contexts(smoothed: list[SmoothedCounts], levels: list[ContextLevel]) -> list[F64]:
    """Return the probability of each outcome after the contexts of each level, (contexts, outcomes) each."""
    n_outcomes = smoothed[0].shape[1]
    below = np.full((1, n_outcomes), 1.0 / max(n_outcomes, 1))
    tables = []
    for counts, level in zip(smoothed, levels, strict=True):
        below = counts.probabilities(below[level.parents])
        tables.append(below)
    return tables

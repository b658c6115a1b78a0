"""Contexts: the last one to `order` states before each step, and how often each state follows them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_array

from ml.arrays import F64, I64, Bools
from ml.sequences.paths.paths import Paths

GOES_ON, CONVERTS, LEAVES = range(3)  # kinds of moves
KINDS = 3
MOST = 400  # contexts of each length; a fundamental matrix of 1,500 nodes takes half a second


@dataclass(frozen=True)
class Moves:
    """Every move of some paths: from the start to the first state, from state to state, and to the end.

    Attributes:
        kinds: Whether each move goes on, converts or leaves, (m,).
        symbols: The state to which each move goes, (m,); -1 at the end of a path.
        previous: The state before, (m,); the number of states s where there is none.
        is_first: Which moves begin a path, (m,).
        path: Number of the path of each move, (m,).
        n_states: Number of states s.
    """

    kinds: I64
    symbols: I64
    previous: I64
    is_first: Bools
    path: I64
    n_states: int

    @classmethod
    def of(cls, paths: Paths) -> Moves:
        """List the moves of paths, path after path in the order of time."""
        n_states, ends = len(paths.states), paths.offsets[1:]
        path = np.repeat(np.arange(len(paths)), paths.lengths + 1)
        is_first = np.zeros(len(path), dtype=bool)
        is_first[paths.offsets[:-1] + np.arange(len(paths))] = True
        symbols = np.insert(paths.codes, ends, -1)
        previous = np.concatenate([[n_states], symbols[:-1]])[: len(symbols)]
        previous[is_first] = n_states
        kinds = np.insert(np.full(len(paths.codes), GOES_ON), ends, np.where(paths.converted, CONVERTS, LEAVES))
        return cls(kinds, symbols, previous, is_first, path, n_states)


@dataclass(frozen=True)
class ContextLevel:
    """The contexts of one length that occur often enough.

    Attributes:
        keys: Each context as one sorted number, (c,): the row of all but its last state in the level before, times
            the number of symbols, plus its last state.
        parents: Row in the level before of each context without its first state, (c,); -1 at length 0.
        last: Last state of each context, (c,); -1 for the context of length 0.
    """

    keys: I64
    parents: I64
    last: I64

    def __len__(self) -> int:
        return len(self.keys)

    def find(self, keys: I64) -> I64:
        """Return the row of each key (m,), or -1."""
        rows = np.searchsorted(self.keys, keys)
        rows[rows == len(self.keys)] = 0
        return np.where(self.keys[rows] == keys, rows, -1) if len(self.keys) else np.full(len(keys), -1)


ROOT = ContextLevel(np.zeros(1, np.int64), np.full(1, -1), np.full(1, -1))


def learn_contexts(moves: Moves, order: int, minimum: int) -> list[ContextLevel]:
    """Find the contexts of 0 to `order` states that occur before at least `minimum` moves.

    A context of length 1 is always kept, so that each state has one. Of the longer ones of each length the `MOST`
    most frequent are kept, so that the fundamental matrix stays small.
    """
    levels, base = [ROOT], moves.n_states + 1
    shorter = np.zeros(len(moves.symbols), dtype=np.int64)
    for length in range(1, order + 1):
        keys = _extend(shorter, moves, base)
        is_known = keys >= 0
        size = max(len(levels[-1]), 1) * base  # the start alone is a context of each length
        counts = np.bincount(keys[is_known], minlength=size)
        unique = np.flatnonzero(counts)
        counts = counts[unique]
        least = max(minimum, -np.partition(-counts, MOST)[MOST] + 1) if len(counts) > MOST else minimum
        kept = unique[counts >= (1 if length == 1 else least)]
        parents = np.full(size, -1)
        parents[keys[is_known]] = shorter[is_known]
        level = ContextLevel(kept, parents[kept], kept % base)
        levels.append(level)
        shorter = level.find(keys)
    return levels


def locate_contexts(moves: Moves, levels: list[ContextLevel]) -> list[I64]:
    """Return the row of the context of each move (m,) at each level, -1 where it is not known."""
    base = moves.n_states + 1
    rows = [np.zeros(len(moves.symbols), dtype=np.int64)]
    for level in levels[1:]:
        rows.append(level.find(_extend(rows[-1], moves, base)))
    return rows


@dataclass(frozen=True)
class DistinctMoves:
    """The different moves of some paths: those from the same contexts to the same outcome are one.

    A site has some thousands of them, however many visits it has.

    Attributes:
        rows: Context of each distinct move at each level, (u,) each; -1 where it is not known.
        kinds: Whether each goes on, converts or leaves, (u,).
        symbols: The state to which each goes, (u,); -1 at the end of a path.
        by_path: How often each path makes each distinct move, (u, p).
    """

    rows: list[I64]
    kinds: I64
    symbols: I64
    by_path: csr_array

    @classmethod
    def of(cls, paths: Paths, levels: list[ContextLevel]) -> DistinctMoves:
        """Find the distinct moves of paths.

        Args:
            paths: The paths.
            levels: Contexts by their length, from 0.
        """
        moves = Moves.of(paths)
        rows = locate_contexts(moves, levels)
        contexts, n_contexts = rows[0], 0
        for row, level in zip(rows, levels, strict=True):
            # The longest context that is known tells the shorter ones.
            contexts = np.where(row >= 0, row + n_contexts, contexts)
            n_contexts += len(level)
        outcomes = np.where(moves.kinds == GOES_ON, moves.symbols, moves.n_states + moves.kinds)
        keys = contexts * (moves.n_states + KINDS) + outcomes
        occurs = np.zeros(n_contexts * (moves.n_states + KINDS), dtype=bool)
        occurs[keys] = True
        of_moves = (np.cumsum(occurs) - 1)[keys]
        example = np.empty(int(occurs.sum()), dtype=np.int64)
        example[of_moves] = np.arange(len(keys))
        by_path = csr_array((np.ones(len(keys)), (of_moves, moves.path)), shape=(len(example), len(paths)))
        return cls([row[example] for row in rows], moves.kinds[example], moves.symbols[example], by_path)

    def count(self, weights: F64 | None = None) -> F64:
        """Count the distinct moves (u,); each path (p,) has a weight, or counts once."""
        return np.asarray(self.by_path @ (np.ones(self.by_path.shape[1]) if weights is None else weights))

    def sum_by_path(self, values: F64) -> F64:
        """Return the sum of the values (u,) of the moves of each path, (p,)."""
        return np.asarray(self.by_path.T @ values)


def _extend(shorter: I64, moves: Moves, base: int) -> I64:
    """Return keys (m,) of the contexts that are one longer than those of the move before; -1 if unknown.

    The start stands before each path once: a context that it begins does not become longer.
    """
    before = np.concatenate([[0], shorter[:-1]])
    before[moves.is_first] = 0
    return np.where(before >= 0, before * base + moves.previous, -1)

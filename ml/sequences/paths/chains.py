"""Markov chains of order 1 to 4 whose longer contexts lean on the shorter ones."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ml.arrays import F64, I64, Bools
from ml.sequences.paths.backoff import (
    Occurrences,
    SmoothedCounts,
    chances_of_moves,
    probabilities_of_contexts,
    smooth_kneser_ney,
    smooth_witten_bell,
)
from ml.sequences.paths.contexts import (
    CONVERTS,
    GOES_ON,
    KINDS,
    LEAVES,
    ContextLevel,
    DistinctMoves,
    Moves,
    learn_contexts,
)
from ml.sequences.paths.paths import Paths
from ml.sequences.sums import sum_by_group


@dataclass(frozen=True)
class MarkovChain:
    """A chain of variable order: what comes next depends on the longest context that is known.

    A move has two parts: whether the path goes on, converts or leaves, which has few outcomes and is smoothed as
    Witten and Bell do, and the state to which it goes on, which has many and is smoothed as Kneser and Ney do. A
    context that is rarer than `minimum` is not told apart from the shorter one, as in a chain of variable length
    (Bühlmann and Wyner, Annals of Statistics 27, 1999).

    Attributes:
        states: Names of the states, (s,).
        levels: Contexts by their length, from 0 to the order.
        kinds: Whether a path goes on, converts or leaves after the contexts of each level.
        targets: To which state a path goes on after the contexts of each level.
        smooths: Whether longer contexts lean on shorter ones.
    """

    states: tuple[str, ...]
    levels: list[ContextLevel]
    kinds: list[SmoothedCounts]
    targets: list[SmoothedCounts]
    smooths: bool = True

    @property
    def order(self) -> int:
        """Length of the longest contexts."""
        return len(self.levels) - 1

    @classmethod
    def fit(cls, paths: Paths, order: int, minimum: int = 1, smooths: bool = True) -> MarkovChain:
        """Count the moves of paths after contexts of at most `order` states.

        Args:
            paths: The paths.
            order: Length of the longest contexts.
            minimum: Moves from which a context of two states or more is told apart.
            smooths: Whether longer contexts lean on shorter ones; otherwise the observed shares are kept.
        """
        levels = learn_contexts(Moves.of(paths), order, minimum)
        return MoveIndex.of(paths, levels).count(paths.states, smooths=smooths)

    def score(self, paths: Paths) -> F64:
        """Return the log-likelihood of each path (p,), in nats. The paths have the states of the chain."""
        return self.score_moves(DistinctMoves.of(paths, self.levels))

    def score_moves(self, moves: DistinctMoves) -> F64:
        """Return the log-likelihood of each path (p,) of these moves, in nats."""
        chances, targets, goes_on = self.chances(moves)
        chances[goes_on] *= targets
        with np.errstate(divide="ignore"):
            return moves.sum_by_path(np.log(chances))

    def chances(self, moves: DistinctMoves) -> tuple[F64, F64, Bools]:
        """Return the chances of the parts of moves, whose contexts are those of the chain.

        Returns:
            The chance of the kind of each distinct move (u,), the chance of the target of those that go on, and
            which these are (u,).
        """
        goes_on = moves.kinds == GOES_ON
        of_targets = chances_of_moves(self.targets, [row[goes_on] for row in moves.rows], moves.symbols[goes_on])
        return chances_of_moves(self.kinds, moves.rows, moves.kinds), of_targets, goes_on

    def probabilities(self) -> tuple[list[F64], list[F64]]:
        """Return the probabilities of the kinds and of the targets after the contexts of each level."""
        return (
            probabilities_of_contexts(self.kinds, self.levels),
            probabilities_of_contexts(self.targets, self.levels),
        )

    def transitions(self, kinds: list[F64] | None = None, targets: list[F64] | None = None) -> Transitions:
        """Return the chain as one of order 1 whose states are the contexts that can be reached.

        Args:
            kinds: Probability of each kind of move after the contexts of each level; by default that of the chain.
            targets: Probability of each target after them; by default that of the chain.
        """
        if kinds is None or targets is None:
            kinds, targets = self.probabilities()
        n_states = len(self.states)
        offsets = np.cumsum([0, *(len(level) for level in self.levels)])
        following = np.zeros((0, n_states), dtype=np.int64)
        rows = []
        for length, level in enumerate(self.levels):
            following = following[level.parents] if length else np.full((1, n_states), -1)
            if length < self.order:
                keys = np.arange(len(level))[:, None] * (n_states + 1) + np.arange(n_states)
                longer = self.levels[length + 1].find(keys.ravel()).reshape(keys.shape)
                following = np.where(longer >= 0, longer + offsets[length + 1], following)
            rows.append(following)
        of_kinds = np.concatenate(kinds)
        return _reachable(
            of_kinds,
            of_kinds[:, GOES_ON, None] * np.concatenate(targets),
            np.concatenate(rows),
            np.concatenate([level.last for level in self.levels]),
            self._start_node(offsets),
        )

    def _start_node(self, offsets: I64) -> int:
        """Return the node of the longest known context that is only the start."""
        for length in range(self.order, 0, -1):
            row = int(self.levels[length].find(np.array([len(self.states)]))[0])
            if row >= 0:
                return int(offsets[length]) + row
        return 0


@dataclass(frozen=True)
class MoveIndex:
    """The moves of paths by context and outcome, from which chains with other weights are counted quickly."""

    levels: list[ContextLevel]
    moves: DistinctMoves
    kinds: list[Occurrences]
    targets: list[Occurrences]

    @classmethod
    def of(cls, paths: Paths, levels: list[ContextLevel]) -> MoveIndex:
        """Find what came after the contexts of each level."""
        moves = DistinctMoves.of(paths, levels)
        return cls(
            levels,
            moves,
            Occurrences.of_levels(moves.rows, levels, moves.kinds, KINDS),
            Occurrences.of_levels(moves.rows, levels, moves.symbols, len(paths.states)),
        )

    def count(self, states: tuple[str, ...], weights: F64 | None = None, smooths: bool = True) -> MarkovChain:
        """Return the chain of these paths, each of which (p,) has a whole number as weight, or counts once."""
        numbers = self.moves.count(weights)
        return MarkovChain(
            states,
            self.levels,
            smooth_witten_bell(self.kinds, numbers, smooths),
            smooth_kneser_ney(self.targets, numbers, smooths),
            smooths,
        )


@dataclass(frozen=True)
class Transitions:
    """A chain as one of order 1 over nodes, each of which is a context.

    Attributes:
        moves: Probability to go from node to node, (nodes, nodes); dense, as what is made of it is.
        converts: Probability to reach the goal at the next step, (nodes,).
        leaves: Probability to leave at the next step, (nodes,).
        state: The state in which each node is, (nodes,); that of the start is not one of them.
        start: The node before the first step.
    """

    moves: F64
    converts: F64
    leaves: F64
    state: I64
    start: int


def _reachable(kinds: F64, chances: F64, following: I64, state: I64, start: int) -> Transitions:
    """Build the chain over the nodes that can be reached from the start.

    Args:
        kinds: Probability to go on, to convert and to leave after each context, (contexts, 3).
        chances: Probability to go on to each state, (contexts, s).
        following: Context after each state that may come, (contexts, s).
        state: State of each context, (contexts,).
        start: The context before the first step.
    """
    seen = np.zeros(len(following), dtype=bool)
    front = np.array([start])
    while len(front):
        seen[front] = True
        reached = np.zeros(len(following), dtype=bool)
        reached[following[front][chances[front] > 0]] = True
        front = np.flatnonzero(reached & ~seen)
    nodes = np.flatnonzero(seen)
    places = np.full(len(following), -1)
    places[nodes] = np.arange(len(nodes))
    possible = chances[nodes] > 0
    cells = np.nonzero(possible)[0] * len(nodes) + places[following[nodes][possible]]
    moves = sum_by_group(cells, chances[nodes][possible], len(nodes) ** 2).reshape(len(nodes), len(nodes))
    return Transitions(moves, kinds[nodes, CONVERTS], kinds[nodes, LEAVES], state[nodes], int(places[start]))

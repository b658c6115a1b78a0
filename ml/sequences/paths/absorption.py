"""Where paths end: chances, steps and visits from the fundamental matrix, and what is lost without a state.

The two ends absorb. With the moves Q between the other nodes, the fundamental matrix N = (I - Q)^-1 holds the
expected visits to each node (Kemeny and Snell, Finite Markov Chains, 1960, chapter 3).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ml.arrays import F64
from ml.sequences.paths.chains import Transitions
from ml.sequences.sums import sum_by_group


@dataclass(frozen=True)
class Absorption:
    """What a chain says of its states. A state that no path visits has NaN.

    Attributes:
        conversion: Chance of a path to reach the goal.
        chance: Chance to reach the goal from each state, (s,).
        chance_if_staying: The same chance of those who do not leave at the next step, (s,).
        steps: Expected number of steps from each state to the end of the path, (s,).
        visits: Expected number of visits of a path to each state, (s,).
        exits: Share of the paths that leave from each state, (s,).
        removal: Share of the conversions that would be missing without each state, (s,).
    """

    conversion: float
    chance: F64
    chance_if_staying: F64
    steps: F64
    visits: F64
    exits: F64
    removal: F64


def absorb(chain: Transitions, n_states: int) -> Absorption:
    """Solve a chain for its first `n_states` states.

    A state of a chain of higher order is in several nodes; it has their mean, by expected visits.
    """
    fundamental: F64 = np.linalg.inv(np.eye(len(chain.converts)) - chain.moves).astype(np.float64)
    chance, steps, visits = fundamental @ chain.converts, fundamental.sum(axis=1), fundamental[chain.start]
    inside = (chain.state >= 0) & (chain.state < n_states)
    state, weights = chain.state[inside], visits[inside]
    totals = sum_by_group(state, weights, n_states)
    stays = 1.0 - chain.leaves

    def mean(values: F64, weight: F64) -> F64:
        whole = sum_by_group(state, weight[inside], n_states)
        sums = sum_by_group(state, (weight * values)[inside], n_states)
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.where(whole > 0, sums / whole, np.nan)

    with np.errstate(invalid="ignore", divide="ignore"):
        staying = np.where(stays > 0, chance / stays, 0.0)
    return Absorption(
        conversion=float(chance[chain.start]),
        chance=mean(chance, visits),
        chance_if_staying=mean(staying, visits * stays),
        steps=mean(steps, visits),
        visits=totals,
        exits=sum_by_group(state, weights * chain.leaves[inside], n_states),
        removal=_remove(chain, fundamental, chance, n_states),
    )


def _remove(chain: Transitions, fundamental: F64, chance: F64, n_states: int) -> F64:
    """Return the share of conversions lost if paths left in place of entering each state, (s,).

    What is lost is what passes through the nodes C of the state: `v_C · N_CC^-1 · b_C`, with the expected visits v
    of a path and the chances b. Where the state is one node this is the chance to come there, times b.
    """
    lost = np.full(n_states, np.nan)
    conversion = chance[chain.start]
    if conversion <= 0:
        return lost
    inside = np.flatnonzero((chain.state >= 0) & (chain.state < n_states))
    nodes_of_state = np.bincount(chain.state[inside], minlength=n_states)
    alone = inside[nodes_of_state[chain.state[inside]] == 1]
    visits = fundamental[chain.start]
    lost[chain.state[alone]] = visits[alone] * (chance[alone] / fundamental[alone, alone]) / conversion
    for state in np.flatnonzero(nodes_of_state > 1):
        nodes = np.flatnonzero(chain.state == state)
        block = fundamental[np.ix_(nodes, nodes)]
        lost[state] = visits[nodes] @ np.linalg.solve(block, chance[nodes]) / conversion
    return lost

"""The order of a chain, chosen by paths that it did not see."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ml.arrays import F64, Bools
from ml.sequences.paths.chains import MarkovChain
from ml.sequences.paths.paths import Paths
from ml.sequences.sums import sum_by_group

HELD_OUT = 0.2  # share of the paths, the latest ones


@dataclass(frozen=True)
class OrderTrial:
    """What contexts of one length are worth.

    Attributes:
        order: Length of the contexts.
        log_likelihood: Mean over the moves of the held-out paths, in nats.
        gain: How much more than with contexts that are one state shorter.
        standard_error: Of the gain, over people.
        is_chosen: Whether the chain uses contexts of this length.
    """

    order: int
    log_likelihood: float
    gain: float
    standard_error: float
    is_chosen: bool


def choose_chain(
    paths: Paths, most: int, minimum: int = 1, held_out: float = HELD_OUT
) -> tuple[MarkovChain, list[OrderTrial]]:
    """Choose the order of a chain, and fit it to all paths.

    The chain is fitted to the first paths and judged by the log-likelihood of the last ones. Contexts become
    longer as long as that is worth more than one standard error, so that of nearly equal chains the simplest is
    taken (Hastie, Tibshirani and Friedman, The Elements of Statistical Learning, 2009, section 7.10).

    Args:
        paths: The paths, in the order of time.
        most: The highest order that is tried, from 1.
        minimum: Moves from which a context of two states or more is told apart.
        held_out: Share of the paths that judge the chain.

    Returns:
        The chain, and what each order is worth, up to the first that is not worth it. Without held-out paths the
        chain is of order 1.
    """
    is_early = mark_early(len(paths), held_out)
    early, late = paths.take(is_early), paths.take(~is_early)
    if not len(early) or not len(late):
        return MarkovChain.fit(paths, 1, minimum), []
    trials = _try_orders(early, late, most, minimum)
    return MarkovChain.fit(paths, sum(trial.is_chosen for trial in trials), minimum), trials


def mark_early(n_paths: int, held_out: float = HELD_OUT) -> Bools:
    """Mark the paths (n_paths,), in the order of time, to which a chain is fitted; the others judge it."""
    return np.asarray(np.arange(n_paths) < round(n_paths * (1 - held_out)))


def mean_gain(paths: Paths, gains: F64) -> tuple[float, float]:
    """Return the gain in log-likelihood of each move, and its standard error over people; 0 without paths.

    Args:
        paths: The paths that judge.
        gains: Gain of each path, (p,).
    """
    of_people = sum_by_group(paths.people, gains, 0)[np.unique(paths.people)]
    if not len(of_people):
        return 0.0, 0.0
    moves = len(paths.codes) + len(paths)
    return float(of_people.sum() / moves), float(np.sqrt(len(of_people)) * of_people.std() / moves)


def _try_orders(early: Paths, late: Paths, most: int, minimum: int) -> list[OrderTrial]:
    before = MarkovChain.fit(early, 0).score(late)
    moves = len(late.codes) + len(late)
    trials: list[OrderTrial] = []
    for order in range(1, most + 1):
        now = MarkovChain.fit(early, order, minimum).score(late)
        gain, error = mean_gain(late, now - before)
        trials.append(OrderTrial(order, float(now.sum() / moves), gain, error, order == 1 or gain > error))
        if not trials[-1].is_chosen:
            break
        before = now
    return trials

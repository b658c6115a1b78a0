"""How the conversions of journeys are credited to their touches, by six methods.

Each method credits every conversion that a touch preceded exactly once, so that credits add up to the conversions.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from ml.arrays import F64, I64
from ml.sequences.paths.absorption import absorb
from ml.sequences.paths.chains import MarkovChain, MoveIndex
from ml.sequences.paths.paths import Paths, weights_by_person
from ml.sequences.sums import sum_by_group

ENDS = 0.4  # share of the first and of the last touch by position, as analytics products have it
Weighing = Callable[[I64, I64], F64]


def _first(place: I64, length: I64) -> F64:
    return np.asarray(place == 0, dtype=np.float64)


def _last(place: I64, length: I64) -> F64:
    return np.asarray(place == length - 1, dtype=np.float64)


def _linear(place: I64, length: I64) -> F64:
    return 1.0 / length


def _position(place: I64, length: I64) -> F64:
    """Two fifths for the first and the last touch, the rest for those between; halves where there are none."""
    is_end = (place == 0) | (place == length - 1)
    between = (1 - 2 * ENDS) / np.maximum(length - 2, 1)
    whole = np.where(length == 1, 1.0, 0.5)
    return np.where(length <= 2, whole, np.where(is_end, ENDS, between))


BY_PLACE: Mapping[str, Weighing] = {"first": _first, "last": _last, "linear": _linear, "position": _position}

METHODS = (*BY_PLACE, "markov", "shapley")


@dataclass(frozen=True)
class TouchCredit:
    """Shares of the conversions that methods credit to touches, by the name of the method.

    Attributes:
        shares: Share of the conversions of each touch, (s,).
        draws: The same of resampled people, (r, s).
    """

    shares: Mapping[str, F64]
    draws: Mapping[str, F64]


def credit_touches(chain: MarkovChain, paths: Paths, conversions: F64, resamples: int, seed: int) -> TouchCredit:
    """Credit conversions to the states of paths by every method.

    - `first`, `last`, `linear` and `position` go by the place of a touch in its journey.
    - `markov` goes by the removal effect: how many conversions of the chain are missing if nobody comes through
      the touch (Anderl, Becker, von Wangenheim and Schumann, International Journal of Research in Marketing 33,
      2016).
    - `shapley` is the Shapley value of the game in which touches together earn the conversions of the journeys in
      which no other took part. It gives equal parts to the different touches of a journey (Zhao, Mahboobi and
      Bagheri, arXiv 1804.05327, 2018).

    Args:
        chain: The chain of the paths.
        paths: Touches of journeys.
        conversions: Conversions of each journey, (p,).
        resamples: Resamples of people for the intervals.
        seed: Seed of the resamples.
    """
    random = np.random.default_rng(seed)
    parts = {
        **{name: _part_by_place(paths, weigh) for name, weigh in BY_PLACE.items()},
        "shapley": _shapley(paths),
    }
    index = MoveIndex.of(paths, chain.levels)
    n_states = len(paths.states)

    def share(weights: F64 | None) -> dict[str, F64]:
        credited = conversions if weights is None else conversions * weights
        shares = {
            name: _normalize(sum_by_group(part.states, part.shares * credited[part.paths], n_states))
            for name, part in parts.items()
        }
        counted = index.count(chain.states, weights, chain.smooths)
        removal = absorb(counted.transitions(), n_states).removal
        return shares | {"markov": _normalize(np.nan_to_num(removal))}

    drawn = [share(weights_by_person(paths.people, random)) for _ in range(resamples)]
    shares = share(None)
    return TouchCredit(
        shares, {name: np.array([draw[name] for draw in drawn]).reshape(-1, n_states) for name in shares}
    )


@dataclass(frozen=True)
class _Parts:
    """Shares (k,) of paths (k,) that states (k,) have."""

    states: I64
    paths: I64
    shares: F64


def _part_by_place(paths: Paths, weigh: Weighing) -> _Parts:
    owners = paths.path_of_step
    place = np.arange(len(owners)) - paths.offsets[owners]
    return _Parts(paths.codes, owners, weigh(place, paths.lengths[owners]))


def _shapley(paths: Paths) -> _Parts:
    base = max(len(paths.states), 1)
    pairs = np.unique(paths.path_of_step * base + paths.codes)
    different = np.bincount(pairs // base, minlength=len(paths))
    return _Parts(pairs % base, pairs // base, 1.0 / different[pairs // base])


def _normalize(values: F64) -> F64:
    """Return shares (s,) of the sum; all 0 where there is nothing to share."""
    total = values.sum()
    return values / total if total > 0 else np.zeros(len(values))

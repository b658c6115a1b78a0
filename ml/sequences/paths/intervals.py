"""Bootstrap intervals of what a chain says of its states: people are resampled, with all their paths."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ml.arrays import F64
from ml.sequences.paths.absorption import absorb
from ml.sequences.paths.chains import MarkovChain, MoveIndex
from ml.sequences.paths.paths import Paths, weights_by_person


@dataclass(frozen=True)
class Resamples:
    """What resampled chains say, one row a resample.

    Attributes:
        conversion: Chance of a path to reach the goal, (r,).
        chance: Chance to reach the goal from each state, (r, s).
        removal: Share of the conversions that would be missing without each state, (r, s).
    """

    conversion: F64
    chance: F64
    removal: F64


def resample(chain: MarkovChain, paths: Paths, resamples: int, seed: int) -> Resamples:
    """Fit the chain to paths of resampled people (Poisson bootstrap).

    The contexts of the chain stay those that were chosen.
    """
    random = np.random.default_rng(seed)
    index = MoveIndex.of(paths, chain.levels)
    n_states = len(paths.states)
    conversion, chance, removal = (
        np.empty(resamples),
        np.empty((resamples, n_states)),
        np.empty((resamples, n_states)),
    )
    for row in range(resamples):
        weights = weights_by_person(paths.people, random)
        absorption = absorb(index.count(chain.states, weights, chain.smooths).transitions(), n_states)
        conversion[row] = absorption.conversion
        chance[row], removal[row] = absorption.chance, absorption.removal
    return Resamples(conversion, chance, removal)


def percentile_interval(draws: F64, confidence: float = 0.95) -> tuple[F64, F64]:
    """Return the percentile interval (Efron, 1979) of each column of draws (r, s); undefined draws are left out.

    A column without a defined draw has NaN.
    """
    bounds = np.full((2, draws.shape[1]), np.nan)
    defined = ~np.isnan(draws).all(axis=0)
    if defined.any() and len(draws):
        bounds[:, defined] = np.nanquantile(
            draws[:, defined], [(1 - confidence) / 2, (1 + confidence) / 2], axis=0
        )
    return bounds[0], bounds[1]


def null_if_undefined(value: float) -> float | None:
    """Return a figure as a cell of a table: null where it is not defined."""
    return None if np.isnan(value) else float(value)

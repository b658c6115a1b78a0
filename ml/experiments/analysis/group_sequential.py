"""Critical values of a test with planned looks, by alpha spending (Lan and DeMets 1983).

The chance of stopping first at a look is integrated forward over the looks (Armitage, McPherson and Rowe 1969), on
a grid of the Brownian motion that the test statistic follows.
"""

from __future__ import annotations

from itertools import pairwise
from math import e, pi, sqrt

import numpy as np
from scipy.optimize import brentq
from scipy.special import ndtr
from scipy.stats import norm

from ml.arrays import F64
from ml.errors import InvalidInputError

_NODES = 401
_REACH = 8.0
_MAXIMUM = 12.0


def spent_alpha(information: float, alpha: float, spending: str) -> float:
    """Two-sided alpha spent by a share of the planned information, in [0, 1].

    `obrien_fleming` spends late, `pocock` evenly. Raises ValueError for another name.
    """
    share = min(information, 1.0)
    if share <= 0:
        return 0.0
    if spending == "obrien_fleming":
        return float(4 * norm.sf(norm.ppf(1 - alpha / 4) / sqrt(share)))
    if spending == "pocock":
        return float(alpha * np.log(1 + (e - 1) * share))
    raise InvalidInputError(f"no spending function {spending!r}; legal: obrien_fleming, pocock")


def critical_values(information: list[float], alpha: float, spending: str) -> list[float]:
    """Two-sided critical values of |z| at looks with these shares of the planned information, in rising order.

    Raises
    ------
    ValueError
        The shares do not rise, or leave (0, 1].
    """
    if any(not 0 < share <= 1 for share in information) or any(
        later <= earlier for earlier, later in pairwise(information)
    ):
        raise InvalidInputError(f"information shares must rise inside (0, 1], not {information}")
    found: list[float] = []
    spent, density, places = 0.0, np.empty(0), np.empty(0)
    for look, share in enumerate(information):
        target = spent_alpha(share, alpha, spending)
        to_spend = target - spent
        step = share - (information[look - 1] if look else 0.0)
        scale = sqrt(step)

        def crossing(z: float, places: F64, density: F64, scale: float, share: float) -> float:
            edge = z * sqrt(share)
            if not len(places):
                return float(2 * ndtr(-z))
            outside = ndtr((places - edge) / scale) + ndtr((-edge - places) / scale)
            return float(np.sum(density * outside))

        def excess(
            z: float,
            places: F64 = places,
            density: F64 = density,
            scale: float = scale,
            share: float = share,
            to_spend: float = to_spend,
        ) -> float:
            return crossing(z, places, density, scale, share) - to_spend

        z = _MAXIMUM if excess(_MAXIMUM) >= 0 else float(brentq(excess, 0.0, _MAXIMUM, xtol=1e-10))
        found.append(z)
        spent = target
        places, density = _advance(places, density, min(z, _REACH) * sqrt(share), scale)
    return found


def _advance(places: F64, density: F64, edge: float, scale: float) -> tuple[F64, F64]:
    """Density of the motion at this look, among the paths that did not stop; already times the Simpson weights."""
    grid = np.linspace(-edge, edge, _NODES)
    weights = np.ones(_NODES)
    weights[1:-1:2], weights[2:-1:2] = 4.0, 2.0
    weights *= (grid[1] - grid[0]) / 3
    if not len(places):
        return grid, weights * _normal_density(grid, scale)
    kernel = _normal_density(grid[:, None] - places[None, :], scale)
    return grid, weights * (kernel @ density)


def _normal_density(distance: F64, scale: float) -> F64:
    # scipy's norm.pdf checks its arguments for twice as long as it computes.
    return np.asarray(np.exp(-0.5 * (distance / scale) ** 2) / (scale * sqrt(2 * pi)))

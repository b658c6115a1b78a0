"""Critical values of a test with planned looks, by alpha spending (Lan and DeMets 1983).

The probability of stopping first at a look is integrated forward over the looks (Armitage, McPherson and Rowe
1969), on a grid of the Brownian motion that the test statistic follows.
"""

from __future__ import annotations

from itertools import pairwise
from math import e, exp, log, pi, sqrt

import numpy as np
from scipy.optimize import brentq
from scipy.special import ndtr, ndtri

from ml.arrays import F64
from ml.errors import InvalidInputError

_NODES = 401
_REACH = 8.0
_MAXIMUM = 12.0
_SMALLEST_P = 1e-100


def spent_alpha(information: float, alpha: float, spending: str) -> float:
    """Return the two-sided alpha spent by a share of the planned information.

    Args:
        information: share of the planned information, in [0, 1].
        alpha: significance level.
        spending: `obrien_fleming` spends late, `pocock` spends evenly.

    Raises:
        InvalidInputError: the spending function is unknown.
    """
    share = min(information, 1.0)
    if share <= 0:
        return 0.0
    if spending == "obrien_fleming":
        return float(4 * ndtr(ndtri(alpha / 4) / sqrt(share)))
    if spending == "pocock":
        return float(alpha * np.log1p((e - 1) * share))
    raise InvalidInputError(f"unknown spending function {spending!r}; legal: obrien_fleming, pocock")


def critical_values(information: list[float], alpha: float, spending: str) -> list[float]:
    """Compute two-sided critical values of |z|.

    Args:
        information: shares of the planned information at the looks, increasing.
        alpha: significance level.
        spending: name of the spending function.

    Raises:
        InvalidInputError: the shares do not increase or leave (0, 1].
    """
    if any(not 0 < share <= 1 for share in information) or any(
        later <= earlier for earlier, later in pairwise(information)
    ):
        raise InvalidInputError(f"information shares must increase within (0, 1], not {information}")
    criticals: list[float] = []
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
        criticals.append(z)
        spent = target
        places, density = _advance_density(places, density, min(z, _REACH) * sqrt(share), scale)
    return criticals


def repeated_p_value(z: float, information: list[float], spending: str) -> float:
    """Return the smallest significance level at which the test stops at its last look.

    It is the repeated p-value of Jennison and Turnbull (2000, chapter 9). Critical values fall as the level rises,
    so the repeated interval at level 1 - alpha excludes zero exactly if this p-value is below alpha.

    Args:
        z: test statistic at the last look.
        information: shares of the planned information at the looks so far, increasing.
        spending: name of the spending function.

    Raises:
        InvalidInputError: see `critical_values`.
    """

    def distance(log_alpha: float) -> float:
        return critical_values(information, exp(log_alpha), spending)[-1] - abs(z)

    lowest, highest = log(_SMALLEST_P), log(1 - 1e-9)
    if distance(highest) > 0:
        return 1.0
    if distance(lowest) <= 0:
        return 0.0
    return exp(float(brentq(distance, lowest, highest, xtol=1e-12)))


def _advance_density(places: F64, density: F64, edge: float, scale: float) -> tuple[F64, F64]:
    """Return the density of the motion at this look among paths that did not stop, times the Simpson weights."""
    grid = np.linspace(-edge, edge, _NODES)
    weights = np.ones(_NODES)
    weights[1:-1:2], weights[2:-1:2] = 4.0, 2.0
    weights *= (grid[1] - grid[0]) / 3
    if not len(places):
        return grid, weights * _normal_density(grid, scale)
    kernel = _normal_density(grid[:, None] - places[None, :], scale)
    return grid, weights * (kernel @ density)


def _normal_density(distance: F64, scale: float) -> F64:
    # scipy's norm.pdf spends two thirds of its time on checking arguments.
    """Return the normal density of distances with this standard deviation."""
    return np.asarray(np.exp(-0.5 * (distance / scale) ** 2) / (scale * sqrt(2 * pi)))

"""What a null model keeps of one column: its distribution, made unimodal where it is continuous.

A second mode of a continuous column is what groups look like, so the null model has none. The levels of a flag or
a code are no groups, and neither is the value that many users share, such as zero, so the null model keeps them.
"""

from __future__ import annotations

import numpy as np
from scipy.optimize import isotonic_regression

from ml.arrays import F64

GRID = 2048  # probabilities at which a quantile function is known
PROBABILITIES = (np.arange(GRID) + 0.5) / GRID
MAXIMUM_LEVELS = 20  # distinct values up to which a column is discrete
ATOM = 0.05  # share of users from which one value of a continuous column stands for itself
BINS = (8, 50)  # fewest and most bins of a histogram
CONTINUOUS_ROWS = 20  # with fewer values beside the atoms there is no density to fit


def fit_margin(values: F64) -> F64:
    """Return the quantile function of the values (n,) at `PROBABILITIES` (GRID,), without a second mode."""
    levels, counts = np.unique(values, return_counts=True)
    if len(levels) <= MAXIMUM_LEVELS:
        return _quantiles(levels, counts.astype(np.float64))
    is_atom = counts >= max(ATOM * len(values), 3)
    rest = values[~np.isin(values, levels[is_atom])]
    if len(rest) < CONTINUOUS_ROWS:
        return _quantiles(levels, counts.astype(np.float64))
    edges, cumulative = unimodal_quantiles(rest)
    smooth = np.interp(PROBABILITIES, cumulative, edges)
    return _quantiles(
        np.concatenate([levels[is_atom], smooth]),
        np.concatenate([counts[is_atom], np.full(GRID, len(rest) / GRID)]),
    )


def _quantiles(values: F64, weights: F64) -> F64:
    """Return the quantile function of weighted values (n,) at `PROBABILITIES` (GRID,)."""
    order = np.argsort(values, kind="stable")
    cumulative = np.cumsum(weights[order]) / weights.sum()
    places = np.searchsorted(cumulative, PROBABILITIES)
    return np.asarray(values[order][np.minimum(places, len(values) - 1)], dtype=np.float64)


def unimodal_quantiles(values: F64) -> tuple[F64, F64]:
    """Fit the unimodal density nearest to the values (n,).

    The density rises up to a mode and falls after it. The mode with the least squared error to the histogram is
    used. The histogram has 2·n^(1/3) bins (Rice's rule), within `BINS`.

    Returns:
        Bin edges (bins + 1,) and cumulative shares (bins + 1,).
    """
    bins = int(np.clip(2 * len(values) ** (1 / 3), *BINS))
    counts, edges = np.histogram(values, bins=bins)
    share = counts / counts.sum()
    best, least = share, np.inf
    for mode in range(bins):
        rising = isotonic_regression(share[: mode + 1], increasing=True).x
        falling = isotonic_regression(share[mode:], increasing=False).x
        peak = max(rising[-1], falling[0])
        candidate = np.concatenate([rising[:-1], [peak], falling[1:]])
        error = float(((candidate - share) ** 2).sum())
        if error < least:
            best, least = candidate, error
    cumulative = np.concatenate([[0.0], np.cumsum(best / best.sum())])
    return edges, cumulative

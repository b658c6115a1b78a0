"""A Gaussian copula: columns with given quantile functions and given correlations, and nothing else.

The columns are monotone functions of normal variables. The correlation of two normal variables is chosen so that
their columns have the correlation that is asked for: with the coefficients a and b of the two functions in
normalized Hermite polynomials, it is the root r of Σ a_m·b_m·r^m. Source: Cario and Nelson, "Modeling and
generating random vectors with arbitrary marginal distributions and correlation matrix" (1997).
"""

from __future__ import annotations

import numpy as np
from scipy.special import ndtr, ndtri

from ml.arrays import F64
from ml.segmentation.clusters.margins import GRID, PROBABILITIES

DEGREES = 30  # of the Hermite expansion; a flag, which converges slowest, then has .9 of its variance
BISECTIONS = 40
MOST_CORRELATION = 0.999
LEAST_EIGENVALUE = 1e-6


class GaussianCopula:
    """Draw rows whose columns have these quantile functions and correlations.

    Args:
        quantiles: each column's quantile function at `PROBABILITIES`, (d, GRID).
        correlations: correlations of the columns, (d, d).

    Attributes:
        latent: correlations of the normal variables, (d, d).
    """

    def __init__(self, quantiles: F64, correlations: F64) -> None:
        self.quantiles = quantiles
        self.latent = _repair(_solve_latent(quantiles, correlations))
        self._root = np.linalg.cholesky(self.latent)

    def draw(self, rows: int, generator: np.random.Generator) -> F64:
        """Draw a table (rows, d)."""
        normal = generator.standard_normal((rows, len(self.quantiles))) @ self._root.T
        places = np.minimum((ndtr(normal) * GRID).astype(np.int64), GRID - 1)
        return np.asarray(np.take_along_axis(self.quantiles.T, places, axis=0))


def _hermite_coefficients(quantiles: F64) -> F64:
    """Return the coefficients of standardized columns (d, GRID) in normalized Hermite polynomials (d, DEGREES)."""
    normal = ndtri(PROBABILITIES)
    polynomials = np.empty((DEGREES + 1, GRID))
    polynomials[0], polynomials[1] = 1.0, normal
    for degree in range(1, DEGREES):
        polynomials[degree + 1] = (
            normal * polynomials[degree] - np.sqrt(degree) * polynomials[degree - 1]
        ) / np.sqrt(degree + 1)
    return np.asarray(quantiles @ polynomials[1:].T / GRID)


def _solve_latent(quantiles: F64, correlations: F64) -> F64:
    """Return the correlation of normal variables (d, d) that gives each pair of columns its correlation."""
    spread = quantiles.std(axis=1, keepdims=True)
    centred = quantiles - quantiles.mean(axis=1, keepdims=True)
    coefficients = _hermite_coefficients(np.divide(centred, spread, out=np.zeros_like(centred), where=spread > 0))
    # What the expansion leaves out of the variance counts as one more degree, so that equal columns reach 1.
    rest = np.sqrt(np.maximum(1.0 - (coefficients**2).sum(axis=1), 0.0))
    products = np.concatenate(
        [coefficients[:, None] * coefficients[None], (rest[:, None] * rest)[:, :, None]], axis=2
    )
    low = np.full_like(correlations, -MOST_CORRELATION)
    high = -low
    for _ in range(BISECTIONS):
        middle = (low + high) / 2
        reached = np.zeros_like(middle)
        for degree in range(products.shape[2] - 1, -1, -1):
            reached = (reached + products[:, :, degree]) * middle
        is_below = reached < correlations
        low, high = np.where(is_below, middle, low), np.where(is_below, high, middle)
    return np.asarray((low + high) / 2)


def _repair(latent: F64) -> F64:
    """Return a correlation matrix without negative eigenvalues near `latent` (d, d)."""
    latent = (latent + latent.T) / 2
    np.fill_diagonal(latent, 1.0)
    values, vectors = np.linalg.eigh(latent)
    positive = (vectors * np.maximum(values, LEAST_EIGENVALUE)) @ vectors.T
    scale = np.sqrt(np.diagonal(positive))
    return np.asarray(positive / np.outer(scale, scale))

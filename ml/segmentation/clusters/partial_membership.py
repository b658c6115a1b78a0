"""Probabilities of segments for people who may resemble a second segment in part.

k-means places each person at the nearest centre and says nothing about how sure that is. Here a person whose main
segment is i lies between the centres i and j at a share b of the way, plus normal noise that all people have in
common. The share has the density a·b^(a-1) on [0, 1], which falls from "like the main segment" towards "like the
other segment". The centres stay fixed. The segments' weights, the exponent a and the noise are learned by
expectation maximization. The idea is that of partial membership models (Heller, Williamson and Ghahramani,
"Statistical models for partial membership", ICML 2008).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import logsumexp, softmax

from ml.arrays import F64, I64

# Edges of the cells of b. They are symmetric, so that a share b from i to j is a share 1 - b from j to i, and
# finest at the ends, where the density is steep.
_HALF = np.linspace(0.0, 1.0, 7) ** 2 / 2
_EDGES = np.concatenate([_HALF, 1.0 - _HALF[-2::-1]])
_SHARES = (_EDGES[1:] + _EDGES[:-1]) / 2

LEAST_EXPONENT = 1e-3  # almost everybody lies at the centre of the main segment
LEAST_NOISE = 1e-4  # of the variance of the scores; users who all lie at the centres, as flags do, show no noise
MOST_ROUNDS = 50
TOLERANCE = 1e-4  # gain in mean log-likelihood below which the parameters have settled
FIT_ROWS = 5_000
BLOCK_ROWS = 5_000  # people whose densities are held at once: 5,000 × 45 pairs × 12 cells are 20 MiB


@dataclass(frozen=True)
class PartialMembership:
    """Parameters of the density around centres (k, d).

    Attributes:
        weights: share of people whose main segment it is, (k,).
        exponent: a in the density a·b^(a-1) of the share b that a person has of another segment, in (0, 1].
        precision_root: lower triangular factor R of the precision R·Rᵀ of the noise, (d, d).
    """

    weights: F64
    exponent: float
    precision_root: F64

    def probabilities(self, Z: F64, centres: F64) -> F64:
        """Return the probability of each main segment (n, k) for scores Z (n, d)."""
        blocks = [
            softmax(_by_main_segment(self._log_joint(Z[start : start + BLOCK_ROWS], centres)), axis=1)
            for start in range(0, len(Z), BLOCK_ROWS)
        ]
        return np.concatenate(blocks) if blocks else np.empty((0, len(centres)))

    def reordered(self, order: I64) -> PartialMembership:
        """Return the parameters for centres in another order: the new segment i is the old segment `order[i]`."""
        return PartialMembership(self.weights[order], self.exponent, self.precision_root)

    def _log_joint(self, Z: F64, centres: F64) -> F64:
        """Return log(weight · density) of each ordered pair of segments and share, (n, k, k, cells).

        Entry [·, i, j, c] belongs to people of the main segment i who have the share c of segment j.
        """
        k = len(centres)
        if k == 1:
            return np.zeros((len(Z), 1, 1, len(_SHARES)))
        standard = Z @ self.precision_root
        # Positions between i and j do not depend on which of the two is the main segment.
        first, second = np.triu_indices(k, 1)
        means = _positions(centres, first, second) @ self.precision_root
        squares = (
            (standard**2).sum(axis=1)[:, None, None]
            - 2 * np.einsum("nd,pcd->npc", standard, means, optimize=True)
            + (means**2).sum(axis=2)
        )
        density = -0.5 * squares + np.log(np.diagonal(self.precision_root)).sum()
        joint = np.full((len(Z), k, k, len(_SHARES)), -np.inf)
        cells = np.log(_cell_shares(self.exponent))
        weights = np.log(self.weights) - np.log(k - 1)
        joint[:, first, second] = density + cells + weights[first][:, None]
        joint[:, second, first] = density[:, :, ::-1] + cells + weights[second][:, None]
        return joint


def fit_partial_membership(Z: F64, centres: F64, seed: int = 0) -> PartialMembership:
    """Learn the density of scores Z (n, d) around fixed centres (k, d), from at most `FIT_ROWS` people."""
    Z = Z[np.random.default_rng(seed).permutation(len(Z))[:FIT_ROWS]]
    k, d = centres.shape
    nearest = ((Z[:, None] - centres) ** 2).sum(axis=2).min(axis=1) if len(Z) else np.ones(1)
    spread = float(Z.var(axis=0).mean()) if Z.size else 0.0
    variance = max(float(nearest.mean()) / max(d, 1), LEAST_NOISE * spread, 1e-12)
    model = PartialMembership(np.full(k, 1 / k), 0.5, np.eye(d) / np.sqrt(variance))
    if k == 1 or len(Z) <= d:
        return model
    last = -np.inf
    for _ in range(MOST_ROUNDS):
        joint = model._log_joint(Z, centres)
        likelihood = logsumexp(joint.reshape(len(Z), -1), axis=1)
        model = _maximize(Z, centres, np.exp(joint - likelihood[:, None, None, None]), variance)
        mean = float(likelihood.mean())
        if mean - last < TOLERANCE:
            break
        last = mean
    return model


def _maximize(Z: F64, centres: F64, parts: F64, variance: float) -> PartialMembership:
    """Return the parameters that fit responsibilities (n, k, k, cells) best."""
    k, d = centres.shape
    cells = parts.sum(axis=(0, 1, 2))
    best = minimize_scalar(
        lambda log_a: -float(cells @ np.log(_cell_shares(np.exp(log_a)))),
        bounds=(np.log(LEAST_EXPONENT), 0.0),
        method="bounded",
    )
    main, other = (grid.ravel() for grid in np.indices((k, k)))
    means = _positions(centres, main, other).reshape(-1, d)
    flat = parts.reshape(len(Z), -1)
    count, cross = flat.sum(axis=0), (flat.T @ Z).T @ means
    covariance = (Z.T @ Z - cross - cross.T + means.T @ (count[:, None] * means)) / len(Z)
    # A direction without noise would make every person certain.
    covariance += 1e-3 * variance * np.eye(d)
    weights = np.maximum(parts.sum(axis=(0, 2, 3)), 1.0)
    return PartialMembership(
        weights / weights.sum(), float(np.exp(best.x)), np.linalg.cholesky(np.linalg.inv(covariance))
    )


def _positions(centres: F64, main: I64, other: I64) -> F64:
    """Return the points (pairs, cells, d) at each share of the way between pairs of centres."""
    return np.asarray(
        (1 - _SHARES)[None, :, None] * centres[main][:, None] + _SHARES[None, :, None] * centres[other][:, None]
    )


def _cell_shares(exponent: float) -> F64:
    """Return the share of people in each cell of b, (cells,)."""
    return np.asarray(np.diff(_EDGES**exponent))


def _by_main_segment(joint: F64) -> F64:
    """Sum joint densities (n, k, k, cells) over the other segment and the share; returns logarithms (n, k)."""
    return np.asarray(logsumexp(joint, axis=(2, 3)))

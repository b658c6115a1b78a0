"""k-means of many small tables at once.

The choice of a clustering fits k-means to hundreds of tables of a few hundred users, where the calls of a library
cost more than the arithmetic. Tables of equal size are stacked here, and every start of every table takes its
steps in the same array operations. The method is scikit-learn's: greedy k-means++ starts, Lloyd's steps
until no user changes the centre, and of all starts the one with the least inertia. Source of the starts: Arthur
and Vassilvitskii, "k-means++: the advantages of careful seeding", SODA 2007.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ml.arrays import F64, I64

MOST_STEPS = 300  # of Lloyd's algorithm, as in scikit-learn
BLOCK_VALUES = 2_000_000  # distances held at once, 16 MB


@dataclass(frozen=True)
class _Fits:
    """The outcome of several fits: centres (f, k, d) and inertia (f,)."""

    centres: F64
    inertia: F64


def fit_tables(tables: F64, segments: int, starts: int, generator: np.random.Generator) -> F64:
    """Fit k-means to each of several tables.

    Args:
        tables: the tables, (t, n, d), with at least as many rows as segments.
        segments: number of centres k.
        starts: random starts of each table; the best is kept.
        generator: draws the starts.

    Returns:
        The centres of each table (t, k, d).
    """
    count, rows, _ = tables.shape
    block = max(1, BLOCK_VALUES // (starts * rows * segments))
    parts = [
        _fit_block(tables[first : first + block], segments, starts, generator) for first in range(0, count, block)
    ]
    return np.concatenate(parts)


def _fit_block(tables: F64, segments: int, starts: int, generator: np.random.Generator) -> F64:
    """Fit k-means to tables (t, n, d) that are few enough to be held at once; returns the centres (t, k, d)."""
    # Distances keep more digits around the mean than far away from zero.
    means = tables.mean(axis=1, keepdims=True)
    centred = np.repeat(tables - means, starts, axis=0)
    fits = _move_centres(centred, _choose_starts(centred, segments, generator))
    best = fits.inertia.reshape(-1, starts).argmin(axis=1)
    return np.asarray(fits.centres[np.arange(len(tables)) * starts + best] + means)


def _choose_starts(X: F64, segments: int, generator: np.random.Generator) -> F64:
    """Choose users of each table (f, n, d) as first centres (f, k, d), by greedy k-means++.

    Each further centre is the best of several users, drawn with probabilities that grow with the squared distance
    to the nearest centre so far.
    """
    fits, rows, columns = X.shape
    trials = 2 + int(np.log(segments))
    every = np.arange(fits)
    squares = (X**2).sum(axis=2)
    centres = np.empty((fits, segments, columns))
    centres[:, 0] = X[every, generator.integers(rows, size=fits)]
    nearest = _squared_distances(X, squares, centres[:, :1])[:, 0]
    for place in range(1, segments):
        cumulative = nearest.cumsum(axis=1)
        drawn = generator.random((fits, trials)) * cumulative[:, -1:]
        users = np.minimum((cumulative[:, None] < drawn[:, :, None]).sum(axis=2), rows - 1)
        tried = X[every[:, None], users]
        reached = np.minimum(_squared_distances(X, squares, tried), nearest[:, None])
        best = reached.sum(axis=2).argmin(axis=1)
        centres[:, place] = tried[every, best]
        nearest = reached[every, best]
    return centres


def _move_centres(X: F64, centres: F64) -> _Fits:
    """Move centres (f, k, d) to the means of their users in tables (f, n, d) until no user changes the centre."""
    result = _Fits(centres.copy(), np.empty(len(X)))
    squares = (X**2).sum(axis=2)
    moving = np.arange(len(X))
    last = np.full(X.shape[:2], -1, dtype=np.int64)
    for step in range(MOST_STEPS):
        labels, distances = _assign(X, squares, centres)
        is_done = (labels == last).all(axis=1) | (step == MOST_STEPS - 1)
        if is_done.any():
            result.centres[moving[is_done]] = centres[is_done]
            result.inertia[moving[is_done]] = distances[is_done].sum(axis=1)
            rest = ~is_done
            if not rest.any():
                break
            X, squares, labels, distances = X[rest], squares[rest], labels[rest], distances[rest]
            moving = moving[rest]
        centres = _mean_users(X, labels, distances, centres.shape[1])
        last = labels
    return result


def _assign(X: F64, squares: F64, centres: F64) -> tuple[I64, F64]:
    """Return the nearest of the centres (f, k, d) of each user (f, n), and its squared distance (f, n)."""
    distances = _squared_distances(X, squares, centres)
    least = distances[:, 0].copy()
    labels = np.zeros(least.shape, dtype=np.int64)
    for place in range(1, centres.shape[1]):  # several times as quick as an argmin along a short axis
        is_nearer = distances[:, place] < least
        np.copyto(least, distances[:, place], where=is_nearer)
        labels[is_nearer] = place
    return labels, least


def _mean_users(X: F64, labels: I64, distances: F64, segments: int) -> F64:
    """Return the means (f, k, d) of the users of each centre.

    A centre without users moves to a user who is far from theirs: the next farthest for each such centre.
    """
    is_member = (labels[:, None] == np.arange(segments)[:, None]).astype(np.float64)
    counts = is_member.sum(axis=2)
    centres = (is_member @ X) / np.maximum(counts, 1.0)[:, :, None]
    for fit in np.flatnonzero((counts == 0).any(axis=1)):
        empty = np.flatnonzero(counts[fit] == 0)
        farthest = np.argsort(-distances[fit], kind="stable")[: len(empty)]
        centres[fit, empty] = X[fit, farthest]
    return np.asarray(centres)


def _squared_distances(X: F64, squares: F64, centres: F64) -> F64:
    """Return the squared distances (f, k, n) of users (f, n, d), of these squared lengths (f, n), to centres."""
    distances = centres @ X.transpose(0, 2, 1)
    distances *= -2.0
    distances += squares[:, None]
    distances += (centres**2).sum(axis=2)[:, :, None]
    return np.asarray(np.maximum(distances, 0.0, out=distances))

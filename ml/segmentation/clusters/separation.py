"""Test whether two neighbouring segments are two groups, or one group that was cut.

Two halves of one group are separated as well, because they were cut apart. So the separation is compared with that
of the halves into which k-means cuts a group without structure that has the columns and correlations of both
segments together.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from scipy.spatial.distance import pdist, squareform
from sklearn.tree import DecisionTreeRegressor

from ml.arrays import F64, I64, Bools
from ml.segmentation.clusters.algorithms import NOISE, KMeansSegments, MixtureSegments, fit_models
from ml.segmentation.clusters.feature_space import FeatureSpace
from ml.segmentation.clusters.margins import MAXIMUM_LEVELS
from ml.segmentation.clusters.null_reference import NullReference, exceedance_p_value

REFERENCES = 20
ROWS = 600  # users of a pair of segments who are looked at
SURE_ROWS = 400  # users of a pair from which the limit of the p-value is the stated one
MOST_LENIENCE = 3.0  # times the stated limit, for small pairs
STARTS = 2
FLAG_LEVELS = 2
LEAST_DEVIATION = 1e-3
UNIFORM_SEPARATION = 3.46  # √12, of the halves of a uniform column; two groups of one column are farther apart
MOST_SEPARATION = 1e3  # of groups that are single points
FindColumn = Callable[[FeatureSpace, I64], int | None]  # from users and their segments to the one that differs
Halving = Callable[[F64, int], Bools]  # from tables of scores (t, n, c) and a seed to the second halves (t, n)


@dataclass(frozen=True)
class WeakestPair:
    """The two neighbouring segments that are most likely halves of one group.

    Attributes:
        first: index of a segment.
        second: index of the segment nearest to it.
        p_value: probability that the halves of a group without structure are as far apart.
        limit: p-value up to which these two are two groups.
        is_flag: whether they differ in one flag and nothing else.
    """

    first: int
    second: int
    p_value: float
    limit: float
    is_flag: bool = False

    @property
    def is_apart(self) -> bool:
        """Return whether the two are groups of their own."""
        return self.p_value <= self.limit and not self.is_flag


def measure_separation(Z: F64, is_second: Bools) -> float:
    """Return the distance between the means of two groups along the line that joins them.

    Args:
        Z: scores (n, c).
        is_second: which users are in the second group, (n,).

    Returns:
        The distance in standard deviations within the groups, at most `MOST_SEPARATION`.
    """
    line = Z[is_second].mean(axis=0) - Z[~is_second].mean(axis=0)
    place = Z @ line
    within = place - np.where(is_second, place[is_second].mean(), place[~is_second].mean())
    spread = float(np.sqrt((within**2).mean()))
    distance = float(line @ line)
    return min(distance / spread, MOST_SEPARATION) if spread > 0 else MOST_SEPARATION * bool(distance)


def halve_by_means(tables: F64, seed: int) -> Bools:
    """Cut the users of several tables (t, n, c) in two by their means; returns who is in the second half (t, n).

    A single column is cut by a stump that predicts the column from itself, which finds the best of all cuts.
    """
    if tables.shape[2] == 1:
        return np.stack([_halve_column(table) for table in tables])
    models = [KMeansSegments(2, starts=STARTS, seed=seed + place) for place in range(len(tables))]
    fit_models(models, tables)
    return np.stack([model.predict(table) == 1 for model, table in zip(models, tables, strict=True)])


def _halve_column(column: F64) -> Bools:
    """Return which values of a column (n, 1) are in its upper half (n,)."""
    stump = DecisionTreeRegressor(max_depth=1).fit(column, column[:, 0])
    return np.asarray(stump.predict(column) > column.mean())


def split_p_value(space: FeatureSpace, is_second: Bools, seed: int, halve: Halving = halve_by_means) -> float:
    """Return the probability that cutting a group without structure separates its halves as much.

    Args:
        space: users of two segments, (n, d).
        is_second: which of them are in the second segment, (n,).
        seed: seed of the references.
        halve: cuts a group in two, by the method that formed the segments.
    """
    generator = np.random.default_rng(seed)
    rows = generator.permutation(len(is_second))[:ROWS]
    space, is_second = space.take(rows), is_second[rows]
    if is_second.all() or not is_second.any():
        return 1.0
    observed = measure_separation(space.scores, is_second)
    shape = NullReference(space)
    tables = np.stack([shape.draw(len(rows), generator) for _ in range(REFERENCES)])
    separations = np.array(
        [
            measure_separation(drawn, in_second_half) if in_second_half.any() else 0.0
            for drawn, in_second_half in zip(tables, halve(tables, seed), strict=True)
        ]
    )
    # A few references that are cut at a flag are a hundred times as separated as the others.
    counted = (1 + int((separations >= observed).sum())) / (1 + REFERENCES)
    return min(exceedance_p_value(observed, separations, LEAST_DEVIATION), counted)


def limit_for_rows(limit: float, rows: int) -> float:
    """Return the p-value up to which two segments with so many users together are two groups.

    A fixed limit makes a wrong cut as rare among few users as among many, and finds hardly any true one there: of
    two groups of thirty that k-means tells apart at ARI .9, every second one is missed at .1. The limit falls with
    the root of the rows, as the one that follows from the Bayesian information criterion does.
    """
    return limit * min(MOST_LENIENCE, max(1.0, float(np.sqrt(SURE_ROWS / rows))))


def halve_by_mixture(covariance: str) -> Halving:
    """Return a function that cuts users in two by a Gaussian mixture with this type of covariance."""

    def halve(tables: F64, seed: int) -> Bools:
        models = [MixtureSegments(2, covariance, starts=1, seed=seed + place) for place in range(len(tables))]
        return np.stack([model.fit(Z).predict(Z) == 1 for model, Z in zip(models, tables, strict=True)])

    return halve


def find_no_column(space: FeatureSpace, labels: I64) -> int | None:
    """Return that segments differ in several columns."""
    return None


def find_weakest_pair(
    space: FeatureSpace,
    labels: I64,
    limit: float,
    seed: int,
    halve: Halving = halve_by_means,
    least_limit: float = 0.0,
    find_column: FindColumn = find_no_column,
    is_reproduced: bool = False,
) -> WeakestPair:
    """Look for two segments that are one group.

    Every segment is compared with the one nearest to it. The search ends at the first pair that is not apart.

    Args:
        space: the users (n, d).
        labels: segment of each user (n,), with at least two segments; noise is left out.
        limit: p-value above which two large segments are one group; of small ones, see `limit_for_rows`.
        seed: seed of the references.
        halve: cuts a group in two, by the method that formed the segments.
        least_limit: limit of the p-value that holds for every pair, however many users it has.
        find_column: finds the only column that differs between two segments. They are one group if it is a flag.
        is_reproduced: whether resamples hardly differ, so that segments that differ in several columns are groups.

    Returns:
        The pair that is not apart, or else the one with the largest p-value.
    """
    segments = np.unique(labels[labels != NOISE])
    centres = np.stack([space.scores[labels == segment].mean(axis=0) for segment in segments])
    distances = squareform(pdist(centres))
    np.fill_diagonal(distances, np.inf)
    nearest = distances.argmin(axis=1)
    pairs = {tuple(sorted((place, int(other)))) for place, other in enumerate(nearest)}
    weakest = WeakestPair(0, 0, -1.0, limit)
    for place, other in sorted(pairs, key=lambda places: float(distances[places])):
        first, second = int(segments[place]), int(segments[other])
        both = np.flatnonzero((labels == first) | (labels == second))
        users, is_second = space.take(both), labels[both] == second
        p_value = split_p_value(users, is_second, seed, halve)
        pair = WeakestPair(first, second, p_value, max(least_limit, limit_for_rows(limit, len(both))))
        column = find_column(users, is_second.astype(np.int64))
        if column is not None:
            pair = replace(pair, is_flag=len(np.unique(space.features[:, column])) <= FLAG_LEVELS)
        elif is_reproduced:
            pair = replace(pair, limit=1.0)
        if not pair.is_apart:
            return pair
        if p_value > weakest.p_value:
            weakest = pair
    return weakest


def is_divided(values: F64, limit: float, seed: int = 0) -> bool:
    """Return whether a continuous column (n,) alone falls into two groups, by the test for two segments."""
    if len(np.unique(values)) <= MAXIMUM_LEVELS:
        return False
    rows = np.random.default_rng(seed).permutation(len(values))[:ROWS]
    column = (values[rows] - values[rows].mean())[:, None]
    in_second_half = halve_by_means(column[None], seed)[0]
    if measure_separation(column, in_second_half) <= UNIFORM_SEPARATION:
        return False
    return split_p_value(FeatureSpace(column, np.eye(1)), in_second_half, seed) <= limit

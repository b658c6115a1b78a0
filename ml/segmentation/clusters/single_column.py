"""Find columns that alone divide the users.

A flag or a column with two modes divides every table. If nothing else differs between the groups, what was found
is the column, not kinds of users.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from scipy.stats import f

from ml.arrays import I64
from ml.segmentation.clusters.algorithms import NOISE
from ml.segmentation.clusters.feature_space import FeatureSpace
from ml.segmentation.clusters.separation import halve_by_means, is_divided
from ml.segmentation.clusters.validation import eta_squared

MEDIUM_EFFECT = 0.06  # Cohen's eta squared, from which a difference between groups counts
SIGNIFICANCE = 0.05  # shared by all columns
LEAST_SHARE = 0.1  # of the users in the smaller group; a rare value divides nobody


def find_single_column(space: FeatureSpace, labels: I64) -> int | None:
    """Return the position of the only feature that differs between groups, or None if there is no such feature.

    The levels of a category count as one feature, and the position is that of its first level.

    Args:
        space: the users (n, d).
        labels: group of each user (n,), with at least two groups; noise is left out.
    """
    inside = labels != NOISE
    X, codes = space.features[inside], np.unique(labels[inside], return_inverse=True)[1]
    groups = int(codes.max()) + 1
    explained = np.array([eta_squared(column, codes) for column in X.T])
    with np.errstate(divide="ignore"):
        statistic = explained / np.maximum(1 - explained, 0.0) * (len(X) - groups) / (groups - 1)
    p_values = f.sf(statistic, groups - 1, len(X) - groups)
    differs = (explained >= MEDIUM_EFFECT) & (p_values * X.shape[1] <= SIGNIFICANCE)
    columns = np.unique(_first_levels(space)[differs])
    return int(columns[0]) if len(columns) == 1 else None


def list_single_columns(space: FeatureSpace, seed: int) -> tuple[int, ...]:
    """Return the positions of the features that divide the users into groups between which nothing else differs.

    Flags, categories and continuous features with two modes divide users.

    Args:
        space: the users (n, d).
        seed: seed of the test for two modes.
    """
    return tuple(
        column
        for column, labels in _list_divisions(space, seed)
        if np.bincount(labels).min() >= LEAST_SHARE * len(labels) and find_single_column(space, labels) == column
    )


def _list_divisions(space: FeatureSpace, seed: int) -> Iterator[tuple[int, I64]]:
    """Yield each feature that divides the users, with the group of each user (n,)."""
    X, first = space.features, _first_levels(space)
    for column in np.unique(first):
        levels, codes = np.unique(X[:, first == column], axis=0, return_inverse=True)
        is_category = np.count_nonzero(first == column) > 1
        if len(levels) == 2 or is_category:
            yield int(column), codes.ravel().astype(np.int64)
        elif is_divided(X[:, column], SIGNIFICANCE, seed):
            yield int(column), halve_by_means(X[None, :, [column]], seed)[0].astype(np.int64)


def _first_levels(space: FeatureSpace) -> I64:
    """Return the position of the first level of each feature's category, or its own position (d,)."""
    first = np.arange(space.features.shape[1])
    for category in space.categories:
        first[list(category)] = category[0]
    return first

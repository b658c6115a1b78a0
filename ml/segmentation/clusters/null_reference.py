"""Reference data without structure: the users' columns and their correlations, but no groups.

Each column keeps its distribution, made unimodal where it is continuous (`margins`), and each pair of columns its
correlation (`copula`). What k-means then still separates is no structure: the corners of flags and codes, a long
first component, a skewed tail. The idea follows SigClust (Liu et al., JASA 103, 2008) and the gap statistic
(Tibshirani, Walther and Hastie, JRSS B 63, 2001), with the columns' own margins instead of normal or uniform ones.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from scipy.stats import t

from ml.arrays import F64, I64
from ml.segmentation.clusters.copula import GaussianCopula
from ml.segmentation.clusters.feature_space import FeatureSpace
from ml.segmentation.clusters.margins import fit_margin


class NullReference:
    """Structureless users in the shape of the users of a space.

    A category is drawn as a whole, as if its levels stood in the order of their means on the first component.

    Args:
        space: the users; columns that do not vary among them are drawn as they are.
    """

    def __init__(self, space: FeatureSpace) -> None:
        self._space = space
        self._mean, self._spread = space.features.mean(axis=0), space.features.std(axis=0)
        # The standard deviation of equal numbers is seldom exactly 0, and correlations with them are undefined.
        self._spread[np.ptp(space.features, axis=0) == 0] = 0.0
        self._groups: list[list[int]] = []
        self._levels: list[F64 | None] = []
        codes = []
        for group, levels, code in self._list_columns():
            self._groups.append(group)
            self._levels.append(levels)
            codes.append(code)
        if codes:
            values = np.stack(codes)
            correlations = np.atleast_2d(np.corrcoef(values))
            self._copula = GaussianCopula(np.stack([fit_margin(value) for value in values]), correlations)

    def _list_columns(self) -> Iterator[tuple[list[int], F64 | None, F64]]:
        """Yield the columns of each varying category or feature, the rows of its levels, and each user's value."""
        X = self._space.features
        grouped = {column for category in self._space.categories for column in category}
        for category in self._space.categories:
            if self._spread[list(category)].any():
                levels, code = _order_levels(X[:, list(category)], self._space.scores[:, 0])
                yield list(category), levels, code.astype(np.float64)
        for column in np.flatnonzero(self._spread > 0):
            if column not in grouped:
                yield [int(column)], None, X[:, column]

    def draw(self, rows: int, generator: np.random.Generator) -> F64:
        """Draw scores (rows, c), whose features have the means and the spread of those of the space."""
        features = np.zeros((rows, len(self._spread)))
        if self._groups:
            codes = self._copula.draw(rows, generator)
            for group, levels, code in zip(self._groups, self._levels, codes.T, strict=True):
                features[:, group] = code[:, None] if levels is None else levels[code.astype(np.int64)]
        spread = features.std(axis=0)
        scale = np.divide(self._spread, spread, out=np.zeros_like(spread), where=spread > 0)
        return self._space.project((features - features.mean(axis=0)) * scale + self._mean)


def exceedance_p_value(observed: float, references: F64, least_deviation: float) -> float:
    """Return the probability that one more reference reaches the observed value, by the t distribution.

    Args:
        observed: the value of the users.
        references: the values of structureless data sets, (r,), at least two.
        least_deviation: standard deviation that the references are taken to have at least.
    """
    count = len(references)
    deviation = max(float(references.std(ddof=1)), least_deviation) * np.sqrt(1 + 1 / count)
    return float(t.sf((observed - references.mean()) / deviation, count - 1))


def _order_levels(indicators: F64, first: F64) -> tuple[F64, I64]:
    """Order the levels of a category.

    Args:
        indicators: the columns of the category, (n, columns).
        first: what the levels are ordered by, (n,).

    Returns:
        The row of `indicators` of each level, in order of the levels' means, and each user's level (n,).
    """
    levels, code = np.unique(indicators, axis=0, return_inverse=True)
    code = code.ravel()
    order = np.argsort(np.bincount(code, first) / np.bincount(code), kind="stable")
    return levels[order], np.argsort(order)[code].astype(np.int64)

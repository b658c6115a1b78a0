"""Scikit-learn transformers that prepare features for clustering.

Each step keeps what it learned in arrays, treats a single row like a million rows, and records what it did.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.stats import yeojohnson_llf
from sklearn.base import BaseEstimator, TransformerMixin

from ml.arrays import F64
from ml.errors import InvalidInputError
from ml.segmentation.clusters.separation import is_divided
from ml.segmentation.features.features import matches_any
from ml.segmentation.persistence import persistable

MISSING_RULES = ("median", "mean", "zero")
MAD_TO_SD = 1.4826  # median absolute deviation of a normal distribution, as a standard deviation
DIVIDED = 0.01  # p-value at which a feature alone falls into two groups
SKEW_FIT_ROWS = 20_000  # the exponent of one feature is stable to ±.02 at this many rows
WIDE = 20.0  # from the 5th to the 95th percentile: sizes that span orders of magnitude, as sales and incomes do
LOG_REACH = 10.0  # so far below its 5th percentile a wide feature is still on the scale of logarithms


@persistable
class Imputer(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Fill missing values by one rule per feature and drop features with fewer than two distinct values.

    Args:
        names: names of the incoming columns.
        rules: shell pattern of names → `median`, `mean`, `zero` or a number. The first matching pattern applies;
            the default is `median`.

    Attributes:
        kept_: indices of the kept features.
        fill_: fill value of each kept feature.
        missing_: number of missing values of each kept feature.
        dropped_: name and reason of the dropped features.
    """

    def __init__(self, names: list[str], rules: Mapping[str, str | float] | None = None) -> None:
        self.names = names
        self.rules = rules

    def fit(self, X: F64, y: Any = None) -> Imputer:
        """Learn from X (n_users, n_features); if no feature varies, none is kept."""
        present = np.isfinite(X)
        counts = present.sum(axis=0)
        low = np.where(present, X, np.inf).min(axis=0, initial=np.inf)
        high = np.where(present, X, -np.inf).max(axis=0, initial=-np.inf)
        self.dropped_ = [
            [name, "every value is missing" if count == 0 else f"every value is {float(value):g}"]
            for name, count, value, varies in zip(self.names, counts, low, low < high, strict=True)
            if not varies
        ]
        self.kept_ = np.flatnonzero(low < high)
        self.fill_ = np.array([self._fill_value(self.names[j], X[present[:, j], j]) for j in self.kept_])
        self.missing_ = len(X) - counts[self.kept_]
        return self

    def _fill_value(self, name: str, values: F64) -> float:
        """Return the fill value of a feature from its present values."""
        rule = next(
            (rule for pattern, rule in (self.rules or {}).items() if matches_any(name, [pattern])), "median"
        )
        if rule == "median":
            return float(np.median(values))
        if rule == "mean":
            return float(values.mean())
        if rule == "zero":
            return 0.0
        if isinstance(rule, str):
            raise InvalidInputError(
                f"missing rule {rule!r} of {name}: legal are {', '.join(MISSING_RULES)} or a number"
            )
        return float(rule)

    def transform(self, X: F64) -> F64:
        """Fill the kept columns: X (n_users, n_features) → (n_users, n_kept)."""
        X = X[:, self.kept_]
        return np.where(np.isfinite(X), X, self.fill_)

    @property
    def kept_names(self) -> list[str]:
        """Return the names of the outgoing columns."""
        return [self.names[j] for j in self.kept_]


@persistable
class Winsorizer(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Clip values beyond median ± `limit` robust standard deviations.

    The spread on each side is the median distance of that side's values from the median, so a skewed feature keeps
    its long tail. Where half of the values are equal, the 1st and 99th percentiles are the bounds.

    Args:
        limit: robust standard deviations that are kept on each side.

    Attributes:
        low_: lower bounds, (n_features,).
        high_: upper bounds, (n_features,).
        changed_: number of values of the fitted table that were clipped, (n_features,).
    """

    def __init__(self, limit: float = 6.0) -> None:
        self.limit = limit

    def fit(self, X: F64, y: Any = None) -> Winsorizer:
        """Learn the bounds from X (n_users, n_features)."""
        # Between two values, the percentile of a hundred users would follow the single one that is an accident.
        first = np.quantile(X, 0.01, axis=0, method="higher")
        last = np.quantile(X, 0.99, axis=0, method="lower")
        median = np.median(X, axis=0)
        low, high = np.empty(X.shape[1]), np.empty(X.shape[1])
        for j in range(X.shape[1]):
            column, centre = X[:, j], median[j]
            below, above = centre - column[column < centre], column[column > centre] - centre
            low[j] = centre - self._reach(below, centre - first[j])
            high[j] = centre + self._reach(above, last[j] - centre)
        self.low_, self.high_ = low, high
        self.changed_ = ((low > X) | (high < X)).sum(axis=0)
        return self

    def _reach(self, distances: F64, tail: float) -> float:
        """Return the kept distance from the median on one side, in the feature's unit."""
        if not len(distances):
            return 0.0
        robust = self.limit * MAD_TO_SD * float(np.median(distances))
        return max(robust, float(tail))

    def transform(self, X: F64) -> F64:
        """Return a clipped copy of X of the same shape."""
        return np.clip(X, self.low_, self.high_)


@persistable
class SkewReducer(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Apply the Yeo-Johnson transform to features whose absolute skewness exceeds `threshold`.

    A feature that falls into two groups, of which one is small, is skewed as well; it stays as it is, because the
    transform would draw the small group to the large one. The exponent is kept between 0 (logarithm) and 2, so
    that a feature that is mostly zero is not split into two clusters that the data do not have. The logarithm is
    that of 1 + x / scale, which leaves small values as they lie. In a positive feature that spans orders of
    magnitude, factors count among small values too, so that its scale is below all but the smallest of them.
    Source: Yeo and Johnson, Biometrika 87 (2000).

    Args:
        threshold: skewness up to which a feature stays unchanged.

    Attributes:
        scale_: distance from zero at which the transform begins to bend, (n_features,).
        exponent_: exponents, (n_features,), 1 meaning unchanged.
    """

    def __init__(self, threshold: float = 1.0) -> None:
        self.threshold = threshold

    def fit(self, X: F64, y: Any = None) -> SkewReducer:
        """Learn the exponents from X (n_users, n_features)."""
        step = max(1, len(X) // SKEW_FIT_ROWS)
        sample = X[::step]
        deviation = sample - sample.mean(axis=0)
        spread = np.sqrt((deviation**2).mean(axis=0))
        spread[spread == 0] = 1.0
        skew = ((deviation / spread) ** 3).mean(axis=0)
        self.scale_, self.exponent_ = np.ones(X.shape[1]), np.ones(X.shape[1])
        for j in np.flatnonzero(np.abs(skew) > self.threshold):
            if is_divided(sample[:, j], DIVIDED):
                continue
            self.scale_[j] = _bending_point(sample[:, j])
            scaled = sample[:, j] / self.scale_[j]
            best = minimize_scalar(
                lambda exponent, x=scaled: -yeojohnson_llf(exponent, x), bounds=(0.0, 2.0), method="bounded"
            )
            self.exponent_[j] = float(best.x)
        return self

    def transform(self, X: F64) -> F64:
        """Return a transformed copy of X of the same shape."""
        changed = np.flatnonzero(self.exponent_ != 1.0)
        result = X.copy()
        if len(changed):
            result[:, changed] = _yeo_johnson(X[:, changed] / self.scale_[changed], self.exponent_[changed])
        return result


def _bending_point(values: F64) -> float:
    """Return the scale of a skewed feature (n,): its median size, or less where it is positive and spans much."""
    low, high = np.quantile(values, [0.05, 0.95])
    if values.min() > 0 and high >= WIDE * low:
        return float(low / LOG_REACH)
    away = np.abs(values)
    return float(np.median(away[away > 0]))


def _yeo_johnson(X: F64, exponent: F64) -> F64:
    """Compute the Yeo-Johnson transform of X (n, d) with exponents (d,) strictly between 0 and 2."""
    size = np.log1p(np.abs(X))
    return np.asarray(
        np.where(
            X >= 0, np.expm1(size * exponent) / exponent, -np.expm1(size * (2.0 - exponent)) / (2.0 - exponent)
        )
    )


@persistable
class Scaler(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Scale features to mean 0 and standard deviation 1, or to 1/√levels for flags and the levels of a category.

    A flag of standard deviation 1 has its two values two or more deviations apart, farther than the groups of most
    columns, and would divide the users by itself.

    Args:
        levels: number of levels of the category to which each feature belongs, 1 for a number; None means that all
            are numbers.

    Attributes:
        mean_: means, (n_features,).
        spread_: standard deviations times √levels, (n_features,), infinite for constant features.
    """

    def __init__(self, levels: Sequence[int] | None = None) -> None:
        self.levels = levels

    def fit(self, X: F64, y: Any = None) -> Scaler:
        """Learn from X (n_users, n_features)."""
        self.mean_ = X.mean(axis=0)
        spread = X.std(axis=0)
        levels = np.ones(X.shape[1]) if self.levels is None else np.array(self.levels, dtype=float)
        low, high = X.min(axis=0), X.max(axis=0)
        is_flag = np.all((low == X) | (high == X), axis=0)
        weights = np.sqrt(np.where(is_flag, np.maximum(levels, 2.0), levels))
        self.spread_ = np.where(spread > 1e-12 * np.maximum(1.0, np.abs(self.mean_)), spread * weights, np.inf)
        return self

    def transform(self, X: F64) -> F64:
        """Return a scaled copy of X of the same shape; a feature that winsorizing made constant becomes 0."""
        return np.asarray((X - self.mean_) / self.spread_)


@persistable
class Components(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Keep principal components that carry more variance than chance (Horn's parallel analysis).

    A component is kept if its eigenvalue exceeds the `quantile` of the eigenvalues of the same matrix with every
    column shuffled independently. At least two are kept. Up to `whole` columns, all are kept: k groups span up to
    k - 1 directions, and the strong ones take the variance by which the weak ones would exceed chance. Of twenty
    columns, the directions of noise cost k-means little, and one that tells two groups apart costs it both.
    Sources: Horn, Psychometrika 30 (1965); Glorfeld (1995) for the quantile.

    Args:
        quantile: quantile of the shuffled eigenvalues.
        whole: number of columns up to which all components are kept.
        shuffles: number of shuffled matrices.
        seed: seed of the shuffles.
        max_rows: rows of the sample that is shuffled.

    Attributes:
        mean_: means, (d,).
        components_: loadings, (n_components, d).
        variance_: variance of each kept component, (n_components,).
        kept_variance_: share of the total variance that the kept components carry.
        eigenvalues_: all eigenvalues, (d,).
        chance_: quantiles of the shuffled eigenvalues, (d,).
    """

    def __init__(
        self,
        quantile: float = 0.95,
        whole: int = 20,
        shuffles: int = 20,
        seed: int = 0,
        max_rows: int = 20_000,
    ) -> None:
        self.quantile = quantile
        self.whole = whole
        self.shuffles = shuffles
        self.seed = seed
        self.max_rows = max_rows

    def fit(self, X: F64, y: Any = None) -> Components:
        """Learn from X (n_users, d)."""
        generator = np.random.default_rng(self.seed)
        self.mean_ = X.mean(axis=0)
        covariance = np.atleast_2d(np.cov(X - self.mean_, rowvar=False, bias=True))
        values, vectors = np.linalg.eigh(covariance)
        values, vectors = np.maximum(values[::-1], 0.0), vectors[:, ::-1]
        rows = generator.permutation(len(X))[: self.max_rows]
        sample = X[rows] - self.mean_
        null = np.empty((self.shuffles, X.shape[1]))
        for shuffle in range(self.shuffles):
            shuffled = generator.permuted(sample, axis=0)
            null[shuffle] = np.linalg.eigvalsh(np.atleast_2d(np.cov(shuffled, rowvar=False, bias=True)))[::-1]
        self.eigenvalues_, self.chance_ = values, np.quantile(null, self.quantile, axis=0)
        beyond = values > self.chance_
        signal = len(values) if beyond.all() else int(np.argmin(beyond))
        count = X.shape[1] if X.shape[1] <= self.whole else max(2, signal)
        # The sign of a component is arbitrary; a positive largest loading keeps maps comparable between runs.
        kept = vectors[:, :count].T
        largest = np.abs(kept).argmax(axis=1)
        self.components_ = kept * np.sign(kept[np.arange(count), largest])[:, None]
        self.variance_ = values[:count]
        self.kept_variance_ = float(values[:count].sum() / values.sum()) if values.sum() > 0 else 0.0
        return self

    def transform(self, X: F64) -> F64:
        """Project X (n_users, d) onto the components (n_users, n_components)."""
        return np.asarray((X - self.mean_) @ self.components_.T)

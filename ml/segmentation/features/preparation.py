"""The steps between raw features and the space in which segments are sought; each is a scikit-learn transformer.

Every step keeps what it learned in arrays, works on one row as on a million, and tells what it did.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.stats import yeojohnson_llf
from sklearn.base import BaseEstimator, TransformerMixin

from ml.arrays import F64
from ml.errors import InvalidInputError
from ml.segmentation.features.features import matches_any
from ml.segmentation.persistence import persistable

MISSING_RULES = ("median", "mean", "zero")
MAD_TO_SD = 1.4826  # median absolute deviation of a normal distribution, as a standard deviation
SKEW_FIT_ROWS = 20_000  # the exponent of one feature is stable to ±.02 at this many rows


@persistable
class Imputer(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Fill missing values by a rule a feature; drop features with fewer than two distinct values.

    Args:
        names: names of the incoming columns.
        rules: shell pattern of names → `median`, `mean`, `zero` or a number; the first match counts, else
        `median`.

    Learned: `kept_` (indices), `fill_` and `missing_` (value and count of each kept feature), `dropped_`
    (name and reason of the others).
    """

    def __init__(self, names: list[str], rules: Mapping[str, str | float] | None = None) -> None:
        self.names = names
        self.rules = rules

    def fit(self, X: F64, y: Any = None) -> Imputer:
        """Learn from X (n_users, n_features); where no feature varies, none is kept."""
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
        self.fill_ = np.array([self._value(self.names[j], X[present[:, j], j]) for j in self.kept_])
        self.missing_ = len(X) - counts[self.kept_]
        return self

    def _value(self, name: str, values: F64) -> float:
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
        """X (n_users, n_features) → filled (n_users, n_kept)."""
        X = X[:, self.kept_]
        return np.where(np.isfinite(X), X, self.fill_)

    @property
    def kept_names(self) -> list[str]:
        """Names of the outgoing columns."""
        return [self.names[j] for j in self.kept_]


@persistable
class Winsorizer(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Pull values beyond median ± `limit` robust standard deviations back to that bound.

    The spread on each side is the median distance of that side's values from the median, so a skewed feature keeps
    its long side; where half the values are equal, the 1st and 99th percentiles bound it instead.

    Learned: `low_`, `high_` (n_features,), `changed_`: how many values of the fitted table were pulled back.
    """

    def __init__(self, limit: float = 6.0) -> None:
        self.limit = limit

    def fit(self, X: F64, y: Any = None) -> Winsorizer:
        """Learn the bounds from X (n_users, n_features)."""
        first, median, last = np.quantile(X, [0.01, 0.5, 0.99], axis=0)
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
        """How far from the median one side may go, in the feature's unit."""
        if not len(distances):
            return 0.0
        robust = self.limit * MAD_TO_SD * float(np.median(distances))
        return max(robust, float(tail))

    def transform(self, X: F64) -> F64:
        """Clipped copy of X, same shape."""
        return np.clip(X, self.low_, self.high_)


@persistable
class SkewReducer(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Yeo-Johnson transform of features whose skewness is beyond `threshold`; the others pass unchanged.

    The exponent is kept between 0 (logarithm) and 2, so that a feature that is mostly zero is not torn into two
    heaps that the data do not have. Source: Yeo and Johnson, Biometrika 87 (2000).

    Learned: `scale_` (typical distance from zero), `exponent_` (n_features,), 1 meaning unchanged.
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
            away = np.abs(sample[:, j])
            self.scale_[j] = float(np.median(away[away > 0]))
            scaled = sample[:, j] / self.scale_[j]
            best = minimize_scalar(
                lambda exponent, x=scaled: -yeojohnson_llf(exponent, x), bounds=(0.0, 2.0), method="bounded"
            )
            self.exponent_[j] = float(best.x)
        return self

    def transform(self, X: F64) -> F64:
        """Transformed copy of X, same shape."""
        changed = np.flatnonzero(self.exponent_ != 1.0)
        result = X.copy()
        if len(changed):
            result[:, changed] = _yeo_johnson(X[:, changed] / self.scale_[changed], self.exponent_[changed])
        return result


def _yeo_johnson(X: F64, exponent: F64) -> F64:
    """Yeo-Johnson transform of X (n, d) with exponents (d,) strictly between 0 and 2, as the search gives."""
    size = np.log1p(np.abs(X))
    return np.asarray(
        np.where(
            X >= 0, np.expm1(size * exponent) / exponent, -np.expm1(size * (2.0 - exponent)) / (2.0 - exponent)
        )
    )


@persistable
class Scaler(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Mean 0 and standard deviation 1. Learned: `mean_`, `spread_` (n_features,)."""

    def fit(self, X: F64, y: Any = None) -> Scaler:
        """Learn from X (n_users, n_features)."""
        self.mean_ = X.mean(axis=0)
        spread = X.std(axis=0)
        self.spread_ = np.where(spread > 1e-12 * np.maximum(1.0, np.abs(self.mean_)), spread, np.inf)
        return self

    def transform(self, X: F64) -> F64:
        """Scaled copy of X, same shape; a feature that winsorising made constant becomes 0."""
        return np.asarray((X - self.mean_) / self.spread_)


@persistable
class Components(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Principal components that carry more variance than chance would (Horn's parallel analysis), at least two.

    A component stays if its eigenvalue exceeds the `quantile` of those of the same matrix with every column
    shuffled by itself. Source: Horn, Psychometrika 30 (1965); Glorfeld (1995) for the quantile.

    Learned: `mean_` (d,), `components_` (n_components, d), `variance_` (n_components,), `kept_variance_`: share of
    the whole variance that the kept components carry, `eigenvalues_` and `chance_` (d,).
    """

    def __init__(self, quantile: float = 0.95, shuffles: int = 20, seed: int = 0, max_rows: int = 20_000) -> None:
        self.quantile = quantile
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
        count = min(X.shape[1], max(2, signal))
        # The sign of a component is free; the largest loading positive makes maps comparable between runs.
        kept = vectors[:, :count].T
        largest = np.abs(kept).argmax(axis=1)
        self.components_ = kept * np.sign(kept[np.arange(count), largest])[:, None]
        self.variance_ = values[:count]
        self.kept_variance_ = float(values[:count].sum() / values.sum()) if values.sum() > 0 else 0.0
        return self

    def transform(self, X: F64) -> F64:
        """X (n_users, d) → scores (n_users, n_components)."""
        return np.asarray((X - self.mean_) @ self.components_.T)

"""Which features to segment by: those that go with engagement, conversion or each other, and no two of the same.

Association is measured by mutual information between quantile bins, tested by its chi-square limit (2·n·MI), and
the tests of all features are held together by Benjamini and Hochberg's false-discovery rate (JRSS B 57, 1995).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.stats import chi2, rankdata
from sklearn.base import BaseEstimator, TransformerMixin

from ml.arrays import F64, I64, Bools
from ml.segmentation.persistence import persistable

BINS = 6


@persistable
class FeatureSelector(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Keep relevant, non-redundant features.

    Args:
        names: names of the incoming columns.
        false_discovery_rate: expected share of irrelevant features among the kept ones.
        minimum_information: mutual information in nats below which an association is too weak to be of use,
        however
            sure it is.
        redundant_correlation: absolute rank correlation from which two features tell the same.
        max_rows: rows of the sample used for the tests.

    With targets `y` (n_users, n_targets) a feature is relevant if it goes with a target; features that go with
    another feature are relevant as well, since a segment shows in features that move together. If nothing is
    relevant everything is kept, and the test for structure has the word.

    Learned: `kept_` (indices), `information_` and `p_value_` (n_features,) of the strongest association,
    `partner_` (its other side), `dropped_` ([name, reason]).
    """

    def __init__(
        self,
        names: list[str],
        target_names: list[str] | None = None,
        *,
        false_discovery_rate: float = 0.05,
        minimum_information: float = 0.005,
        redundant_correlation: float = 0.95,
        max_rows: int = 20_000,
    ) -> None:
        self.names = names
        self.target_names = target_names
        self.false_discovery_rate = false_discovery_rate
        self.minimum_information = minimum_information
        self.redundant_correlation = redundant_correlation
        self.max_rows = max_rows

    def fit(self, X: F64, y: F64 | None = None) -> FeatureSelector:
        """Learn from X (n_users, n_features), prepared and without missing values, and targets y or None."""
        step = max(1, len(X) // self.max_rows)
        sample = X[::step]
        targets = np.empty((len(sample), 0)) if y is None else y[::step]
        target_names = (self.target_names or []) if y is not None else []
        self.correlation_ = rank_correlations(sample)
        information, p_value, partner = self._associations(sample, targets, target_names)
        self.information_, self.p_value_, self.partner_ = information, p_value, partner
        relevant = benjamini_hochberg(p_value, self.false_discovery_rate) & (
            information >= self.minimum_information
        )
        if not relevant.any():
            relevant[:] = True
        self.dropped_ = [
            [name, f"goes with nothing: mutual information {value:.4f} nats at most, p = {p:.2g}"]
            for name, value, p, keep in zip(self.names, information, p_value, relevant, strict=True)
            if not keep
        ]
        kept: list[int] = []
        for j in sorted(np.flatnonzero(relevant), key=lambda j: (-information[j], j)):
            twin = next((i for i in kept if abs(self.correlation_[i, j]) >= self.redundant_correlation), None)
            if twin is None:
                kept.append(int(j))
            else:
                r = self.correlation_[twin, j]
                self.dropped_.append(
                    [self.names[j], f"tells the same as {self.names[twin]} (rank correlation {r:.2f})"]
                )
        self.kept_ = np.array(sorted(kept), dtype=np.int64)
        return self

    def _associations(self, X: F64, targets: F64, target_names: list[str]) -> tuple[F64, F64, list[str]]:
        """Largest information, its p-value (Bonferroni over partners) and its partner, for each feature."""
        n, others = X.shape[1], self.names + target_names
        columns = np.column_stack([X, targets])
        between, degrees = mutual_information([quantile_codes(column) for column in columns.T])
        np.fill_diagonal(degrees, 0)
        degrees[:n, :n][np.abs(self.correlation_) >= self.redundant_correlation] = 0  # a twin proves nothing
        log_p = np.zeros_like(between)
        tested = degrees > 0
        log_p[tested] = chi2.logsf(2 * len(X) * between[tested], degrees[tested])
        information, surest = np.zeros(n), np.zeros(n)
        partner = [""] * n
        for i in np.flatnonzero(tested[:n].any(axis=1)):
            # p-values of strong associations are all 0; of equal ones the larger information is the stronger
            j = min(np.flatnonzero(tested[i]), key=lambda j: (log_p[i, j], -between[i, j]))
            information[i], surest[i], partner[i] = between[i, j], log_p[i, j], others[j]
        tests = max(1, columns.shape[1] - 1)
        return information, np.exp(np.minimum(0.0, surest + np.log(tests))), partner

    def transform(self, X: F64) -> F64:
        """X (n_users, n_features) → (n_users, n_kept)."""
        return X[:, self.kept_]

    @property
    def kept_names(self) -> list[str]:
        """Names of the outgoing columns."""
        return [self.names[j] for j in self.kept_]

    def get_state(self) -> dict[str, Any]:
        """State as arrays and plain values."""
        return {key[:-1]: value for key, value in vars(self).items() if key.endswith("_")}

    def set_state(self, state: dict[str, Any]) -> None:
        """Inverse of `get_state`."""
        for key, value in state.items():
            setattr(self, f"{key}_", value)


def rank_correlations(X: F64) -> F64:
    """Spearman's correlations (n_features, n_features); 0 where a feature is constant."""
    ranks = rankdata(X, axis=0) - (len(X) + 1) / 2
    norms = np.sqrt((ranks**2).sum(axis=0))
    norms[norms == 0] = np.inf
    return np.asarray((ranks / norms).T @ (ranks / norms))


def quantile_codes(values: F64) -> I64:
    """Bin number (n,) of each value; up to `BINS` bins of equal counts, equal values in one bin."""
    edges = np.unique(np.quantile(values, np.linspace(0, 1, BINS + 1)[1:-1]))
    codes = np.searchsorted(edges, values, side="left")
    return np.unique(codes, return_inverse=True)[1].astype(np.int64)


def mutual_information(codes: list[I64]) -> tuple[F64, I64]:
    """Mutual information in nats of every pair of columns (d, d), and the degrees of freedom of 2·n·MI.

    Args:
        codes: of each column (n,), numbered from 0 without gaps. The degrees are those under independence.
    """
    levels = np.array([int(column.max()) + 1 for column in codes])
    first = np.concatenate([[0], np.cumsum(levels)[:-1]])
    indicators = np.zeros((len(codes[0]), int(levels.sum())), dtype=np.float32)  # counts are exact up to 2**24
    for start, column in zip(first, codes, strict=True):
        indicators[np.arange(len(column)), start + column] = 1.0
    joint = (indicators.T @ indicators).astype(np.float64) / len(indicators)
    share = np.diagonal(joint)
    terms = joint * np.log(np.divide(joint, share * share[:, None], where=joint > 0, out=np.ones_like(joint)))
    between = np.add.reduceat(np.add.reduceat(terms, first, axis=0), first, axis=1)
    return between, (levels[:, None] - 1) * (levels - 1)


def benjamini_hochberg(p_values: F64, rate: float) -> Bools:
    """Which hypotheses to reject so that the expected share of false rejections is at most `rate`."""
    order = np.argsort(p_values)
    below = p_values[order] <= rate * np.arange(1, len(p_values) + 1) / len(p_values)
    rejected = np.zeros(len(p_values), dtype=bool)
    if below.any():
        rejected[order[: np.flatnonzero(below).max() + 1]] = True
    return rejected

"""Select features that are associated with engagement, conversion or each other, and drop redundant ones.

Association is measured by the mutual information between quantile bins and tested by its chi-square limit
(2·n·MI), or by the rank correlation, whichever is the surer: the information finds associations of any form, the
correlation monotone ones among few users, where the many cells of a pair of columns hide them. The tests of all
features share one false discovery rate (Benjamini and Hochberg, JRSS B 57, 1995).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.stats import chi2, false_discovery_control, rankdata, t
from sklearn.base import BaseEstimator, TransformerMixin

from ml.arrays import F64, I64, Bools
from ml.segmentation.clusters.separation import is_divided
from ml.segmentation.persistence import persistable

BINS = 6


@persistable
class FeatureSelector(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Keep relevant, non-redundant features.

    With targets, a feature is relevant if it is associated with a target. Features that are associated with
    another feature are relevant as well, because segments show in features that vary together, and so are features
    that alone fall into two groups, because each of many features may tell one segment from the others. If no
    feature is relevant, all are kept and the choice of clustering decides whether there is structure.

    The levels of a category exclude each other, which is no evidence for any of them. A category is kept or
    dropped as a whole: it is relevant if one of its levels is.

    Args:
        names: names of the incoming columns.
        target_names: names of the target columns.
        false_discovery_rate: expected share of irrelevant features among the kept ones.
        minimum_information: mutual information in nats below which an association is too weak to be useful,
            however significant it is.
        redundant_correlation: absolute rank correlation from which two features carry the same information.
        max_rows: size of the sample used for the tests.
        categories: for each category, the incoming columns that are its levels.

    Attributes:
        kept_: indices of the kept features.
        information_: mutual information of each feature's strongest association, (n_features,).
        p_value_: p-value of that association, (n_features,).
        partner_: the other side of that association.
        dropped_: name and reason of each dropped feature.
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
        categories: list[list[int]] | None = None,
    ) -> None:
        self.names = names
        self.target_names = target_names
        self.false_discovery_rate = false_discovery_rate
        self.minimum_information = minimum_information
        self.redundant_correlation = redundant_correlation
        self.max_rows = max_rows
        self.categories = categories

    def fit(self, X: F64, y: F64 | None = None) -> FeatureSelector:
        """Learn from prepared X (n_users, n_features) and, unless it is None, from targets y (n_users, n_targets).

        X has no missing values.
        """
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
        levels = np.zeros(len(relevant), bool)
        for category in self.categories or ():
            relevant[category] = relevant[category].any()
            levels[category] = len(category) > 1
        for j in np.flatnonzero(~relevant & ~levels):
            relevant[j] = is_divided(sample[:, j], self.false_discovery_rate)
        if not relevant.any():
            relevant[:] = True
        self.dropped_ = [
            [name, f"not associated with anything: mutual information at most {value:.4f} nats, p = {p:.2g}"]
            for name, value, p, keep in zip(self.names, information, p_value, relevant, strict=True)
            if not keep
        ]
        kept: list[int] = []
        for j in sorted(np.flatnonzero(relevant), key=lambda j: (-information[j], j)):
            duplicate = next((i for i in kept if abs(self.correlation_[i, j]) >= self.redundant_correlation), None)
            if duplicate is None:
                kept.append(int(j))
            else:
                r = self.correlation_[duplicate, j]
                self.dropped_.append(
                    [self.names[j], f"redundant with {self.names[duplicate]} (rank correlation {r:.2f})"]
                )
        self.kept_ = np.array(sorted(kept), dtype=np.int64)
        return self

    def _associations(self, X: F64, targets: F64, target_names: list[str]) -> tuple[F64, F64, list[str]]:
        """Return the information and the p-value of each feature's surest association, and its partner.

        The p-value is corrected for the two tests of each pair and for the partners (Bonferroni).
        """
        n, others = X.shape[1], self.names + target_names
        columns = np.column_stack([X, targets])
        between, degrees = mutual_information([quantile_codes(column) for column in columns.T])
        np.fill_diagonal(degrees, 0)
        # A redundant feature is no evidence for another.
        degrees[:n, :n][np.abs(self.correlation_) >= self.redundant_correlation] = 0
        for category in self.categories or ():
            degrees[np.ix_(category, category)] = 0
        log_p = np.zeros_like(between)
        tested = degrees > 0
        log_p[tested] = np.minimum(
            chi2.logsf(2 * len(X) * between[tested], degrees[tested]),
            _log_p_of_correlations(rank_correlations(columns)[tested], len(X)),
        )
        information, surest = np.zeros(n), np.zeros(n)
        partner = [""] * n
        for i in np.flatnonzero(tested[:n].any(axis=1)):
            # The p-values of strong associations are all 0; among equal ones the larger information is stronger.
            j = min(np.flatnonzero(tested[i]), key=lambda j: (log_p[i, j], -between[i, j]))
            information[i], surest[i], partner[i] = between[i, j], log_p[i, j], others[j]
        tests = 2 * max(1, columns.shape[1] - 1)
        return information, np.exp(np.minimum(0.0, surest + np.log(tests))), partner

    def transform(self, X: F64) -> F64:
        """Select the kept columns: X (n_users, n_features) → (n_users, n_kept)."""
        return X[:, self.kept_]

    @property
    def kept_names(self) -> list[str]:
        """Return the names of the outgoing columns."""
        return [self.names[j] for j in self.kept_]

    def get_state(self) -> dict[str, Any]:
        """Return the learned state as arrays and plain values."""
        return {key[:-1]: value for key, value in vars(self).items() if key.endswith("_")}

    def set_state(self, state: dict[str, Any]) -> None:
        """Restore what `get_state` returned."""
        for key, value in state.items():
            setattr(self, f"{key}_", value)


def rank_correlations(X: F64) -> F64:
    """Compute Spearman's correlations (n_features, n_features); constant features have correlation 0."""
    ranks = rankdata(X, axis=0) - (len(X) + 1) / 2
    norms = np.sqrt((ranks**2).sum(axis=0))
    norms[norms == 0] = np.inf
    return np.asarray((ranks / norms).T @ (ranks / norms))


def _log_p_of_correlations(correlations: F64, rows: int) -> F64:
    """Return the logarithms of the two-sided p-values of rank correlations, by the t distribution."""
    freedom = max(1, rows - 2)
    strength = np.abs(correlations) * np.sqrt(freedom / np.maximum(1 - correlations**2, 1e-12))
    return np.asarray(np.minimum(t.logsf(strength, freedom) + np.log(2), 0.0))


def quantile_codes(values: F64) -> I64:
    """Number each value's quantile bin (n,).

    There are at most `BINS` bins of equal counts, and equal values are in the same bin.
    """
    edges = np.unique(np.quantile(values, np.linspace(0, 1, BINS + 1)[1:-1]))
    codes = np.searchsorted(edges, values, side="left")
    return np.unique(codes, return_inverse=True)[1].astype(np.int64)


def mutual_information(codes: list[I64]) -> tuple[F64, I64]:
    """Compute the mutual information in nats of every pair of columns.

    Args:
        codes: bin numbers of each column (n,), from 0 without gaps.

    Returns:
        The information (d, d) and the degrees of freedom of 2·n·MI under independence (d, d).
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
    """Mark the hypotheses to reject so that the expected share of false rejections is at most `rate`."""
    return np.asarray(false_discovery_control(p_values, method="bh") <= rate)

"""The prepared features of users, and the scores in which segments are sought."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from ml.arrays import F64, I64, Bools


@dataclass(frozen=True)
class FeatureSpace:
    """Prepared features and their projection.

    Attributes:
        features: scaled features with mean 0, (n, d).
        loadings: directions of the scores, (c, d).
        categories: for each category, the columns of `features` that are its levels.
    """

    features: F64
    loadings: F64
    categories: Sequence[Sequence[int]] = ()

    @cached_property
    def scores(self) -> F64:
        """Return the scores (n, c)."""
        return self.project(self.features)

    def project(self, features: F64) -> F64:
        """Return the scores (m, c) of features (m, d)."""
        return features @ self.loadings.T

    def take(self, rows: I64 | Bools) -> FeatureSpace:
        """Return the space of these users only."""
        return FeatureSpace(self.features[rows], self.loadings, self.categories)

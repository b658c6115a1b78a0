"""Sufficient statistics: counts, sums and products of a metric's columns by variant, stratum and cohort day.

All results about means, proportions and ratios are computed from these few numbers, whatever the number of units.
They can be added over strata and days, and convert to tea-tasting's aggregates.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import tea_tasting.aggr

from ml.arrays import F64, I64

_BLOCK_ROWS = 1 << 18
_ROUNDING = 1e-12


@dataclass(frozen=True)
class Moments:
    """Moments about `shift`, which preserves precision when variances are computed.

    Attributes:
        names: names of the k columns.
        shift: value that is subtracted from each column, (k,).
        count: units, (variants, strata, days).
        sums: sums of `column - shift`, (variants, strata, days, k).
        products: products of `column - shift`, (variants, strata, days, k, k).
    """

    names: tuple[str, ...]
    shift: F64
    count: F64
    sums: F64
    products: F64

    def aggregate(
        self, variant: int, strata: Sequence[int] | None = None, *, days: slice = slice(None)
    ) -> tea_tasting.aggr.Aggregates:
        """Add up the groups of a variant, over some or all strata and cohort days."""
        part = self if strata is None else self.select_strata(strata)
        index = (variant, slice(None), days)
        return self._to_aggregates(
            part.count[index].sum(), part.sums[index].sum(axis=(0, 1)), part.products[index].sum(axis=(0, 1))
        )

    def select_strata(self, strata: Sequence[int]) -> Moments:
        """Return the moments of some strata."""
        index = list(strata)
        return replace(
            self, count=self.count[:, index], sums=self.sums[:, index], products=self.products[:, index]
        )

    def select_days(self, days: Sequence[int]) -> Moments:
        """Return the moments of some cohort days."""
        index = list(days)
        return replace(
            self, count=self.count[:, :, index], sums=self.sums[:, :, index], products=self.products[:, :, index]
        )

    @property
    def days(self) -> int:
        """Return the number of cohort days."""
        return int(self.count.shape[2])

    @property
    def strata(self) -> int:
        """Return the number of strata."""
        return int(self.count.shape[1])

    def _to_aggregates(self, count: float, sums: F64, products: F64) -> tea_tasting.aggr.Aggregates:
        """Convert sums over groups to tea-tasting's aggregates."""
        with np.errstate(invalid="ignore", divide="ignore"):
            means = sums / count + self.shift
            # Where every value is 0, the shifted ones may add up to a trace of rounding, not to 0.
            means = np.where(np.abs(means) <= _ROUNDING * np.abs(self.shift), 0.0, means)
            covariance = (products - np.outer(sums, sums) / count) / (count - 1)
        variance = np.maximum(np.diag(covariance), 0.0)
        return tea_tasting.aggr.Aggregates(
            count_=int(count),
            mean_={name: float(means[i]) for i, name in enumerate(self.names)},
            var_={name: float(variance[i]) for i, name in enumerate(self.names)},
            cov_={
                (left, right): float(covariance[i, j])
                for i, left in enumerate(self.names)
                for j, right in enumerate(self.names)
                if i < j
            },
        )


def accumulate_moments(
    columns: dict[str, F64],
    group: I64,
    shape: tuple[int, int, int],
) -> Moments:
    """Accumulate the moments of per-unit columns in blocks, so that the extra memory does not grow with the units.

    Args:
        columns: name → float64 values, (n_units,).
        group: flat index of each unit into `shape`, or -1 for a unit to leave out, (n_units,).
        shape: numbers of variants, strata and days.
    """
    names = tuple(columns)
    k, groups = len(names), int(np.prod(shape))
    kept = group >= 0
    total = int(np.count_nonzero(kept))
    shift = np.array(
        [float(np.sum(columns[name], where=kept)) / total if total else 0.0 for name in names], dtype=np.float64
    )
    count = np.zeros(groups)
    sums = np.zeros((groups, k))
    products = np.zeros((groups, k, k))
    for start in range(0, len(group), _BLOCK_ROWS):
        block = slice(start, start + _BLOCK_ROWS)
        rows = kept[block]
        # Group 0 of the padded table collects the units that are left out, and is dropped.
        index = np.where(rows, group[block] + 1, 0)
        count += np.bincount(index, minlength=groups + 1)[1:]
        centred = [columns[name][block] - shift[i] for i, name in enumerate(names)]
        for i in range(k):
            sums[:, i] += np.bincount(index, weights=centred[i], minlength=groups + 1)[1:]
            for j in range(i, k):
                product = np.bincount(index, weights=centred[i] * centred[j], minlength=groups + 1)[1:]
                products[:, i, j] += product
                if i != j:
                    products[:, j, i] += product
    return Moments(names, shift, count.reshape(shape), sums.reshape(*shape, k), products.reshape(*shape, k, k))

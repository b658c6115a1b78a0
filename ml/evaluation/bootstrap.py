"""Bootstrap confidence intervals, over users, of means and of differences of means."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ml.arrays import F64

RESAMPLES = 2_000
FEWEST_JUDGES = 100  # users from whom on an interval tells two models apart
FEWEST_VALUES = 2  # that have an interval
CHUNK = 100  # resamples drawn at a time: bounds the memory at 100 numbers a user


@dataclass(frozen=True)
class Interval:
    """A mean with its interval; `confidence` is the share of resamples inside."""

    mean: float
    low: float
    high: float
    confidence: float

    @property
    def bounds(self) -> str:
        """The bounds, for people to read."""
        return "none" if np.isnan(self.low) else f"{self.low:.4f} to {self.high:.4f}"

    @property
    def holds_zero(self) -> bool:
        """Whether 0 lies inside or at a bound, or the interval is undefined: nothing can be told from chance."""
        return not (self.low > 0 or self.high < 0)


def mean_interval(values: F64, confidence: float = 0.95, resamples: int = RESAMPLES, seed: int = 0) -> Interval:
    """Percentile interval (Efron 1979) of the mean of one value a user; undefined values (NaN) are left out.

    The bounds are NaN where fewer than two values are defined: one value does not say how much others vary.
    """
    defined = values[~np.isnan(values)]
    if len(defined) < FEWEST_VALUES:
        mean = float(defined[0]) if len(defined) else float("nan")
        return Interval(mean, float("nan"), float("nan"), confidence)
    random = np.random.default_rng(seed)
    means = np.concatenate(
        [
            random.poisson(1.0, (CHUNK, len(defined))).astype(np.float32)
            @ np.column_stack([defined, np.ones(len(defined))])
            for _ in range(-(-resamples // CHUNK))
        ]
    )
    drawn = means[means[:, 1] > 0]  # a resample of few values may be empty
    ratios = drawn[:, 0] / drawn[:, 1]
    low, high = np.quantile(ratios, [(1 - confidence) / 2, (1 + confidence) / 2])
    return Interval(float(defined.mean()), float(low), float(high), confidence)


def paired_difference(
    values: F64, others: F64, confidence: float = 0.95, resamples: int = RESAMPLES, seed: int = 0
) -> Interval:
    """Interval of the mean gain of `values` over `others`, both for the same users in the same order.

    Raises:
        ValueError: the two are of different length.
    """
    if len(values) != len(others):
        raise ValueError(f"{len(values)} users against {len(others)}: a paired comparison needs the same users")
    return mean_interval(values - others, confidence, resamples, seed)

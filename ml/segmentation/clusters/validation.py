"""Validate segments by later outcomes, compared with random segments of the same sizes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ml.arrays import F64, I64
from ml.segmentation.clusters.algorithms import NOISE
from ml.segmentation.features.features import USER_ID, to_floats


@dataclass(frozen=True)
class SegmentOutcome:
    """Mean outcome in a segment with its 95% interval."""

    segment: int
    users: int
    mean: float
    low: float
    high: float


@dataclass(frozen=True)
class PredictiveValidity:
    """Share of an outcome's variance that lies between segments, compared with random segments of the same sizes.

    Attributes:
        outcome: name of the outcome.
        users: number of users.
        explained: eta squared of the segments.
        by_chance: mean eta squared over random divisions.
        by_chance_high: 97.5th percentile over random divisions.
        p_value: share of random divisions that explain at least as much.
        segments: mean outcome of each segment.
    """

    outcome: str
    users: int
    explained: float
    by_chance: float
    by_chance_high: float
    p_value: float
    segments: tuple[SegmentOutcome, ...]


def validate_segments(
    assignments: pa.Table, outcomes: pa.Table, draws: int, seed: int = 0
) -> list[PredictiveValidity]:
    """Measure how well segments predict what happened after they were formed.

    Args:
        assignments: `user_id, segment`, formed from data before the period; noise counts as a segment of its own.
        outcomes: `user_id` and numeric columns measured in the period; users who are absent did nothing and count
            as 0. A column without any value is left out: nobody measured it.
        draws: number of random divisions of the same sizes.
        seed: seed of the random divisions.
    """
    rows = pc.index_in(
        assignments.column(USER_ID).cast(pa.string()), value_set=outcomes.column(USER_ID).cast(pa.string())
    )
    segments = assignments.column("segment").to_numpy()
    results = []
    for name in outcomes.column_names:
        is_unknown = 0 < outcomes.num_rows == outcomes.column(name).null_count
        if name != USER_ID and not is_unknown:
            values = np.nan_to_num(
                to_floats(pa.chunked_array([outcomes.column(name).combine_chunks().take(rows)]))
            )
            results.append(_measure_validity(name, values, segments, draws, seed))
    return results


def _measure_validity(name: str, values: F64, segments: I64, draws: int, seed: int) -> PredictiveValidity:
    """Compare the explained variance of one outcome with that of random divisions."""
    ids, codes = np.unique(segments, return_inverse=True)
    explained = eta_squared(values, codes)
    generator = np.random.default_rng(seed)
    chance = np.array([eta_squared(values, generator.permutation(codes)) for _ in range(draws)])
    return PredictiveValidity(
        outcome=name,
        users=len(values),
        explained=explained,
        by_chance=float(chance.mean()),
        by_chance_high=float(np.quantile(chance, 0.975)),
        p_value=float((1 + (chance >= explained).sum()) / (1 + draws)),
        segments=tuple(
            _mean_outcome(int(segment), values[codes == code])
            for code, segment in enumerate(ids)
            if segment != NOISE
        ),
    )


def eta_squared(values: F64, codes: I64) -> float:
    """Return the variance of values (n,) between groups 0..k-1 (n,) over their total variance.

    It is 0 if the values are constant.
    """
    if not len(values) or np.ptp(values) == 0:  # the mean of equal numbers is seldom exactly their value
        return 0.0
    counts = np.bincount(codes)
    means = np.bincount(codes, values) / np.maximum(counts, 1)
    return float((counts * (means - values.mean()) ** 2).sum() / ((values - values.mean()) ** 2).sum())


def _mean_outcome(segment: int, values: F64) -> SegmentOutcome:
    """Return the mean outcome of a segment with its interval."""
    mean = float(values.mean())
    error = float(values.std(ddof=1) / np.sqrt(len(values))) if len(values) > 1 else float("nan")
    return SegmentOutcome(segment, len(values), mean, mean - 1.96 * error, mean + 1.96 * error)

"""What the people of each segment are like, as plain averages over everybody in it.

The segments are shaped by people of whom much is known, and differ clearly among them. A reader takes a sentence
about a segment for all of its people, so that its figures are averages over all whose value is known.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from sklearn.pipeline import Pipeline

from ml.arrays import F64, I64

BLOCK_ROWS = 100_000  # users encoded at once
MEDIAN_ROWS = 100_000  # users among whom medians are taken


@dataclass(frozen=True)
class MemberValues:
    """Averages of each feature in each segment and outside of it, over users whose value is known; else NaN.

    Attributes:
        means: means in each segment, (k, d).
        means_outside: means of the users outside of it, (k, d).
        medians: medians in each segment, (k, d).
        medians_outside: medians of the users outside of it, (k, d).
        known_shares: share of the users of each segment whose value is known, (k, d).
    """

    means: F64
    means_outside: F64
    medians: F64
    medians_outside: F64
    known_shares: F64


def average_members(pipeline: Pipeline, numbers: Sequence[int], table: pa.Table, segments: I64) -> MemberValues:
    """Average the features of a segmentation, before missing values are filled and large ones are clipped.

    Args:
        pipeline: fitted preparation of the features.
        numbers: number of each segment.
        table: all users.
        segments: segment number of each user (n,).
    """
    steps = dict(pipeline.steps)
    encoder, kept = steps["encode"], steps["impute"].kept_
    ids = np.array([*numbers, *np.setdiff1d(segments, numbers)])  # users of no segment are others to every segment
    sums, counts = np.zeros((2, len(ids), len(kept)))
    step = max(1, -(-table.num_rows // MEDIAN_ROWS))
    sample = []
    for start in range(0, table.num_rows, BLOCK_ROWS):
        values = encoder.transform(table.slice(start, BLOCK_ROWS))[:, kept]
        part = segments[start : start + BLOCK_ROWS]
        for row, id_ in enumerate(ids):
            inside = values[part == id_]
            sums[row] += np.nansum(inside, axis=0)
            counts[row] += np.isfinite(inside).sum(axis=0)
        sample.append(values[-start % step :: step])
    shown_values = np.concatenate(sample) if sample else np.empty((0, len(kept)))
    shown = segments[::step]
    others = 1.0 - np.eye(len(ids))[: len(numbers)]
    return MemberValues(
        _divide(sums[: len(numbers)], counts[: len(numbers)]),
        _divide(others @ sums, others @ counts),
        np.array([_medians(shown_values[shown == id_]) for id_ in numbers]),
        np.array([_medians(shown_values[shown != id_]) for id_ in numbers]),
        counts[: len(numbers)] / np.maximum(1, [[(segments == id_).sum()] for id_ in numbers]),
    )


def _divide(sums: F64, counts: F64) -> F64:
    """Return sums over counts of the same shape, NaN where the count is 0."""
    return np.divide(sums, counts, out=np.full_like(sums, np.nan), where=counts > 0)


def _medians(values: F64) -> F64:
    """Return the median of the known values of each column (n, d), NaN where there are none."""
    columns = [column[np.isfinite(column)] for column in values.T]
    return np.array([np.median(column) if len(column) else np.nan for column in columns], dtype=np.float64)

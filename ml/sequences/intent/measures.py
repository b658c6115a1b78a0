"""How good chances are: ranking, calibration and log loss, by the number of actions they were told from."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from sklearn.metrics import average_precision_score, log_loss, roc_auc_score

from ml.arrays import F64, I64
from ml.sequences.intent.examples import TARGETS

BINS = 10
SMALLEST, LARGEST = 1e-6, 1 - 1e-6
MEASURES = pa.schema(
    [
        ("target", pa.string()), ("actions", pa.int64()), ("visits", pa.int64()), ("share", pa.float64()),
        ("auc", pa.float64()), ("average_precision", pa.float64()), ("log_loss", pa.float64()),
        ("calibration_error", pa.float64()),
    ]
)  # fmt: skip


def calibration_error(labels: F64, chances: F64) -> float:
    """Return the mean distance between chance and share over bins of as many rows each, weighted by their rows."""
    parts = np.array_split(np.argsort(chances, kind="stable"), BINS)
    distances = [abs(labels[part].mean() - chances[part].mean()) * len(part) for part in parts if len(part)]
    return float(np.sum(distances) / len(labels))


def calibration_error_floor(chances: F64) -> float:
    """Return about which calibration error is to be expected of chances (n,) that hold, on as few visits.

    The mean distance of a sum of yeses from its expectation is about that of a normal distribution, and for rare
    yeses or noes at most twice the number that is expected of them.
    """
    parts = [part for part in np.array_split(np.sort(chances), BINS) if len(part)]
    deviations = np.sqrt([2 / np.pi * (part * (1 - part)).sum() for part in parts])
    rarer = [min(part.sum(), (1 - part).sum()) for part in parts]
    return float(np.minimum(deviations, 2 * np.array(rarer)).sum() / len(chances))


def measure_chances(labels: F64, chances: F64, lengths: I64, at: tuple[int, ...]) -> pa.Table:
    """Measure chances as MEASURES, one row per target and number of actions.

    Args:
        labels: (n, 3) by TARGETS; NaN rows do not count.
        chances: (n, 3).
        lengths: Number of actions, (n,).
        at: The numbers of actions.
    """
    rows = []
    for number, target in enumerate(TARGETS):
        for length in at:
            is_counted = (lengths == length) & ~np.isnan(labels[:, number])
            truth, chance = labels[is_counted, number], chances[is_counted, number]
            if len(truth):
                rows.append({"target": target, "actions": length, "visits": len(truth), **measure(truth, chance)})
    return pa.Table.from_pylist(rows, schema=MEASURES)


def measure(truth: F64, chances: F64) -> dict[str, float | None]:
    """Return the measures of chances (n,); those that compare two labels are None where there is only one."""
    is_mixed = 0 < truth.mean() < 1
    return {
        "share": float(truth.mean()),
        "auc": float(roc_auc_score(truth, chances)) if is_mixed else None,
        "average_precision": float(average_precision_score(truth, chances)) if is_mixed else None,
        "log_loss": float(log_loss(truth, np.clip(chances, SMALLEST, LARGEST), labels=[0, 1])),
        "calibration_error": calibration_error(truth, chances),
    }

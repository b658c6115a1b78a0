"""What each family of features is worth to a hybrid: trained with and without it, on interactions held back.

A feature that was added and makes the ranking worse is seen here, with the interval that says how sure that is.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa
from matplotlib.figure import Figure

from ml.dataset.feature_matrix import FeatureMatrix
from ml.evaluation.bootstrap import Interval, mean_interval, paired_difference
from ml.evaluation.gains import describe_gain
from ml.recommenders.data_split import DataSplit
from ml.recommenders.models.lightfm import SHORT_EPOCHS, LightFMHybrid
from ml.recommenders.training_data import TrainingData
from ml.recommenders.validation import ValidationWindow

SCHEMA = pa.schema(
    [
        ("without", pa.string()),
        ("ndcg", pa.float64()),
        ("gain", pa.float64()),
        ("gain_low", pa.float64()),
        ("gain_high", pa.float64()),
        ("users", pa.int64()),
        ("reading", pa.string()),
    ]
)
NOTHING, IDENTITIES, EVERYTHING = "(nothing)", "item identities", "all features"


def ablation(params: dict[str, Any], split: DataSplit, *, epochs: int = SHORT_EPOCHS, seed: int = 0) -> pa.Table:
    """Train a hybrid with all features, without each family, and without any; measure each on the same window.

    Args:
        params: Parameters of `LightFMHybrid`.
        split: Training data and test interactions; a sample of users shows the order of the families.
        epochs: Passes of each training, at most those of `params`.
        seed: Seed of the intervals.

    Returns:
        SCHEMA; the first row leaves nothing out. `gain` is the NDCG that the left-out part brings (negative: it
        harms), with its paired 95% bootstrap interval over users; `reading` says it in words.

    Raises:
        EmptySplitError: Nothing liked is on one of the two sides.
    """
    window = ValidationWindow.of(split, seed=seed, most_users=len(split.test.users))
    whole = LightFMHybrid(**params)
    short = {**params, "epochs": min(epochs, whole.epochs), "patience": None}
    fitted = LightFMHybrid(**short).fit_aligned(window.past)
    short["item_identity_from"] = fitted.item_identity_from_
    with_all = window.ndcg(fitted)
    rows = [_row(NOTHING, with_all, Interval(0.0, 0.0, 0.0, 0.95))]
    for name, without, changed in _variants(window.past, fitted.item_identity_from_):
        values = window.ndcg(LightFMHybrid(**{**short, **changed}).fit_aligned(without))
        rows.append(_row(name, values, paired_difference(with_all, values, seed=seed)))
    return pa.Table.from_pylist(rows, SCHEMA)


def sure_gain(table: pa.Table, part: str) -> float | None:
    """Return the gain that a part brings, or None if it was not measured or may be chance."""
    for row in table.to_pylist():
        if row["without"] == part and row["gain_low"] > 0:
            return float(row["gain"])
    return None


def ablation_plot(table: pa.Table, metric: str = "NDCG") -> Figure:
    """Gain of each part with its interval, the most useful on top; what lies left of zero harms."""
    rows = sorted(table.slice(1).to_pylist(), key=lambda row: row["gain"])
    figure = Figure(figsize=(7, 0.4 * len(rows) + 1.5), layout="constrained")
    axes = figure.subplots()
    for place, row in enumerate(rows):
        axes.plot([row["gain_low"], row["gain_high"]], [place, place], color="#34618d", linewidth=3)
        axes.plot(row["gain"], place, "o", color="#34618d")
    axes.axvline(0, color="black", linewidth=0.8)
    axes.set_yticks(range(len(rows)), [row["without"] for row in rows])
    axes.set_xlabel(f"{metric} that it brings, with 95% bootstrap interval over {table['users'][0]} users")
    return figure


def _variants(past: TrainingData, identity_from: int | None) -> Iterator[tuple[str, TrainingData, dict[str, Any]]]:
    """Name, data and changed parameters of each training that leaves something out."""
    pairs, users, items = past.interactions, past.user_features, past.item_features
    for name in _families(users):
        yield f"user {name}", TrainingData(pairs, _without(users, name), items), {}
    for name in _families(items):
        yield f"item {name}", TrainingData(pairs, users, _without(items, name)), {}
    if items is not None and identity_from is not None:
        yield IDENTITIES, past, {"item_identity_from": None}
    if users is not None or items is not None:
        yield EVERYTHING, TrainingData(pairs, None, None), {}


def _families(features: FeatureMatrix | None) -> list[str]:
    return [] if features is None else sorted(set(features.families()))


def _without(features: FeatureMatrix | None, family: str) -> FeatureMatrix | None:
    """The other families, None where there are none."""
    rest = features.without(family) if features is not None else None
    return rest if rest is not None and len(rest.names) else None


def _row(name: str, values: Any, gain: Interval) -> dict[str, Any]:
    mean = mean_interval(values).mean
    return {
        "without": name,
        "ndcg": mean,
        "gain": gain.mean,
        "gain_low": gain.low,
        "gain_high": gain.high,
        "users": int((~np.isnan(values)).sum()),
        "reading": "" if name == NOTHING else describe_gain(gain),
    }

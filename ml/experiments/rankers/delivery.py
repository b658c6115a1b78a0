"""What each model promised on the past, and what it then delivered to people."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from math import nan, sqrt

import pyarrow as pa
import pyarrow.compute as pc
from matplotlib.figure import Figure
from scipy.stats import norm

from ml.experiments.rankers.canary import answered_people

SCHEMA = pa.schema(
    [
        pa.field("model_version", pa.string()),
        pa.field("model", pa.string()),
        pa.field("first_answer_at", pa.timestamp("us")),
        pa.field("last_answer_at", pa.timestamp("us")),
        pa.field("promised", pa.float64()),
        pa.field("promised_low", pa.float64()),
        pa.field("promised_high", pa.float64()),
        pa.field("people", pa.int64()),
        pa.field("answers", pa.int64()),
        pa.field("clicked_answers", pa.int64()),
        pa.field("clicked_share", pa.float64()),
        pa.field("clicked_share_low", pa.float64()),
        pa.field("clicked_share_high", pa.float64()),
    ]
)
CONFIDENCE = 0.95
MOST_VERSIONS = 30


@dataclass(frozen=True)
class ModelPromise:
    """What the gate measured of a version.

    Attributes:
        model: Name of the model.
        value: The metric that decided.
        low: Lower bound of its interval, NaN where none was recorded.
        high: Upper bound.
    """

    model: str
    value: float
    low: float = nan
    high: float = nan


def delivery_table(people: pa.Table, promises: Mapping[str, ModelPromise]) -> pa.Table:
    """Put what models promised beside the share of their answers that were clicked.

    The interval of that share is one over people, since the answers to one person resemble each other.

    Args:
        people: One row per version and person: model_version, answers, clicked_answers, first_answer_at,
            last_answer_at.
        promises: By version; a version that the registry does not have, of an earlier home for example, has none.

    Returns:
        SCHEMA, in the order in which the versions first answered.
    """
    rows = []
    for version in pc.unique(people["model_version"]).to_pylist():
        of_version = people.filter(pc.equal(people["model_version"], version))
        answered, promise = answered_people(of_version), promises.get(version)
        reach = float(norm.ppf((1 + CONFIDENCE) / 2)) * sqrt(answered.variance) if answered.people > 1 else nan
        rows.append(
            {
                "model_version": version,
                "model": promise.model if promise else None,
                "first_answer_at": pc.min(of_version["first_answer_at"]).as_py(),
                "last_answer_at": pc.max(of_version["last_answer_at"]).as_py(),
                "promised": promise.value if promise else None,
                "promised_low": promise.low if promise else None,
                "promised_high": promise.high if promise else None,
                "people": answered.people,
                "answers": answered.answers,
                "clicked_answers": answered.clicked_answers,
                "clicked_share": answered.share,
                "clicked_share_low": max(answered.share - reach, 0.0),
                "clicked_share_high": min(answered.share + reach, 1.0),
            }
        )
    rows.sort(key=lambda row: (row["first_answer_at"] or dt.datetime.min, row["model_version"]))
    return pa.Table.from_pylist(rows, schema=SCHEMA)


def plot_delivery(table: pa.Table, metric: str) -> Figure:
    """Draw what the newest versions promised above what they delivered, with their intervals."""
    newest = table.slice(max(len(table) - MOST_VERSIONS, 0)).to_pandas()
    figure = Figure(figsize=(8, 5), layout="constrained")
    above, below = figure.subplots(2, 1, sharex=True)
    places = range(len(newest))
    for axes, name, title in (
        (above, "promised", f"Promised: {metric} on the past"),
        (below, "clicked_share", "Delivered: share of answers that were clicked"),
    ):
        values, low, high = (newest[column] for column in (name, f"{name}_low", f"{name}_high"))
        spread = [(values - low).fillna(0.0).clip(lower=0.0), (high - values).fillna(0.0).clip(lower=0.0)]
        axes.errorbar(places, values, yerr=spread, fmt="o", capsize=3)
        axes.set_title(title, loc="left")
        axes.set_ylim(bottom=0)
    below.set_xticks(list(places), newest["model_version"], rotation=90)
    below.set_xlabel("version of the model, in the order in which they first answered")
    return figure

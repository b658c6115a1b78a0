"""Plot how well chances are chances: reliability, and what they are worth by the number of actions."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from matplotlib.figure import Figure

from ml.sequences.intent.examples import TARGETS
from ml.sequences.intent.measures import BINS
from ml.sequences.intent.model import IntentStudy

NAMES = {"convert": "converts in this visit", "leave": "leaves at the next step", "return": "returns in a week"}


def plot_reliability(study: IntentStudy) -> Figure:
    """Plot the share of yeses over the chances that were chances, a panel per target."""
    figure = Figure(figsize=(10.5, 3.4), layout="constrained")
    for number, (axes, target) in enumerate(zip(figure.subplots(1, len(TARGETS)), TARGETS, strict=True)):
        labels, chances = study.tested.labels[:, number], study.chances[:, number]
        is_counted = ~np.isnan(labels) & ~np.isnan(chances)
        labels, chances = labels[is_counted], chances[is_counted]
        parts = [part for part in np.array_split(np.argsort(chances, kind="stable"), BINS) if len(part)]
        most = max([float(chances.max(initial=0.0)), *(float(labels[part].mean()) for part in parts)], default=1.0)
        axes.plot([0, most], [0, most], color="#BBBBBB", linewidth=1)
        means = [float(chances[part].mean()) for part in parts]
        axes.plot(means, [float(labels[part].mean()) for part in parts], "o-", color="#0072B2")
        axes.set(title=NAMES[target], xlabel="predicted chance", ylabel="share observed")
    return figure


def plot_ranking(measures: pa.Table) -> Figure:
    """Plot the area under the ROC curve over the number of actions, a line per target."""
    figure = Figure(figsize=(5.6, 3.4), layout="constrained")
    axes = figure.subplots()
    for target, colour in zip(TARGETS, ("#0072B2", "#E69F00", "#CC79A7"), strict=True):
        rows = [row for row in measures.to_pylist() if row["target"] == target and row["auc"] is not None]
        axes.plot([row["actions"] for row in rows], [row["auc"] for row in rows], "o-", color=colour)
        if rows:
            axes.annotate(
                NAMES[target], (rows[-1]["actions"], rows[-1]["auc"]), fontsize=8, ha="right", va="bottom"
            )
    axes.set(xlabel="actions of the visit so far", ylabel="AUC on later visits")
    return figure

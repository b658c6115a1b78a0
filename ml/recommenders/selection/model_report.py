"""One HTML page about a fitted recommender: what was read and compared, what it recommends, what to try next."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from ml.evaluation.bootstrap import FEWEST_JUDGES, Interval
from ml.pages.templates import page_templates
from ml.recommenders.base import Recommender
from ml.recommenders.selection.auto import Choice
from ml.recommenders.selection.compare import Configuration
from ml.recommenders.selection.plan.trials import Trial
from ml.recommenders.training_data import TrainingData

TEMPLATE = "model_report.html.j2"
REPORT = "report.html"
SHOWN_TRIALS = 15
SHOWN_PEOPLE = 4
SHOWN_ITEMS = 8
CURVE_SIZE = (520, 200)  # width and height in CSS pixels
MUCH_TO_GAIN = 0.03  # relative gain by doubling the interactions, above which more of them are the best advice


@dataclass(frozen=True)
class ReportSource:
    """What a page is about, besides the data and the model.

    Attributes:
        reading: sentences about how the tables were read.
        item_names: title of an item by id; items without one are shown by their id.
        choice: how the model was chosen; None where it was named.
    """

    reading: Sequence[str] = ()
    item_names: Mapping[str, str] = field(default_factory=dict)
    choice: Choice | None = None


def write_model_report(folder: Path, recommender: Recommender, data: TrainingData, source: ReportSource) -> Path:
    """Write `report.html` into the folder of a model; returns the file. It needs no network and runs no script.

    Args:
        folder: folder of the model.
        recommender: fitted on the data.
        data: what it was fitted on.
        source: what else the page tells of.
    """
    choice = source.choice
    trials = [] if choice is None else _shown(choice.trials)
    page = (
        page_templates(Path(__file__).parent)
        .get_template(TEMPLATE)
        .render(
            model=type(recommender).__name__,
            pairs=data.interactions,
            facts=_facts(data),
            reading=source.reading,
            choice=choice,
            parts=[] if choice is None else _parts(choice.configuration),
            trials=[_row(trial, choice, trials) for trial in trials] if choice is not None else [],
            curve=None if choice is None or len(choice.curve) < 2 else _curve(choice),
            people=_people(recommender, data, source.item_names),
            advice=_advice(data, choice),
        )
    )
    file = folder / REPORT
    file.write_text(page, encoding="utf-8")
    return file


def _facts(data: TrainingData) -> list[tuple[str, str]]:
    pairs = data.interactions
    liked = pairs.liked
    lengths = np.diff(liked.indptr)
    n_users, n_items = int((lengths > 0).sum()), int((pairs.item_counts > 0).sum())
    facts = [
        ("people", f"{n_users:,}"),
        ("items", f"{n_items:,}"),
        ("interactions", f"{pairs.n_pairs:,}"),
        ("filled cells", f"{liked.nnz / max(1, n_users * n_items):.2%}"),
        ("items of a typical person", f"{np.median(lengths[lengths > 0]):g}"),
    ]
    if pairs.n_pairs > liked.nnz:
        facts.append(("of them not liked", f"{pairs.n_pairs - liked.nnz:,}"))
    for name, features in (("item", data.item_features), ("user", data.user_features)):
        if features is not None:
            facts.append((f"{name} features", f"{len(features.names):,}"))
    return facts


def _shown(trials: Sequence[Trial]) -> list[Trial]:
    """The best trials, and the best of every model that would not be among them."""
    best: dict[str, Trial] = {}
    for trial in trials:
        best.setdefault(trial.configuration.model, trial)
    shown = list(trials[:SHOWN_TRIALS])
    return shown + [trial for trial in best.values() if not any(trial is other for other in shown)]


def _row(trial: Trial, choice: Choice, trials: Sequence[Trial]) -> dict[str, Any]:
    """A trial as a row: its figure, and where its interval lies between the lowest and the highest, in percent."""
    lowest = min(_ends(other.interval)[0] for other in trials)
    width = max(_ends(other.interval)[2] for other in trials) - lowest or 1.0
    chosen = next((other for other in trials if other.configuration.model == choice.configuration.model), None)
    low, mean, high = (100 * (value - lowest) / width for value in _ends(trial.interval))
    return {
        "name": trial.configuration.model,
        "params": _params(trial.configuration),
        "trial": trial,
        "low": f"{low:.1f}",
        "mean": f"{mean:.1f}",
        "width": f"{high - low:.1f}",
        "is_chosen": trial is chosen,
    }


def _ends(interval: Interval) -> tuple[float, float, float]:
    """Low, mean and high; the mean thrice where there are no bounds."""
    if np.isnan(interval.low):
        return interval.mean, interval.mean, interval.mean
    return interval.low, interval.mean, interval.high


def _params(configuration: Configuration) -> str:
    models = configuration.params.get("models")
    if models is not None:
        return ", ".join(part["model"] for part in models)
    return ", ".join(f"{name} {_short(value)}" for name, value in configuration.params.items())


def _parts(configuration: Configuration) -> list[dict[str, str]]:
    """The models that the chosen one is made of."""
    models = configuration.params.get("models")
    if models is None:
        return [{"model": configuration.model, "params": _params(configuration), "weight": ""}]
    return [
        {
            "model": part["model"],
            "params": _params(Configuration(part["model"], part.get("params", {}))),
            "weight": _short(part["weight"]) if "weight" in part else "",
        }
        for part in models
    ]


def _short(value: object) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def _curve(choice: Choice) -> dict[str, Any]:
    """The learning curve as points of a picture."""
    width, height = CURVE_SIZE
    most = max(point.n_pairs for point in choice.curve)
    highest = max(_ends(point.interval)[2] for point in choice.curve) or 1.0
    points = [
        {
            "x": round(60 + (width - 90) * point.n_pairs / most, 1),
            "y": round(height - 30 - (height - 50) * max(0.0, point.interval.mean) / highest, 1),
            "top": round(height - 30 - (height - 50) * max(0.0, _ends(point.interval)[2]) / highest, 1),
            "bottom": round(height - 30 - (height - 50) * max(0.0, _ends(point.interval)[0]) / highest, 1),
            "n": f"{point.n_pairs:,}",
            "value": f"{point.interval.mean:.4f}",
        }
        for point in choice.curve
    ]
    return {"width": width, "height": height, "points": points}


def _people(recommender: Recommender, data: TrainingData, names: Mapping[str, str]) -> list[dict[str, Any]]:
    """A few people, from those with few items to those with many: what they took last and what they would get."""
    pairs = data.interactions
    lengths = np.diff(pairs.liked.indptr)
    active = np.flatnonzero(lengths)
    order = active[np.argsort(lengths[active], kind="stable")]
    chosen = order[
        np.unique(np.linspace(0.1 * (len(order) - 1), 0.95 * (len(order) - 1), SHOWN_PEOPLE).astype(int))
    ]
    users, columns, _ = pairs.in_order()
    lists = recommender.recommend(pa.array(pairs.users.take(chosen)), SHOWN_ITEMS).to_table().to_pylist()
    people = []
    for row in chosen:
        user = pairs.users.take(np.array([row])).to_pylist()[0]
        took = pairs.items.take(columns[users == row][-SHOWN_ITEMS:]).to_pylist()
        gets = [entry["item_id"] for entry in lists if entry["user_id"] == user]
        people.append(
            {
                "user": user,
                "n": int(lengths[row]),
                "took": [names.get(item, item) for item in reversed(took)],
                "gets": [names.get(item, item) for item in gets],
            }
        )
    return people


def _advice(data: TrainingData, choice: Choice | None) -> list[str]:
    """What is likely to help most, from what the data lacks and what the trials show."""
    advice = []
    if choice is None:
        advice.append("Compare the model with others: leave out --model, and the best by validation is fitted.")
    elif choice.n_judges < FEWEST_JUDGES:
        advice.append(
            f"Only {choice.n_judges} people could be evaluated, so the choice of the best model is a guess until "
            "there are more."
        )
    elif len(choice.curve) > 1:
        half, whole = choice.curve[-2], choice.curve[-1]
        gain = whole.interval.mean / half.interval.mean - 1 if half.interval.mean > 0 else 0.0
        times = whole.n_pairs / half.n_pairs
        advice.append(
            f"With {times:.1f} times the interactions the figure rose by {gain:.0%}: "
            + (
                "more interactions, for example over a longer time, will help most."
                if gain > MUCH_TO_GAIN
                else "more interactions of the same kind will help little."
            )
        )
    if data.item_features is None:
        advice.append(
            "Describe the items: with categories, tags or makers in --items FILE new items can be recommended."
        )
    if data.interactions.timestamps is None:
        advice.append("Add the time of each interaction: what is popular now, and the order of items, then count.")
    weights = data.interactions.weights
    if data.interactions.ratings is None and (weights <= 0).sum() == 0 and weights.min() == weights.max():
        advice.append("Add how strong each interaction was, as a column weight: plays, minutes, purchases.")
    if choice is not None and choice.trials:
        advice.append("Search the best family further: `tessera tune --model NAME --work 2000`.")
    return advice

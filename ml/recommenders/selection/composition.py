"""Accuracy and diversity of lists: as ranked, as the service composes them, and along their trade-off.

The lists are composed by the function that the service uses.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from matplotlib.figure import Figure

from ml.arrays import F32
from ml.dataset.interactions import Interactions
from ml.evaluation.accuracy import ndcg
from ml.evaluation.beyond_accuracy import intra_list_diversity
from ml.recommenders.base import Recommender
from ml.recommenders.factors import FactorRecommender
from ml.recommenders.reranking import CandidateFeatures, RankedList, composed
from ml.recommenders.training_data import TrainingData
from ml.settings.decisions import DiversitySettings

TRADE_OFFS = (0.1, 0.2, 0.3, 0.5, 0.7)
FAMILY = "category:"
SCHEMA = pa.schema(
    [
        ("list", pa.string()),
        ("trade_off", pa.float64()),
        ("calibration", pa.float64()),
        ("max_category_share", pa.float64()),
        ("ndcg", pa.float64()),
        ("diversity", pa.float64()),
        ("largest_category_share", pa.float64()),
    ]
)


def composition_report(
    recommender: Recommender, test: Interactions, past: TrainingData, settings: DiversitySettings, k: int
) -> pa.Table:
    """Measure ways of composing lists, one row for each (SCHEMA).

    The rows are `as ranked`, `as served` by the settings, and one `trade-off` for each of TRADE_OFFS. There are no
    rows where the model knows nothing that items could be alike in.

    Args:
        recommender: fitted on `past`.
        test: what the users liked afterwards.
        past: what the recommender was fitted on.
        settings: how the service composes lists.
        k: length of the lists.
    """
    if not len(test.users) or not _has_vectors(recommender, past):
        return SCHEMA.empty_table()
    deep = recommender.recommend(test.users.values, 5 * k + 20)
    used = np.unique(deep.rows[deep.rows >= 0])  # from here on, items are numbered within these
    numbers = np.searchsorted(used, np.maximum(deep.rows, 0)).astype(np.int32)
    vectors, categories = _vectors(recommender, past, used), _categories(past, used)
    columns = test.items.rows(deep.items.take(used))
    relevant = [frozenset(test.matrix[row].indices.tolist()) for row in range(len(test.users))]
    lists = [
        RankedList(rows[there], scores[there])
        for rows, scores, there in zip(numbers, deep.scores, deep.rows >= 0, strict=True)
    ]
    people = past.interactions.users.rows(test.users.values)
    opened = [_opened(past, int(row)) for row in people]
    features = [
        _features(ranked, counts, vectors, categories) for ranked, counts in zip(lists, opened, strict=True)
    ]
    ways = [("as ranked", 0.0, 0.0, 1.0)]
    ways += [("as served", settings.trade_off, settings.calibration, settings.max_category_share)]
    ways += [("trade-off", trade_off, 0.0, 1.0) for trade_off in TRADE_OFFS]
    rows = []
    for name, trade_off, calibration, share in ways:
        shown = [
            composed(
                ranked, described, k, trade_off=trade_off, calibration=calibration, max_category_share=share
            ).rows
            for ranked, described in zip(lists, features, strict=True)
        ]
        figures = _figures(shown, relevant, columns, vectors, categories, k)
        rows.append(dict(zip(SCHEMA.names, (name, trade_off, calibration, share, *figures), strict=True)))
    return pa.Table.from_pylist(rows, SCHEMA)


def composition_plot(report: pa.Table, k: int) -> Figure:
    """Accuracy against variety: the curve of the trade-off, and where the service stands."""
    figure = Figure(figsize=(7, 4), layout="constrained")
    axes = figure.subplots()
    rows = report.to_pylist()
    curve = [row for row in rows if row["list"] != "as served"]
    axes.plot([row["diversity"] for row in curve], [row["ndcg"] for row in curve], marker="o", label="trade-off")
    for row in curve:
        axes.annotate(
            f"{row['trade_off']:g}", (row["diversity"], row["ndcg"]), xytext=(4, 4), textcoords="offset points"
        )
    for row in rows:
        if row["list"] == "as served":
            axes.plot(row["diversity"], row["ndcg"], marker="s", linestyle="", label="as served")
    axes.set_xlabel("diversity within a list")
    axes.set_ylabel(f"NDCG@{k}")
    axes.legend(frameon=False)
    return figure


def _has_vectors(recommender: Recommender, past: TrainingData) -> bool:
    return isinstance(recommender, FactorRecommender) or past.item_features is not None


def _vectors(recommender: Recommender, past: TrainingData, items: npt.NDArray[np.integer]) -> F32:
    """What these items are alike in: the model's factors, as in the service; else their features."""
    if isinstance(recommender, FactorRecommender):
        return np.asarray(recommender.item_factors_[items])
    assert past.item_features is not None
    return np.asarray(past.item_features.matrix[items].todense(), dtype=np.float32)


def _categories(past: TrainingData, items: npt.NDArray[np.integer]) -> list[str | None]:
    """Category of each of these items, None where it has none."""
    categories: list[str | None] = [None] * len(items)
    if past.item_features is None:
        return categories
    names = past.item_features.names.to_list()
    rows, columns = past.item_features.matrix[items].nonzero()
    for row, column in zip(rows.tolist(), columns.tolist(), strict=True):
        if names[column].startswith(FAMILY):
            categories[row] = names[column].removeprefix(FAMILY)
    return categories


def _opened(past: TrainingData, user: int) -> Counter[str]:
    """How often a user, by row or -1 for a stranger, took items of each category."""
    if user < 0:
        return Counter()
    items = past.interactions.liked[user].indices
    return Counter(name for name in _categories(past, items) if name is not None)


def _features(
    candidates: RankedList, opened: Counter[str], vectors: F32, categories: Sequence[str | None]
) -> CandidateFeatures:
    listed = [categories[row] for row in candidates.rows.tolist()]
    names = sorted(opened)
    if not names:
        return CandidateFeatures(listed, vectors[candidates.rows])
    topics = np.array([[category == name for name in names] for category in listed], dtype=np.float64)
    interests = np.array([opened[name] for name in names], dtype=np.float64)
    return CandidateFeatures(listed, vectors[candidates.rows], topics, interests / interests.sum())


def _figures(
    shown: Sequence[npt.NDArray[np.integer]],
    relevant: Sequence[frozenset[int]],
    columns: npt.NDArray[np.integer],
    vectors: F32,
    categories: Sequence[str | None],
    k: int,
) -> tuple[float, float, float]:
    """NDCG, diversity, and the mean share of a list's largest category."""
    places = np.full((len(shown), k), -1, np.int32)
    for user, rows in enumerate(shown):
        places[user, : len(rows)] = rows
    hits = np.array(
        [
            [row >= 0 and int(columns[row]) in items for row in rows]
            for rows, items in zip(places, relevant, strict=True)
        ]
    )
    largest = []
    for rows in shown:
        names = [name for row in rows.tolist() if (name := categories[row]) is not None]
        if names:
            largest.append(max(names.count(name) for name in set(names)) / len(rows))
    diversity = intra_list_diversity(places, vectors.astype(np.float64))
    n_relevant = np.array([len(items) for items in relevant])
    return (
        float(np.nanmean(ndcg(hits, n_relevant))),
        float(np.nanmean(diversity)) if not np.isnan(diversity).all() else float("nan"),
        float(np.mean(largest)) if largest else float("nan"),
    )

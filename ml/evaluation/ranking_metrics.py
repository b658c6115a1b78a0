"""Metrics of recommendation lists: overall, by segment, by activity of the user and by age of the item."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from ml.arrays import F64, I64, Bools
from ml.dataset.ids import Ids
from ml.dataset.interactions import Interactions
from ml.errors import InvalidInputError
from ml.evaluation import accuracy, beyond_accuracy
from ml.evaluation.judged import JudgedLists, judge

PER_USER: dict[str, Callable[[Bools, I64], F64]] = {
    "ndcg": accuracy.ndcg,
    "map": accuracy.average_precision,
    "recall": accuracy.recall,
    "precision": accuracy.precision,
    "hit": accuracy.hit_rate,
    "mrr": accuracy.reciprocal_rank,
}


@dataclass(frozen=True)
class RankingMetrics:
    """Metrics of one set of recommendation lists.

    Attributes:
        k: Length of the lists.
        metrics: Values by name, without `_at_k`.
        per_user: float64 (n_users,) by metric, in the order of `users`.
        users: Ids of the test users.
        users_missing: Number of test users without any recommendation; they count as 0.
        lists: The lists that were measured.
    """

    k: int
    metrics: Mapping[str, float]
    per_user: Mapping[str, F64]
    users: Ids
    users_missing: int
    lists: JudgedLists

    def named(self) -> dict[str, float]:
        """Return the metrics under the names that MLflow and the metadata use, such as `ndcg_at_10`."""
        return {f"{name}_at_{self.k}" if name in PER_USER else name: value for name, value in self.metrics.items()}


def measure(
    recommended: pa.Table, test: Interactions, train: Interactions, k: int, catalogue: Ids
) -> RankingMetrics:
    """Measure recommendations (user_id, item_id, rank) for the users who liked something in the test."""
    lists = judge(recommended, test, train, k, catalogue)
    per_user = {name: metric(lists.hits, lists.n_relevant) for name, metric in PER_USER.items()}
    metrics = {name: float(np.nanmean(values)) for name, values in per_user.items()}
    metrics |= _beyond_accuracy(lists, train)
    missing = int((lists.rows < 0).all(axis=1).sum())
    return RankingMetrics(k, metrics, per_user, lists.users, missing, lists)


def figures_by_group(
    result: RankingMetrics, metric: str, train: Interactions, segments: Mapping[str, str] | None = None
) -> pa.Table:
    """Compute a metric by segment and by activity of the user, and the share of hits by age of the item.

    Args:
        result: The metrics to break down.
        metric: A metric of `PER_USER`.
        train: Training interactions, which give activities and ages; without timestamps there are no ages.
        segments: Segment of each user id.

    Returns:
        Columns grouped_by, group, value, n (users, or relevant pairs for the age).
    """
    values, users = result.per_user[metric], result.users
    rows = train.users.rows(users.values)
    lengths = np.where(rows >= 0, np.diff(train.matrix.indptr)[rows], 0)
    parts = {"activity": by_activity(values, lengths)}
    if segments:
        parts["segment"] = by_group(
            values, pa.array([segments.get(user) for user in users.to_list()], pa.string())
        )
    if train.timestamps is not None:
        parts["item age"] = by_item_age(result.lists, item_ages(train, result.lists.items))
    records = [
        {"grouped_by": kind, "group": name, "value": value, "n": n}
        for kind, groups in parts.items()
        for name, (value, n) in groups.items()
    ]
    return pa.Table.from_pylist(records)


def item_ages(train: Interactions, items: Ids) -> F64:
    """Compute the days from the first interaction of each item to the end of the training data.

    Returns:
        float64 (n_items,), NaN for items without interactions.

    Raises:
        ValueError: the interactions have no timestamps.
    """
    if train.timestamps is None:
        raise InvalidInputError("ages of items need a column 'timestamp'")
    first = np.full(len(train.items), np.inf)
    np.minimum.at(first, train.columns, train.timestamps)
    days = (float(train.timestamps.max()) - first) / 86_400.0
    rows = train.items.rows(items.values)
    return np.where((rows >= 0) & np.isfinite(first[rows]), days[rows], np.nan)


def by_group(values: F64, groups: pa.Array | pa.ChunkedArray) -> dict[str, tuple[float, int]]:
    """Mean and number of users of each group: `groups` holds one name a user, null for none."""
    filled = groups.combine_chunks() if isinstance(groups, pa.ChunkedArray) else groups
    names, rows = Ids.encode(filled.fill_null("(none)"))
    return {
        name: (float(np.nanmean(values[rows == row])), int((rows == row).sum()))
        for row, name in enumerate(names.to_list())
        if not np.isnan(values[rows == row]).all()
    }


def by_activity(values: F64, n_training: npt.NDArray[Any]) -> dict[str, tuple[float, int]]:
    """Mean by the number of training interactions of the user."""
    edges = np.array([0, 1, 2, 5, 10, 20, 50, 100])
    labels = [f"{a}" if b == a + 1 else f"{a}-{b - 1}" for a, b in pairwise(edges)] + ["100+"]
    place = np.searchsorted(edges, n_training, side="right") - 1
    return by_group(values, pa.array([labels[p] for p in place]))


def by_item_age(lists: JudgedLists, age_days: F64) -> dict[str, tuple[float, int]]:
    """Share of the relevant pairs that were hit, by age of the item; age NaN: new, never seen in training."""
    edges, labels = (
        np.array([1.0, 7.0, 30.0, 365.0]),
        ["< 1 day", "1-7 days", "7-30 days", "30-365 days", "> 1 year"],
    )
    user, item = lists.relevant.nonzero()
    width = lists.relevant.shape[1]
    hit_user, hit_place = np.nonzero(lists.hits)
    is_hit = np.isin(user * width + item, hit_user * width + lists.rows[hit_user, hit_place]).astype(np.float64)
    age = age_days[item]
    group = [labels[p] for p in np.searchsorted(edges, age, side="right")]
    return by_group(is_hit, pa.array(np.where(np.isnan(age), "new", group)))


def _beyond_accuracy(lists: JudgedLists, train: Interactions) -> dict[str, float]:
    counts = np.zeros(len(lists.items))
    counts[lists.items.rows(train.items.values)] = np.bincount(train.columns, minlength=len(train.items))
    n_users = len(np.unique(train.rows))
    popular = np.zeros(len(lists.items), bool)
    popular[np.argsort(-counts, kind="stable")[: lists.k]] = True
    return {
        "coverage": beyond_accuracy.coverage(lists.rows, lists.n_catalogue),
        "novelty": beyond_accuracy.novelty(lists.rows, counts, n_users),
        "gini": beyond_accuracy.gini(lists.rows, lists.n_catalogue),
        "long_tail": beyond_accuracy.long_tail_share(lists.rows, counts),
        "serendipity": float(beyond_accuracy.serendipity(lists.hits, lists.rows, popular).mean()),
    }

"""A fitted recommender measured on a table of what its users then did."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa

from ml.dataset.ids import Ids
from ml.dataset.interactions import Interactions
from ml.dataset.ratings import RatingReading
from ml.errors import InvalidInputError
from ml.evaluation.bootstrap import Interval, mean_interval
from ml.evaluation.overlap import Overlap
from ml.evaluation.ranking_metrics import figures_by_group, measure
from ml.evaluation.rating_errors import mae, rmse
from ml.evaluation.sampled import sampled_metrics
from ml.recommenders.base import Recommender
from ml.recommenders.models.rating_factors import RatingFactors
from ml.recommenders.validation import Ranked
from ml.recommenders.whole_rankings import auc_of_users

MOST_OUTSIDE = 0.05  # of the ratings of a test: few may be rarer ones that the training happens not to have


def evaluate_on(
    test: Interactions,
    liked: Interactions,
    recommender: Recommender,
    past: Interactions,
    reading: RatingReading | None = None,
    *,
    ranked: Ranked = "all",
    k: int = 10,
    sampled: int = 0,
    seed: int = 0,
    warn: Callable[[str], None] = lambda line: None,
) -> dict[str, Any]:
    """Measure a recommender on interactions that it was not fitted on.

    Args:
        test: What the users then did, with what they rejected.
        liked: The part of it that was not rejected, which is to be found.
        recommender: The fitted recommender.
        past: The interactions that it was fitted on.
        reading: How ratings say what was liked, as in the training; None where they do not.
        ranked: Which items are ranked; interactions with others are left out, and counted.
        k: Places of a list that count.
        sampled: Rank each relevant item also among so many drawn ones; 0 for not.
        seed: Seed of the intervals and of the draw.
        warn: Is told in sentences what makes the figures say less than they seem to.

    Returns:
        Counts, metrics (None where undefined; the AUC is that of whole rankings) and metrics by group by their
        names, and `<metric>_interval`, the lower and the upper bound of 95%, None for a single user.

    Raises:
        InvalidInputError: Nothing in the test can judge the model.
    """
    n_liked, n_people = liked.n_pairs, len(liked.users)
    liked = _with_ranked(liked, past, ranked)
    candidates = None if ranked == "all" else _ranked_items(recommender, past, ranked)
    overlap = Overlap.count(liked, past, recommender.knows(liked.users), recommender.item_ids_)
    overlap.require_something_to_judge(type(recommender).__name__, recommender.ranks_for_everybody)
    for warning in (*overlap.warnings(), *_warnings_of_scales(test, reading)):
        warn(warning)
    recommended = recommender.recommend(liked.users.values, k, candidates=candidates).to_table()
    catalogue = past.items if candidates is None else Ids(candidates)
    measured = measure(recommended, liked, past, k, catalogue)
    aucs = auc_of_users(recommender, liked, candidates, seed)
    is_defined = np.isfinite(aucs)
    metrics = dict(measured.metrics) | {"auc": float(aucs[is_defined].mean()) if is_defined.any() else math.nan}
    metrics |= _rating_errors(recommender, test, reading)
    if sampled:
        metrics |= _sampled(recommender, liked, sampled, k, seed)
    for group in figures_by_group(measured, "ndcg", past).to_pylist():
        metric = "hits" if group["grouped_by"] == "item age" else "ndcg"
        metrics[f"{metric}_by_{group['grouped_by']}_{group['group']}".replace(" ", "_")] = group["value"]
    per_user = {**measured.per_user, "auc": aucs}
    intervals = {name: mean_interval(values, seed=seed) for name, values in per_user.items()}
    return {
        "k": k,
        "ranked": ranked,
        "users": len(measured.users),
        "auc_users": int(is_defined.sum()),
        "users_missing": measured.users_missing,
        "users_who_only_reject": len(test.users) - n_people,
        "pairs_not_liked": test.n_pairs - n_liked,
        "pairs_not_ranked": n_liked - liked.n_pairs,
        **overlap.as_dict(),
        **{name: None if math.isnan(value) else value for name, value in metrics.items()},
        **{f"{name}_interval": _bounds(interval) for name, interval in intervals.items()},
    }


def _bounds(interval: Interval) -> list[float] | None:
    return None if math.isnan(interval.low) else [interval.low, interval.high]


def _ranked_items(recommender: Recommender, past: Interactions, ranked: Ranked) -> pa.Array:
    """Items of the model that somebody has had in the training, or the others.

    Raises:
        InvalidInputError: There are none.
    """
    items = recommender.item_ids_
    rows = past.items.rows(items.values)
    is_known = (rows >= 0) & (past.item_counts[rows] > 0)
    chosen = np.flatnonzero(is_known if ranked == "known" else ~is_known)
    if not len(chosen):
        raise InvalidInputError(
            f"there are no {ranked} items to rank: {type(recommender).__name__} has {len(items):,} items. New "
            "ones come from a table of items with features"
        )
    return items.take(chosen)


def _with_ranked(liked: Interactions, past: Interactions, ranked: Ranked) -> Interactions:
    """The interactions with items that are ranked, or that would be if the model had them.

    Raises:
        InvalidInputError: There are none.
    """
    if ranked == "all":
        return liked
    rows = past.items.rows(liked.items.values)
    is_known = (rows >= 0) & (past.item_counts[rows] > 0)
    kept = liked.select((is_known if ranked == "known" else ~is_known)[liked.columns]).compact()
    if not kept.n_pairs:
        raise InvalidInputError(f"there is nothing to judge by: no interaction of the test is with {ranked} items")
    return kept


def _warnings_of_scales(test: Interactions, reading: RatingReading | None) -> list[str]:
    """A sentence where ratings of the test lie outside of the scale of the training."""
    if reading is None or test.ratings is None or reading.kind != "scale":
        return []
    ratings = test.ratings[reading.is_rated(test)]
    outside = int(((ratings < reading.lowest) | (ratings > reading.highest)).sum())
    if outside <= MOST_OUTSIDE * len(ratings):
        return []
    return [
        f"{outside:,} of {len(ratings):,} ratings of the test lie outside of those of the training, which go from "
        f"{reading.lowest:g} to {reading.highest:g}; those of the test go from {ratings.min():g} to "
        f"{ratings.max():g}, and count as the nearest of the scale"
    ]


def _rating_errors(
    recommender: Recommender, test: Interactions, reading: RatingReading | None
) -> dict[str, float]:
    """RMSE and MAE of a model that predicts ratings, over all rated pairs of the test, rejections included."""
    if not isinstance(recommender, RatingFactors) or test.ratings is None:
        return {}
    is_rated = np.isfinite(test.ratings) if reading is None else reading.is_rated(test)
    users = recommender.user_ids_.rows(test.users.values)[test.rows[is_rated]]
    items = recommender.item_ids_.rows(test.items.values)[test.columns[is_rated]]
    predicted, given = recommender.predict(users, items), test.ratings[is_rated]
    return {"rmse": rmse(predicted, given), "mae": mae(predicted, given)}


def _sampled(recommender: Recommender, test: Interactions, sampled: int, k: int, seed: int) -> dict[str, float]:
    """Figures on a sample, for the users that the model knows."""
    rows = recommender.user_ids_.rows(test.users.values)
    relevant = test.aligned(test.users, recommender.item_ids_.union(test.items)).matrix
    known_rows = np.flatnonzero(recommender.knows(test.users))
    relevant = relevant[known_rows][:, : len(recommender.item_ids_)].tocsr()
    had = recommender.seen_[rows[known_rows]]
    return sampled_metrics(recommender.score, rows[known_rows], relevant, had, sampled=sampled, k=k, seed=seed)

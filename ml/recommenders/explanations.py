"""Why an item is recommended: reasons computed from what the score is made of, then put into words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import numpy.typing as npt

from ml.arrays import F64
from ml.recommenders.base import Recommender
from ml.recommenders.factors import FactorRecommender
from ml.recommenders.fold_in import ItemMoments, contributions
from ml.recommenders.models.lightfm import LightFMHybrid
from ml.recommenders.models.linear import ItemWeightRecommender
from ml.segmentation.profiles.labels import join_words

Kind = Literal["because_of_items", "because_of_features", "trending_here", "popular"]


@dataclass(frozen=True)
class Reason:
    """One reason. `share` is the part of the score (0 to 1) that the named things carry, where the model tells."""

    kind: Kind
    names: tuple[str, ...]
    share: float | None = None


def item_contributions(recommender: Recommender, history: npt.NDArray[np.integer], item: int) -> F64:
    """What each item of the history adds to the score of `item`: float64 (len(history),).

    Linear models: the exact summands. Factor models: the summands of the folded-in user, which is linear in the
    history (Hu, Koren, Volinsky 2008, section 5).

    Raises:
        TypeError: the model's score is no sum over the history.
    """
    if isinstance(recommender, ItemWeightRecommender):
        place = np.full(len(recommender.item_ids_), -1)
        place[recommender.warm_] = np.arange(len(recommender.warm_))
        weights = recommender.item_weights_
        target, sources = place[item], place[history]
        found = np.zeros(len(history))
        if target >= 0:
            known = sources >= 0
            own = weights[sources[known], target]
            found[known] = np.asarray(own.todense()).ravel() if hasattr(own, "todense") else own
        return found
    if isinstance(recommender, FactorRecommender):
        factors = recommender.item_factors_
        taken, ones = factors[history], np.ones(len(history), np.float32)
        pull = max(recommender.fold_in_penalty(len(history)), 1e-6)
        rule = replace(recommender.fold_in_rule(), regularization=pull)
        return contributions(rule, ItemMoments(factors), taken, ones, factors[[item]])[:, 0]
    raise TypeError(f"{type(recommender).__name__}: its score is no sum over the user's items")


def feature_contributions(recommender: LightFMHybrid, user_row: int, item: int) -> dict[str, float]:
    """What each feature of the item, its own identity included, adds to the score: the exact summands."""
    part = recommender.item_features_[item]
    user = recommender.user_factors_[user_row]
    tables = recommender.item_embeddings_[part.indices] * part.data[:, None]
    d = recommender.n_factors
    values = tables[:, :d] @ user[:d] + tables[:, d]
    names = recommender.item_feature_names_.to_list()
    return {names[column]: float(value) for column, value in zip(part.indices, values, strict=True)}


def explain(
    recommender: Recommender,
    history: npt.NDArray[np.integer],
    item: int,
    *,
    user_row: int | None = None,
    trending: Sequence[int] = (),
    most: int = 2,
    least_share: float = 0.2,
) -> Reason:
    """The reason with the largest share of the score; trending, then popular, where none carries enough.

    Args:
        history: item rows of the user.
        item: recommended row.
        trending: rows that are trending where the user is.
        least_share: part of all positive contributions that the named things must carry.
    """
    ids = recommender.item_ids_.to_list()
    if len(history):
        try:
            values = item_contributions(recommender, history, item)
        except TypeError:
            values = np.zeros(len(history))
        best = np.argsort(-values, kind="stable")[:most]
        best = best[values[best] > 0]
        positive = values[values > 0].sum()
        if len(best) and values[best].sum() >= least_share * positive:
            names = tuple(ids[history[place]] for place in best)
            return Reason("because_of_items", names, float(values[best].sum() / positive))
    if isinstance(recommender, LightFMHybrid) and user_row is not None:
        parts = feature_contributions(recommender, user_row, item)
        ranked = sorted(((v, n) for n, v in parts.items() if not n.startswith("id:") and v > 0), reverse=True)[
            :most
        ]
        positive = sum(value for value in parts.values() if value > 0)
        if ranked and sum(value for value, _ in ranked) >= least_share * positive:
            return Reason("because_of_features", tuple(n for _, n in ranked), sum(v for v, _ in ranked) / positive)
    return Reason("trending_here" if item in trending else "popular", (ids[item],))


def in_words(reason: Reason, titles: dict[str, str]) -> str:
    """A sentence; ids without a title stand for themselves."""
    if reason.kind == "because_of_items":
        return f"Because you liked {join_words([titles.get(name, name) for name in reason.names])}"
    if reason.kind == "because_of_features":
        return (
            f"Because of {join_words([name.split(':', 1)[-1] for name in reason.names])}, which you come back to"
        )
    return "Trending where you are" if reason.kind == "trending_here" else "Popular with everybody"

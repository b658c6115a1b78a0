"""What is never recommended, whatever a model thinks of it: items, or pairs of a user and an item."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from scipy import sparse

from ml.dataset.feature_matrix import FeatureMatrix
from ml.dataset.ids import Ids
from ml.dataset.interactions import Interactions
from ml.recommenders.base import Recommender
from ml.recommenders.recommendations import Recommendations


def drop_items(interactions: Interactions, items: Ids) -> Interactions:
    """Leave out the interactions with these items, and the users who have no others."""
    kept = items.rows(interactions.items.values) < 0
    return interactions.select(kept[interactions.columns]).compact()


def drop_features(features: FeatureMatrix | None, items: Ids) -> FeatureMatrix | None:
    """Leave out the features of these items."""
    if features is None:
        return None
    kept = np.flatnonzero(items.rows(features.ids.values) < 0)
    return FeatureMatrix(Ids(features.ids.take(kept)), features.names, features.matrix[kept].tocsr())


def exclude_pairs(recommender: Recommender, pairs: pa.Table) -> int:
    """Let a fitted recommender never recommend these pairs, as if their users had had the items.

    Args:
        recommender: The recommender, which is changed.
        pairs: Columns `user_id` and `item_id`.

    Returns:
        How many pairs the model knows; others it would not recommend anyway.
    """
    rows, columns = recommender.user_ids_.rows(pairs["user_id"]), recommender.item_ids_.rows(pairs["item_id"])
    is_known = (rows >= 0) & (columns >= 0)
    ones = np.ones(int(is_known.sum()), np.int8)
    marked = sparse.csr_matrix((ones, (rows[is_known], columns[is_known])), shape=recommender.seen_.shape)
    seen = (recommender.seen_ + marked).tocsr()
    seen.data[:] = 1
    recommender.seen_ = seen.astype(np.int8)
    return int(is_known.sum())


def count_effective(exclusions: pa.Table, users: pa.Array, items: Ids) -> int:
    """How many of the excluded items or pairs are of these items and, where they are pairs, of these users."""
    matters = items.rows(exclusions["item_id"]) >= 0
    if "user_id" in exclusions.column_names:
        matters &= Ids(users).rows(exclusions["user_id"]) >= 0
    return int(matters.sum())


def recommend_without(
    recommender: Recommender,
    users: pa.Array,
    k: int,
    candidates: pa.Array | None = None,
    exclusions: pa.Table | None = None,
    threads: int | None = None,
) -> Recommendations:
    """Top k items of each user without what is excluded.

    Args:
        recommender: A fitted recommender.
        users: Ids, each once.
        k: Number of items for each user.
        candidates: The only items to rank; all that the model knows if absent.
        exclusions: `item_id` of items that nobody gets, or `user_id` and `item_id` of pairs; None for nothing.
        threads: Threads that rank; None: all cores.
    """
    if exclusions is None or "user_id" in exclusions.column_names:
        return recommender.recommend(users, k, exclusions, candidates, threads)
    items = recommender.item_ids_.values if candidates is None else pc.cast(candidates, pa.string())
    is_excluded = pc.is_in(items, value_set=pc.cast(exclusions["item_id"], pa.string()).combine_chunks())
    return recommender.recommend(users, k, None, items.filter(pc.invert(is_excluded)), threads)

"""Applies a champion that has no factors: the published model itself scores all items."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable, Sequence

import numpy as np

from ml.arrays import F32, F64, I32, I64
from ml.decisions.activity.visitors import Visitor
from ml.decisions.items.bundle_join import BundleJoin
from ml.decisions.items.personal_scorer import NOTHING, RECENT_SHARE, PersonalScorer
from ml.recommenders.base import Recommender

CACHED_SCORES = 500
"""People and items whose scores of all items are kept, 4 bytes each."""


class ModelScorer(PersonalScorer):
    """Ranks as the model does; the vector of a person is the model's score of each item of the bundle.

    An item that the model does not know has the score NaN.

    Args:
        join: The bundle joined to the activity.
        model: The champion.
        count: Number of candidates of one person.
    """

    def __init__(self, join: BundleJoin, model: Recommender, count: int) -> None:
        super().__init__(join, None, count)
        assert join.index is not None
        self.model = model
        self._item_rows: I32 = model.item_ids_.rows(join.index.bundle.items["item_id"])
        self._user_rows: I32 = model.user_ids_.rows(join.index.bundle.users["user_id"])
        self._cached: OrderedDict[Hashable, F32] = OrderedDict()

    @property
    def ranks_for_everybody(self) -> bool:
        """Whether the model has one list for all people."""
        return self.model.ranks_for_everybody

    def list_vector(self) -> F32:
        """Return the scores for somebody of whom nothing is available, float32 (n_items of the bundle,)."""
        scores = self._cached.get("everybody")
        if scores is None:
            scores = self._cache("everybody", self._of_bundle(self.model.score_unknown()))
        return scores

    def trained_vector(self, user_row: int | None) -> F32 | None:
        """Return the scores for a user whom the model knows; None for anybody else."""
        if self.ranks_for_everybody:
            return self.list_vector()
        row = -1 if user_row is None else int(self._user_rows[user_row])
        if row < 0 or not self.model.known_users_[row]:
            return None
        scores = self._cached.get(("user", row))
        if scores is None:
            scores = self._cache(("user", row), self._of_bundle(self.model.score(np.array([row]))[0]))
        return scores

    def fold_in(self, rows: Sequence[int], weights: Sequence[float]) -> F32 | None:
        """Return the scores for somebody who opened these items; None if the model cannot tell."""
        if self.ranks_for_everybody:
            return self.list_vector()
        model_rows = self._item_rows[np.asarray(rows, dtype=np.int64)]
        if not self.model.folds_histories or not (model_rows >= 0).any():
            return None
        cache_key = ("history", tuple(rows), tuple(weights))
        scores = self._cached.get(cache_key)
        if scores is None:
            history = self.model.history_of_rows(model_rows, weights)
            scores = self._cache(cache_key, self._of_bundle(self.model.score_histories(history)[0]))
        return scores

    def fold_in_recent(self, visitor: Visitor | None) -> F32 | None:
        """Return the scores for a person from recent events alone; one list serves strangers too."""
        return self.list_vector() if self.ranks_for_everybody else super().fold_in_recent(visitor)

    def knows_item(self, row: int) -> bool:
        """Return whether the model knows an item of the bundle."""
        return bool(self._item_rows[row] >= 0)

    def scores(self, vector: F32, keys: I64) -> F64:
        """Score these items, float64 (n,), centred and scaled over the known ones; 0 for the others."""
        raw = self._values(vector, keys)
        is_scored = np.isfinite(raw)
        scores = np.zeros(len(keys))
        if is_scored.sum() > 1:
            values = raw[is_scored]
            scores[is_scored] = (values - values.mean()) / (values.std() + 1e-9)
        return scores

    def similarities(self, item: int, keys: I64) -> F64:
        """Return the model's scores of these items for somebody who opened the item, 0 where it has none."""
        scores = self._similar_scores(self.join.row_of(item))
        return np.zeros(len(keys)) if scores is None else np.nan_to_num(self._values(scores, keys), nan=0.0)

    def _search_best(self, vector: F32) -> I64:
        """Return the rows of the items with the highest scores, best first; equal scores by row."""
        return _highest(vector, np.flatnonzero(np.isfinite(vector)), self.count)

    def _search_similar(self, row: int, count: int) -> I64:
        """Return the rows of the items that the model puts first for somebody who opened this item alone."""
        scores = self._similar_scores(row)
        if scores is None:
            return NOTHING
        rows = np.flatnonzero(np.isfinite(scores))
        return _highest(scores, rows[rows != row], count)

    def _similar_scores(self, row: int) -> F32 | None:
        return None if row < 0 or self.ranks_for_everybody else self.fold_in([row], [1.0])

    def _mix(self, trained: F32, recent: F32) -> F32:
        """Mix two rankings, each scaled to mean 0 and deviation 1."""
        parts = ((1 - RECENT_SHARE, trained), (RECENT_SHARE, recent))
        return np.asarray(sum(share * _standardised(scores) for share, scores in parts), dtype=np.float32)

    def _of_bundle(self, scores: F32) -> F32:
        """Reorder scores by the model's rows to the bundle's rows."""
        return np.where(self._item_rows >= 0, scores[self._item_rows], np.float32(np.nan))

    def _values(self, vector: F32, keys: I64) -> F64:
        rows = self.join.rows_of(keys)
        return np.where(rows >= 0, vector[rows], np.nan).astype(np.float64)

    def _cache(self, cache_key: Hashable, scores: F32) -> F32:
        self._cached[cache_key] = scores
        if len(self._cached) > CACHED_SCORES:
            self._cached.popitem(last=False)
        return scores


def _highest(scores: F32, rows: I64, count: int) -> I64:
    """Return those of the rows that have the highest scores, best first; equal scores by row."""
    return rows[np.argsort(-scores[rows], kind="stable")[:count]]


def _standardised(scores: F32) -> F32:
    return np.asarray((scores - np.nanmean(scores)) / (np.nanstd(scores) + 1e-9), dtype=np.float32)

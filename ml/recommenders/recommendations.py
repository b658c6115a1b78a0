"""Ranked lists of items, one a user, and what becomes of places that no model could fill."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from scipy import sparse

from ml.arrays import F32, I32, I64
from ml.dataset.ids import Ids


@dataclass(frozen=True)
class Recommendations:
    """Ranked items of users.

    Attributes:
        users: ids, string (n_users,).
        items: ids of the columns that `rows` points to.
        rows: int32 (n_users, k), best first, -1 where nothing is left.
        scores: float32 (n_users, k).
    """

    users: pa.StringArray
    items: Ids
    rows: I32
    scores: F32

    def lengths(self) -> I64:
        """Number of items of each user, int64 (n_users,): fewer than k only where fewer were left."""
        return np.asarray((self.rows >= 0).sum(axis=1))

    def to_table(self) -> pa.Table:
        """Columns user_id, item_id, rank (1 is best), score: one row a recommended item."""
        filled = self.rows >= 0
        user, place = np.nonzero(filled)
        return pa.table(
            {
                "user_id": self.users.take(pa.array(user)),
                "item_id": self.items.take(self.rows[filled]),
                "rank": (place + 1).astype(np.int32),
                "score": self.scores[filled],
            }
        )


def filled_up(
    best: I32, scores: F32, k: int, further: I32, excluded: sparse.csr_matrix | None = None
) -> tuple[I32, F32]:
    """Lists with `further` items behind their last one, up to k places.

    Args:
        best: rows of items (n_users, at most k), -1 where a list is shorter.
        scores: of these items.
        k: places of a list.
        further: rows of the items to put behind, the first ones first.
        excluded: CSR (n_users, len(further)) of those that a user does not get; None: everybody gets all.
    """
    filled_best, filled_scores = _filled_up(best, scores, k, further)
    if excluded is None:
        return filled_best, filled_scores
    for row in np.flatnonzero(np.diff(excluded.indptr)):
        kept = np.delete(further, excluded[row].indices)
        row_best, row_scores = _filled_up(best[[row]], scores[[row]], k, kept)
        filled_best[row], filled_scores[row] = -1, -np.inf
        filled_best[row, : row_best.shape[1]] = row_best
        filled_scores[row, : row_scores.shape[1]] = row_scores
    return filled_best, filled_scores


def _filled_up(best: I32, scores: F32, k: int, further: I32) -> tuple[I32, F32]:
    width = min(k, best.shape[1] + len(further))
    missing = width - best.shape[1]
    if not len(further) or not len(best):
        return best, scores
    best = np.pad(best, ((0, 0), (0, missing)), constant_values=-1)
    scores = np.pad(scores, ((0, 0), (0, missing)), constant_values=-np.inf)
    place = np.arange(width)[None, :] - (best >= 0).sum(axis=1)[:, None]
    open_ = (place >= 0) & (place < len(further))
    lowest = np.where(np.isfinite(scores), scores, np.inf).min(axis=1, keepdims=True)
    below = np.where(np.isfinite(lowest), lowest, 0) - 1
    return (
        np.where(open_, further[np.clip(place, 0, len(further) - 1)], best).astype(np.int32),
        np.where(open_, below, scores).astype(np.float32),
    )

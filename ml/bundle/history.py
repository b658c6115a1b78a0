"""Interactions of each user before a bundle was made, as compressed rows with the newest last."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from ml.arrays import I32, I64, Bools

LATEST = 4_102_444_800  # 2100-01-01, Unix seconds
FILES = {"starts": np.int64, "items": np.int32, "at": np.int64, "liked": np.bool_}


@dataclass(frozen=True)
class History:
    """Items of every user, numbered by their rows.

    Attributes:
        starts: int64 (n_users + 1,), where each user's part of the other arrays starts.
        items: int32 (n,), rows of items; within a user every item once, the newest last.
        at: int64 (n,), Unix seconds of the last time; 0 where it is not known.
        liked: bool (n,), false where the user turned the item down.
    """

    starts: I64
    items: I32
    at: I64
    liked: Bools

    @classmethod
    def from_interactions(cls, interactions: pa.Table, users: pa.ChunkedArray, items: pa.ChunkedArray) -> History:
        """Build the history from one row for each user and item; unknown users and items are left out.

        Args:
            interactions: `user_id`, `item_id`; where known `last_at`, a timestamp, and `is_negative`.
            users: ids of users in the order of their rows.
            items: ids of items in the order of their rows.
        """
        user, item = _find_rows(interactions["user_id"], users), _find_rows(interactions["item_id"], items)
        n = len(interactions)
        at, liked = np.zeros(n, np.int64), np.ones(n, np.bool_)
        if "last_at" in interactions.column_names:
            seconds = pc.cast(interactions["last_at"], pa.timestamp("s", "UTC"), safe=False)
            at = np.asarray(pc.fill_null(pc.cast(seconds, pa.int64()), 0))
        if "is_negative" in interactions.column_names:
            liked = ~np.asarray(pc.fill_null(interactions["is_negative"], False))
        order = np.lexsort((item, at, user))
        order = order[(user[order] >= 0) & (item[order] >= 0)]
        # of a pair that comes twice the last one stays
        pair = user[order] * max(1, len(items)) + item[order]
        last = np.zeros(len(order), bool)
        last[len(order) - 1 - np.unique(pair[::-1], return_index=True)[1]] = True
        order = order[last]
        starts = np.zeros(len(users) + 1, np.int64)
        np.cumsum(np.bincount(user[order], minlength=len(users)), out=starts[1:])
        return cls(starts, item[order].astype(np.int32), at[order], liked[order])

    @classmethod
    def load(cls, folder: Path) -> History:
        """Read the arrays that `save` wrote."""
        return cls(**{name: np.load(folder / f"history_{name}.npy", allow_pickle=False) for name in FILES})

    def save(self, folder: Path) -> None:
        """Write each array to a `.npy` file."""
        for name in FILES:
            np.save(folder / f"history_{name}.npy", getattr(self, name))

    def check(self, n_users: int, n_items: int) -> None:
        """Check that the arrays fit together.

        Raises:
            ValueError: the arrays do not fit together; the message names the file.
        """
        starts = self.starts
        for name, kind in FILES.items():
            array = getattr(self, name)
            if array.dtype != kind or array.ndim != 1:
                raise ValueError(f"history_{name}.npy is {array.dtype} {array.shape}, not {kind.__name__} (n,)")
        lengths = {len(self.items), len(self.at), len(self.liked), int(starts[-1]) if len(starts) else -1}
        if len(starts) != n_users + 1 or starts[0] != 0 or len(lengths) > 1 or (np.diff(starts) < 0).any():
            raise ValueError(f"history_starts.npy does not fit {n_users} users")
        if len(self.items) and not 0 <= self.items.min() <= self.items.max() < n_items:
            raise ValueError(f"history_items.npy names items outside the {n_items} of items.parquet")
        if len(self.at) and not 0 <= self.at.min() <= self.at.max() < LATEST:
            raise ValueError("history_at.npy holds times before 1970 or after 2100")

    def select_users(self, rows: npt.NDArray[np.integer[Any]]) -> History:
        """Select the histories of these users, in this order."""
        lengths = np.diff(self.starts)[rows]
        starts = np.r_[0, np.cumsum(lengths)].astype(np.int64)
        places = np.repeat(self.starts[rows] - starts[:-1], lengths) + np.arange(starts[-1])
        return History(starts, self.items[places], self.at[places], self.liked[places])

    def seen(self, user_row: int) -> I32:
        """Rows of the items that a user opened or turned down, int32 (n,)."""
        return self.items[self.starts[user_row] : self.starts[user_row + 1]]

    def recent(self, user_row: int, count: int) -> list[tuple[int, float]]:
        """Rows and times (Unix seconds) of the last items that a user opened, the newest last."""
        rows = slice(self.starts[user_row], self.starts[user_row + 1])
        liked_rows = np.flatnonzero(self.liked[rows] & (self.at[rows] > 0))[-count:]
        return list(
            zip(
                self.items[rows][liked_rows].tolist(),
                self.at[rows][liked_rows].astype(float).tolist(),
                strict=True,
            )
        )


def _find_rows(ids: pa.ChunkedArray, value_set: pa.ChunkedArray) -> I64:
    """Find the row of each id in `value_set`; -1 if the id is not in it."""
    rows = pc.index_in(pc.cast(ids, pa.string()), value_set=value_set.combine_chunks())
    return np.asarray(pc.fill_null(rows, -1)).astype(np.int64)

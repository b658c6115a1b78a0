"""Recommendation lists compared with the test interactions, in the form that every ranking metric takes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from scipy import sparse

from ml.arrays import I32, I64, Bools
from ml.dataset.ids import Ids
from ml.dataset.interactions import Interactions
from ml.evaluation.accuracy import gains_of


@dataclass(frozen=True)
class JudgedLists:
    """Lists of length k for all test users, those without recommendations included.

    Attributes:
        users: test users (n,).
        items: ids that `rows` points to: catalogue first.
        rows: int32 (n, k), -1 where a list is shorter.
        hits: bool (n, k): a relevant item, at its first place in the list, that the user did not have in training.
        n_relevant: int64 (n,), distinct relevant items of each user.
        relevant: CSR bool (n, n_items).
        n_catalogue: the first so many ids are the catalogue.
    """

    users: Ids
    items: Ids
    rows: I32
    hits: Bools
    n_relevant: I64
    relevant: sparse.csr_matrix
    n_catalogue: int

    @property
    def k(self) -> int:
        """Length of the lists."""
        return int(self.rows.shape[1])


def judge(recommended: pa.Table, test: Interactions, train: Interactions, k: int, catalogue: Ids) -> JudgedLists:
    """Judge a table of recommendations.

    Args:
        recommended: columns user_id, item_id, rank; users outside the test are left out.
        test: what the users then did. What they liked is relevant; a user who liked nothing is not judged.
        train: pairs that waste a place.
        k: length of the lists; longer ones are cut.
        catalogue: the items that could be recommended.
    """
    test = test.only_liked()
    users = test.users
    items = catalogue.union(test.items).union(train.items).union(Ids.encode(recommended["item_id"])[0])
    owner, item = users.rows(recommended["user_id"]), items.rows(recommended["item_id"])
    rank = recommended["rank"].to_numpy()
    order = np.lexsort((rank, owner))
    order = order[owner[order] >= 0]
    owner, item = owner[order], item[order]
    first = np.searchsorted(owner, np.arange(len(users)))
    place = np.arange(len(owner)) - first[owner]
    rows = np.full((len(users), k), -1, np.int32)
    rows[owner[place < k], place[place < k]] = item[place < k]

    relevant = test.aligned(users, items).matrix.astype(bool)
    width = len(items)
    train_user = users.rows(train.users.values)[train.rows].astype(np.int64)
    train_keys = train_user * width + items.rows(train.items.values)[train.columns]
    keys = np.arange(len(users), dtype=np.int64)[:, None] * width + rows
    hits = (gains_of(rows, relevant) > 0) & ~np.isin(keys, train_keys[train_user >= 0]) & ~_repeated(rows)
    return JudgedLists(
        users, items, rows, hits, np.diff(relevant.indptr).astype(np.int64), relevant, len(catalogue)
    )


def _repeated(rows: I32) -> Bools:
    """Tell which items stand at an earlier place of the same list already."""
    order = np.argsort(rows, axis=1, kind="stable")
    ordered = np.take_along_axis(rows, order, axis=1)
    again = np.zeros(rows.shape, bool)
    np.put_along_axis(again, order[:, 1:], ordered[:, 1:] == ordered[:, :-1], axis=1)
    return again

"""Histories in the order of time, as sparse rows whose entries are not sorted by column, and where visits begin.

Pairs of one timestamp follow one another in the order of their items' ids. It is a rule like any other, but it
does not depend on the order of the rows that a model is fitted on.
"""

from __future__ import annotations

import numpy as np
from scipy import sparse

from ml.arrays import F32, F64, I32, I64, Bools, Integers
from ml.dataset.interactions import Interactions

MOST_ALONE = 0.5  # share of interactions alone in their visit, above which visits do not say what goes together


class OrderedPairs:
    """The liked pairs of a training, each user's in the order of time.

    Attributes:
        users, items: int32 (n,), rows of the users, ascending, and of the items.
        confidences: float32 (n,), how much each pair says.
        times: float64 (n,), Unix seconds; None without timestamps.
        bounds: int64 (n_users + 1,), where each user's pairs begin and end.
    """

    users: I32
    items: I32
    confidences: F32
    times: F64 | None
    bounds: I64

    def __init__(self, pairs: Interactions, confidences: sparse.csr_matrix) -> None:
        # rows follow the ids, but for items of features alone
        by_id = np.argsort(np.argsort(pairs.items.to_list()))
        rows, columns, places = pairs.in_order()
        self.times = None
        if pairs.timestamps is not None:
            self.times = pairs.timestamps[pairs.matrix.data > 0][places].astype(np.float64)
            order = np.lexsort((by_id[columns], self.times, rows))
            rows, columns, places, self.times = rows[order], columns[order], places[order], self.times[order]
        self.users, self.items = rows, columns
        self.confidences = confidences.data[places].astype(np.float32)
        self.bounds = np.searchsorted(rows, np.arange(len(pairs.users) + 1))
        self._shape = pairs.matrix.shape

    def matrix(self, values: F32 | F64) -> sparse.csr_matrix:
        """CSR (n_users, n_items) of a value for each pair, the entries of a row in the order of time."""
        return sparse.csr_matrix((values, self.items, self.bounds), shape=self._shape)


def user_starts(users: Integers) -> Bools:
    """Whether each pair is the first of its user: bool (n,); each user's pairs follow one another."""
    return np.append(True, users[1:] != users[:-1])


def visit_starts(users: Integers, times: F64 | None, gap_seconds: float) -> Bools:
    """Whether each pair begins a visit: bool (n,).

    Where most pairs would stand alone in their visit, or nothing has a time, visits do not say what goes together,
    and the whole history of a person counts as a visit.

    Args:
        users: (n,), rows of the users, each user's pairs one after the other in the order of time.
        times: float64 (n,), Unix seconds.
        gap_seconds: silence that ends a visit.
    """
    new_user = user_starts(users)
    if times is None or not len(users):
        return new_user
    starts = new_user | np.append(True, np.diff(times) > gap_seconds)
    is_alone = starts & np.append(starts[1:], True)
    return new_user if is_alone.mean() > MOST_ALONE else starts


def order_gain(pairs: Interactions, seed: int = 0) -> float:
    """How much more often two people share a step from an item to the next than if their order were random.

    Each step of one half of the people is compared with each of the other half; then once more with each person's
    items in random order. It is 1 where the order says nothing, and where there are no times.

    Args:
        pairs: the interactions.
        seed: of the halves and of the random order.
    """
    times = pairs.timestamps
    if times is None or times.min() == times.max():
        return 1.0
    random = np.random.default_rng(seed)
    users, items, _ = pairs.in_order()
    is_first_half = random.random(len(pairs.users)) < 0.5
    shuffled = items[np.lexsort((random.random(len(items)), users))]
    ordered, by_chance = (
        _shared_steps(users, order, is_first_half, len(pairs.items)) for order in (items, shuffled)
    )
    return (ordered + 1) / (by_chance + 1)


def _shared_steps(users: I32, items: I32, is_first_half: Bools, n_items: int) -> float:
    """Number of pairs of equal steps, of which each half of the people took one."""
    same = users[1:] == users[:-1]
    steps = items[:-1].astype(np.int64)[same] * n_items + items[1:][same]
    is_first = is_first_half[users[1:][same]]
    names, place = np.unique(steps, return_inverse=True)
    ours, others = (np.bincount(place[half], minlength=len(names)) for half in (is_first, ~is_first))
    return float(ours @ others)

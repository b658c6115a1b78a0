"""Visits like the running one (V-SKNN: Ludewig, Jannach 2018): what came near in them comes next.

There is nothing to train. A click costs what it costs to compare the visits that hold an item of the running
visit; of each item only the newest are compared, so that the cost does not grow with the log.
"""

from __future__ import annotations

from functools import cached_property

import numpy as np
from scipy import sparse

from ml.arrays import F32, F64, I64, Integers
from ml.dataset.weight_scale import WeightScaling
from ml.recommenders.base import Recommender
from ml.recommenders.models.sequences.ordered_histories import OrderedPairs, visit_starts
from ml.recommenders.training_data import TrainingData

FILL = 1e-4  # of the largest vote: popularity orders what no visit votes for, and decides nothing else


class SessionNeighbours(Recommender):
    """The visits most like the latest items of a person vote for their other items.

    An item counts more the later it was taken, and the fewer people took it; a vote falls with the steps between
    the item and the last one that both visits hold. Without timestamps no item is later or nearer than another.
    Of visits that are equally alike the newest vote.

    Args:
        neighbours: visits that vote.
        newest: so many of the newest visits of each item are compared.
        latest: so many of the last items make the running visit.
        gap_minutes: silence that ends a visit. Where most visits would hold one item, whole histories are visits.
        rarity: exponent of the inverse frequency of a vote's item; 0 lets popular items through.
        distance: exponent of the steps that a vote is divided by; 0 counts all items of a visit the same.
        weight_scaling: how weights become confidences, see `ml.dataset.weight_scale`.

    Learned:
        histories_: CSR float32 (n_users, n_items) of confidences, each row in the order of time.
        histories_times_: CSR float64 of the same pattern, Unix seconds + 1; zeros without timestamps.
        has_times_: whether there were timestamps.
    """

    histories_: sparse.csr_matrix
    histories_times_: sparse.csr_matrix
    has_times_: bool

    def __init__(
        self,
        neighbours: int = 200,
        newest: int = 1_000,
        latest: int = 20,
        gap_minutes: float = 30.0,
        rarity: float = 0.5,
        distance: float = 0.5,
        weight_scaling: WeightScaling = "bm25",
    ) -> None:
        self.neighbours = neighbours
        self.newest = newest
        self.latest = latest
        self.gap_minutes = gap_minutes
        self.rarity = rarity
        self.distance = distance
        self.weight_scaling = weight_scaling

    @property
    def reads_order(self) -> bool:
        """The latest item says most."""
        return True

    def _fit(self, data: TrainingData) -> None:
        pairs = OrderedPairs(data.interactions, self._learn_confidences(data.interactions))
        self.histories_ = pairs.matrix(pairs.confidences)
        self.has_times_ = pairs.times is not None
        times = np.zeros(len(pairs.items)) if pairs.times is None else pairs.times + 1
        self.histories_times_ = pairs.matrix(times)
        self.__dict__.pop("_visits", None)

    def score(self, user_rows: Integers) -> F32:
        """Scores of all items; a person's own visits do not vote."""
        rows = np.asarray(user_rows)
        return self._scored(self.histories_[rows], rows)

    def score_histories(self, histories: sparse.csr_matrix) -> F32:
        """Scores for users known only by their history, the latest item last."""
        return self._scored(histories.astype(np.float32), np.full(histories.shape[0], -1))

    @cached_property
    def _visits(self) -> VisitIndex:
        return VisitIndex(self)

    def _scored(self, histories: sparse.csr_matrix, owners: Integers) -> F32:
        most_popular = max(float(self.item_counts_.max()), 1.0)
        fill = (FILL * self.item_counts_ / most_popular).astype(np.float64)
        scores = np.empty(histories.shape, np.float32)
        for row, owner in enumerate(owners):
            entries = slice(histories.indptr[row], histories.indptr[row + 1])
            items, confidences = (
                histories.indices[entries][-self.latest :],
                histories.data[entries][-self.latest :],
            )
            votes = self._visits.votes(items, confidences, int(owner))
            scores[row] = votes / max(float(votes.max()), 1e-30) + fill
        return scores


class VisitIndex:
    """The visits of a training, the newest first, and where each item stands in them.

    Args:
        model: the fitted model, whose histories are cut into visits.
    """

    def __init__(self, model: SessionNeighbours) -> None:
        self._model = model
        histories, times = model.histories_, model.histories_times_.data
        users = np.repeat(np.arange(histories.shape[0]), np.diff(histories.indptr))
        starts = visit_starts(users, times if model.has_times_ else None, model.gap_minutes * 60)
        first = np.flatnonzero(starts)
        lengths = np.diff(np.append(first, len(users)))
        newest_first = np.argsort(
            -times[first + lengths - 1], kind="stable"
        )  # by the end of a visit, then by user
        first, lengths = first[newest_first], lengths[newest_first]
        self._bounds: I64 = np.append(0, np.cumsum(lengths))
        entries = _ranges(first, lengths)
        self._items: I64 = histories.indices[entries].astype(np.int64)
        self._roots: F64 = np.sqrt(histories.data[entries].astype(np.float64))
        self._visit: I64 = np.repeat(np.arange(len(first)), lengths)
        self._owner: I64 = users[first]
        self._by_item: I64 = np.argsort(self._items, kind="stable")
        self._item_bounds: I64 = np.searchsorted(self._items[self._by_item], np.arange(histories.shape[1] + 1))
        counts = np.maximum(model.item_counts_.astype(np.float64), 1)
        rarity = 1 + np.log(histories.shape[0] / counts).clip(0)
        self._similarity_weight: F64 = rarity
        self._vote_weight: F64 = rarity**model.rarity

    def votes(self, items: Integers, confidences: F32, owner: int) -> F64:
        """Votes for all items, float64 (n_items,).

        Args:
            items: rows of the running visit, the latest last.
            confidences: of each item.
            owner: row of the user whose visits do not vote; -1 for none.
        """
        model, n_items = self._model, len(self._item_bounds) - 1
        if not len(items):
            return np.zeros(n_items)
        late = (np.arange(len(items)) + 1) / len(items) if model.has_times_ else np.ones(len(items))
        starts = self._item_bounds[items]
        most = np.minimum(self._item_bounds[np.asarray(items) + 1] - starts, model.newest)
        entries = self._by_item[_ranges(starts, most)]
        said = np.repeat(late * np.sqrt(confidences) * self._similarity_weight[items], most) * self._roots[entries]
        last_late, visits = np.repeat(late, most), self._visit[entries]
        if owner >= 0:
            is_other = self._owner[visits] != owner
            entries, said, last_late, visits = (
                entries[is_other],
                said[is_other],
                last_late[is_other],
                visits[is_other],
            )
        if not len(entries):
            return np.zeros(n_items)
        names, place = np.unique(visits, return_inverse=True)
        length = self._bounds[names + 1] - self._bounds[names]
        alike = np.bincount(place, said) / np.sqrt(length)
        shared = np.empty(len(names), np.int64)
        weight = np.empty(len(names))
        shared[place], weight[place] = entries, last_late  # the latest item comes last, and stays
        kept = np.argsort(-alike, kind="stable")[: model.neighbours]
        spans = length[kept]
        voters = _ranges(self._bounds[names[kept]], spans)
        steps = np.abs(voters - np.repeat(shared[kept], spans))
        voice = np.repeat((alike * weight)[kept], spans) * self._roots[voters] * (steps > 0)
        if model.has_times_:
            voice /= np.maximum(steps, 1) ** model.distance
        chosen = self._items[voters]
        votes = np.bincount(chosen, voice * self._vote_weight[chosen], minlength=n_items)
        return np.asarray(votes, dtype=np.float64)


def _ranges(starts: Integers, lengths: Integers) -> I64:
    """Whole numbers from each start on, so many as its length, one range after the other."""
    ends = np.cumsum(lengths)
    total = int(ends[-1]) if len(ends) else 0
    places: I64 = np.arange(total) + np.repeat(np.asarray(starts) - (ends - lengths), lengths)
    return places

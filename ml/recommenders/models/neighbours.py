"""Nearest neighbours: items that occur together, with shrinkage, and users with similar histories."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from scipy import sparse

from ml.arrays import F32, F64, Integers
from ml.dataset.interactions import Interactions
from ml.dataset.weight_scale import WeightScaling
from ml.recommenders.base import Recommender
from ml.recommenders.models.linear import ItemWeightRecommender
from ml.recommenders.training_data import TrainingData

BLOCK = 2_000  # rows of a co-occurrence matrix made at a time
FADE = 0.8  # what one more step apart leaves of a co-occurrence; on films .7 to .9 were as good


class ItemKNN(ItemWeightRecommender):
    """Item-to-item co-occurrence: cosine, shrunk where the evidence is thin (Sarwar 2001; Bell, Koren 2007).

    Args:
        neighbours: items kept for each item.
        shrinkage: users that are added to every denominator.
        item_power: 0.5 is the cosine; above it, popular targets are damped more.
        window: only items that lie at most so far apart in the order of time go together, each step apart counting
            `FADE` times as much as the one before; None, or without timestamps: all items of a user.
        weight_scaling: how weights become confidences, see `ml.dataset.weight_scale`.
    """

    def __init__(
        self,
        neighbours: int = 200,
        shrinkage: float = 20.0,
        item_power: float = 0.5,
        window: int | None = None,
        weight_scaling: WeightScaling = "bm25",
    ) -> None:
        self.neighbours = neighbours
        self.shrinkage = shrinkage
        self.item_power = item_power
        self.window = window
        self.weight_scaling = weight_scaling

    def _fit(self, data: TrainingData) -> None:
        confidences = self._learn_confidences(data.interactions)
        self.histories_ = self.history_weights(confidences)
        self.warm_ = np.flatnonzero(data.interactions.item_counts > 0).astype(np.int32)
        sums = np.asarray(confidences.sum(axis=0, dtype=np.float64))[0, self.warm_]
        if self.window is None or data.interactions.timestamps is None:
            by_item = self.histories_[:, self.warm_].T.tocsr()
            blocks = (by_item[start : start + BLOCK] @ by_item.T for start in range(0, by_item.shape[0], BLOCK))
        else:
            near = following(data.interactions, confidences, self.window)[self.warm_][:, self.warm_].tocsr()
            blocks = (near[start : start + BLOCK] for start in range(0, near.shape[0], BLOCK))
        self.item_weights_ = cooccurrence_weights(blocks, sums, self.neighbours, self.shrinkage, self.item_power)


class UserKNN(Recommender):
    """What users with a similar history took, weighted by similarity.

    Args:
        neighbours: users kept for each user.
        shrinkage: items that are added to every denominator.
        weight_scaling: how weights become confidences, see `ml.dataset.weight_scale`.

    Learned:
        histories_: CSR float32 (n_users, n_items), the roots of the confidences.
    """

    histories_: sparse.csr_matrix

    def __init__(
        self, neighbours: int = 100, shrinkage: float = 5.0, weight_scaling: WeightScaling = "bm25"
    ) -> None:
        self.neighbours = neighbours
        self.shrinkage = shrinkage
        self.weight_scaling = weight_scaling

    def _fit(self, data: TrainingData) -> None:
        self.histories_ = self._learn_confidences(data.interactions).sqrt()

    def score(self, user_rows: Integers) -> F32:
        """Scores of all items; a user is not their own neighbour."""
        return self._scored(self.histories_[user_rows], np.asarray(user_rows))

    def score_histories(self, histories: sparse.csr_matrix) -> F32:
        """Scores for users known only by their history."""
        return self._scored(histories.astype(np.float32).sqrt(), None)

    def _scored(self, histories: sparse.csr_matrix, excluded_rows: Integers | None) -> F32:
        similar = (histories @ self.histories_.T).tocsr()
        others = _squared_sums(self.histories_)[similar.indices]
        mine = np.repeat(_squared_sums(histories), np.diff(similar.indptr))
        similar.data = (similar.data / (np.sqrt(mine * others) + self.shrinkage)).astype(np.float32)
        if excluded_rows is not None:
            similar = similar.tolil()
            similar[np.arange(len(excluded_rows)), excluded_rows] = 0
            similar = similar.tocsr()
        scores = _largest_of_rows(similar, self.neighbours) @ self.histories_
        return np.asarray(scores.todense(), dtype=np.float32)


def _squared_sums(histories: sparse.csr_matrix) -> F64:
    """Sum of the squares of each row: float64 (n_rows,)."""
    return np.asarray(histories.multiply(histories).sum(axis=1, dtype=np.float64))[:, 0]


def following(pairs: Interactions, confidences: sparse.csr_matrix, window: int) -> sparse.csr_matrix:
    """CSR (n_items, n_items): how often two items lie near each other in a user's order, the nearer the more.

    Args:
        pairs: the interactions.
        confidences: how much each liked pair says, in the order of `pairs.liked`.
        window: most steps between two items that are near.
    """
    rows, columns, places = pairs.in_order()
    roots = np.sqrt(confidences.data[places])
    shape = (len(pairs.items), len(pairs.items))
    near = sparse.csr_matrix(shape, dtype=np.float32)
    for step in range(1, min(window, len(rows) - 1) + 1):
        same = rows[step:] == rows[:-step]
        weights = (roots[:-step] * roots[step:])[same] * np.float32(FADE ** (step - 1))
        near = near + sparse.csr_matrix((weights, (columns[:-step][same], columns[step:][same])), shape)
    return (near + near.T).tocsr()


def cooccurrence_weights(
    blocks: Iterable[sparse.csr_matrix], sums: F64, neighbours: int, shrinkage: float, item_power: float
) -> sparse.csr_matrix:
    """CSR float32 (n_items, n_items) of shrunk similarities, the largest of each row, zero diagonal.

    Args:
        blocks: rows of the co-occurrences, one block of them after the other.
        sums: (n_items,), sum of the confidences of each item.
        neighbours: number of similarities that are kept in each row.
        shrinkage: what is added to the denominator, so that rare pairs count less.
        item_power: exponent of the neighbour's sum; the row's own sum has 1 minus it.
    """
    row_sizes, column_sizes = sums ** (1 - item_power), sums**item_power
    parts, start = [], 0
    for block in blocks:
        together = block.tocoo()
        row = together.row + start
        start += together.shape[0]
        weight = together.data / (row_sizes[row] * column_sizes[together.col] + shrinkage)
        other = row != together.col
        kept = sparse.csr_matrix(
            (weight[other].astype(np.float32), (together.row[other], together.col[other])), shape=together.shape
        )
        parts.append(_largest_of_rows(kept, neighbours))
    return sparse.vstack(parts, format="csr")


def _largest_of_rows(matrix: sparse.csr_matrix, most: int) -> sparse.csr_matrix:
    """Only the `most` largest entries of each row, of equal ones the first columns."""
    lengths = np.diff(matrix.indptr)
    long_rows = np.flatnonzero(lengths > most)
    if not len(long_rows):
        return matrix
    kept = np.ones(matrix.nnz, bool)
    for row in long_rows:
        cells = slice(matrix.indptr[row], matrix.indptr[row + 1])
        values = matrix.data[cells]
        least = np.partition(values, len(values) - most)[len(values) - most]
        is_kept = values > least
        equal = np.flatnonzero(values == least)
        first = np.argsort(matrix.indices[cells][equal])[: most - is_kept.sum()]
        is_kept[equal[first]] = True
        kept[cells] = is_kept
    ends = np.concatenate([[0], np.cumsum(np.minimum(lengths, most))])
    largest = sparse.csr_matrix((matrix.data[kept], matrix.indices[kept], ends), shape=matrix.shape)
    largest.sort_indices()
    return largest

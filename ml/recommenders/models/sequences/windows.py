"""Sequences of many people cut into windows of one length, as a network is trained on them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ml.arrays import F32, F64, I64, Bools

GAP_CLASSES = 26
"""Classes of the time since the item before: 0 where it is not known, then one for each doubling of a second."""


@dataclass(frozen=True)
class Sequences:
    """Sequences one after the other.

    Attributes:
        items: int64 (n,), rows of the items.
        gaps: int64 (n,), class of the time since the item before in the same sequence.
        strengths: float32 (n,), logarithm of the confidence of each.
        bounds: int64 (n_sequences + 1,), where each begins and ends.
        has_order: whether the order says something; else it is drawn anew in each pass.
    """

    items: I64
    gaps: I64
    strengths: F32
    bounds: I64
    has_order: bool

    def windows(self, length: int, is_target: Bools, random: np.random.Generator | None) -> Windows:
        """Cut all sequences every `length` items.

        Args:
            length: items of a window; the first one is predicted from nothing, each other from those before it.
            is_target: bool (n,), whether an item is to be predicted.
            random: draws where long sequences are cut; None: each ends with a whole window.
        """
        lengths = np.diff(self.bounds)
        places = np.arange(len(self.items)) - np.repeat(self.bounds[:-1], lengths)
        order = np.arange(len(self.items))
        if not self.has_order and random is not None:
            order = np.lexsort((random.random(len(order)), np.repeat(np.arange(len(lengths)), lengths)))
        shift = (length - lengths % length) % length
        if random is not None:
            shift = random.integers(0, length, len(lengths))
        shift = np.where(lengths > length, shift, 0)
        moved = places + np.repeat(shift, lengths)
        most = int(moved.max(initial=0)) // length + 1
        _, row = np.unique(
            np.repeat(np.arange(len(lengths)), lengths) * most + moved // length, return_inverse=True
        )
        first = np.append(True, row[1:] != row[:-1])
        column = np.arange(len(row)) - np.maximum.accumulate(np.where(first, np.arange(len(row)), 0))
        return Windows.filled(int(row.max(initial=-1)) + 1, length, row, column, self, order, is_target[order])

    def contexts(self, length: int, targets: I64) -> Windows:
        """One window for each target item: the item and up to `length - 1` before it in its sequence."""
        first = np.maximum(self.bounds[np.searchsorted(self.bounds, targets, "right") - 1], targets - length + 1)
        sizes = targets - first + 1
        row = np.repeat(np.arange(len(targets)), sizes)
        column = np.arange(len(row)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
        order = first[row] + column
        return Windows.filled(len(targets), length, row, column, self, order, order == targets[row])


@dataclass(frozen=True)
class Windows:
    """Windows as arrays (n_windows, length), filled from the left; the rest is 0 and no target."""

    items: I64
    gaps: I64
    strengths: F32
    is_target: Bools

    @classmethod
    def filled(
        cls, n: int, length: int, row: I64, column: I64, given: Sequences, order: I64, is_target: Bools
    ) -> Windows:
        """Put entry `order[k]` of the sequences at `row[k]`, `column[k]`."""
        items, gaps = np.zeros((n, length), np.int64), np.zeros((n, length), np.int64)
        strengths, targets = np.zeros((n, length), np.float32), np.zeros((n, length), bool)
        items[row, column], gaps[row, column] = given.items[order], given.gaps[order]
        strengths[row, column], targets[row, column] = given.strengths[order], is_target
        used = targets.any(axis=1)
        return cls(items[used], gaps[used], strengths[used], targets[used])


def gap_classes(times: F64 | None, starts: Bools) -> I64:
    """Class of the time since the entry before, int64 (n,): 0 at the start of a sequence and without times."""
    if times is None:
        return np.zeros(len(starts), np.int64)
    seconds = np.diff(times, prepend=times[:1])
    classes = 1 + np.floor(np.log2(np.maximum(seconds, 0) + 1)).astype(np.int64)
    return np.where(starts, 0, np.minimum(classes, GAP_CLASSES - 1))

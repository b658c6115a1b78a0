"""Splits of interactions into training and test, and a warning where a split lets the future into the training."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from ml.arrays import I64, Bools
from ml.dataset.interactions import Interactions
from ml.errors import InvalidInputError, TesseraError


class EmptySplitError(TesseraError, ValueError):
    """A split would leave nothing on one of its two sides; the message says how much there is."""


class NothingLikedError(EmptySplitError):
    """What a split holds back are rejections alone, by which no list can be judged."""


@dataclass(frozen=True)
class Split:
    """Training and test on the ids of the whole; `warnings` says what the split cannot promise.

    Attributes:
        test_mask: bool (n_pairs,) over the pairs of the whole.
    """

    train: Interactions
    test: Interactions
    test_mask: Bools
    warnings: tuple[str, ...] = ()


def split_by_time(whole: Interactions, share: float = 0.1, seed: int = 0) -> Split:
    """The newest `share` of the pairs is the test. Pairs at the cut's very second all go to the test.

    A pair is as new as its first event: what somebody buys again is nothing that had to be found, and its first
    purchase stays in the training. Where the cut's second is the first of all, the cut is the second after it.

    Raises:
        ValueError: there are no timestamps, or all are the same.
    """
    times = _times(whole)
    since = times if whole.since is None else whole.since
    cut = np.quantile(since, 1 - share, method="higher")
    test = since >= cut if cut > since.min() else since > cut
    if not test.any():
        raise InvalidInputError("all interactions have the same timestamp; split per user at random instead")
    # Of the training, only what was known before the cut: the last event of some pairs came after it.
    return _split(replace(whole, timestamps=np.where(test, times, np.where(times < cut, times, since))), test)


def split_leave_last_out(whole: Interactions, share: float = 0.0, seed: int = 0) -> Split:
    """The last pair of each user with at least two; without timestamps one at random.

    The last pairs of different users lie at different times: others' later behaviour is in training.
    """
    random = np.random.default_rng(seed).random(whole.n_pairs)
    times = random if whole.timestamps is None else whole.timestamps
    order = np.lexsort((random, times, whole.rows))
    last = np.append(whole.rows[order][1:] != whole.rows[order][:-1], True)
    test = np.zeros(whole.n_pairs, bool)
    test[order[last]] = True
    test &= np.diff(whole.matrix.indptr)[whole.rows] >= 2
    return _split(whole, test)


def split_random(whole: Interactions, share: float = 0.25, seed: int = 0) -> Split:
    """A random share of each user's pairs."""
    order = np.lexsort((np.random.default_rng(seed).random(whole.n_pairs), whole.rows))
    starts = whole.matrix.indptr[:-1]
    place = np.arange(whole.n_pairs) - starts[whole.rows[order]]
    n = np.diff(whole.matrix.indptr)[whole.rows[order]]
    test = np.zeros(whole.n_pairs, bool)
    test[order] = (place + 1) / n > 1 - share
    test &= np.diff(whole.matrix.indptr)[whole.rows] >= 2
    return _split(whole, test)


def split_cold_users(whole: Interactions, share: float = 0.1, seed: int = 0) -> Split:
    """All pairs of a random share of the users."""
    chosen = np.random.default_rng(seed).random(len(whole.users)) < share
    return _split(whole, chosen[whole.rows])


def split_cold_items(whole: Interactions, share: float = 0.1, seed: int = 0) -> Split:
    """All pairs of the items that appeared last; without timestamps of a random share of them."""
    if whole.timestamps is None:
        chosen = np.random.default_rng(seed).random(len(whole.items)) < share
    else:
        first = np.full(len(whole.items), np.iinfo(np.int64).max)
        np.minimum.at(first, whole.columns, whole.timestamps)
        chosen = first >= np.quantile(first[np.unique(whole.columns)], 1 - share, method="higher")
    return _split(whole, chosen[whole.columns])


SPLITS: dict[str, Callable[..., Split]] = {
    "time": split_by_time,
    "leave-last-out": split_leave_last_out,
    "random": split_random,
    "cold-users": split_cold_users,
    "cold-items": split_cold_items,
}


def split(whole: Interactions, kind: str, seed: int = 0, **options: float) -> Split:
    """Split by name.

    Raises:
        ValueError: the name is unknown, or the split is not possible on this data.
    """
    if kind not in SPLITS:
        raise InvalidInputError(f"split {kind!r}; there are {', '.join(SPLITS)}")
    return SPLITS[kind](whole, seed=seed, **options)


def leaked_share(train: Interactions, test: Interactions) -> float:
    """Share of the training pairs that are younger than the oldest test pair; NaN without timestamps."""
    if train.timestamps is None or test.timestamps is None or not test.n_pairs or not train.n_pairs:
        return float("nan")
    return float((train.timestamps > test.timestamps.min()).mean())


def _split(whole: Interactions, test: Bools) -> Split:
    """Cut, and warn of time leaks, measured not assumed."""
    train, held_out = whole.select(~test), whole.select(test)
    warnings = []
    if not train.n_pairs or not held_out.n_pairs:
        raise EmptySplitError(
            f"the split leaves {train.n_pairs} interactions to train on and {held_out.n_pairs} to test on"
        )
    leaked = leaked_share(train, held_out)
    if leaked > 0:
        warnings.append(
            f"{leaked:.0%} of the training interactions happened after the first test interaction: "
            "figures of this split flatter models that could not have known them; split by time to be sure"
        )
    return Split(train, held_out, test, tuple(warnings))


def _times(whole: Interactions) -> I64:
    if whole.timestamps is None:
        raise InvalidInputError("a split by time needs a column 'timestamp'; use random, or add the column")
    return whole.timestamps

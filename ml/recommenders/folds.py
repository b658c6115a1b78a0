"""Folds of interactions: each time a past to fit on and a future that the fit has not seen."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ml.dataset.interactions import Interactions

TIME_SHARES = (0.12, 0.12)  # newest shares that make the two folds in time


def cut_into_folds(
    pairs: Interactions, by: str, folds: int, seed: int
) -> Iterator[tuple[Interactions, Interactions]]:
    """Pairs of past and future on the same ids.

    Args:
        pairs: the interactions to divide.
        by: `random` deals each user's items out to so many folds, `time` holds back the newest ones twice; without
            timestamps it is random.
        folds: number of folds of a random division.
        seed: seed of a random division.
    """
    if by == "time" and pairs.timestamps is not None:
        order = np.argsort(pairs.timestamps, kind="stable")
        end = pairs.n_pairs
        for share in TIME_SHARES:
            start = end - int(share * pairs.n_pairs)
            past, future = np.zeros(pairs.n_pairs, bool), np.zeros(pairs.n_pairs, bool)
            past[order[:start]], future[order[start:end]] = True, True
            yield pairs.select(past), pairs.select(future)
            end = start
        return
    place = np.random.default_rng(seed).random(pairs.n_pairs)
    order = np.lexsort((place, pairs.rows))
    fold = np.empty(pairs.n_pairs, np.int64)
    # Each user's items are dealt out evenly, beginning at another fold for each user.
    fold[order] = (np.arange(pairs.n_pairs) + pairs.rows[order]) % folds
    for number in range(folds):
        yield pairs.select(fold != number), pairs.select(fold == number)

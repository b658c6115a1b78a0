"""AUC of a ranking of candidates, and its sampled estimate."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ml.arrays import F64, Bools, F32OrF64


def auc(places: npt.ArrayLike, n_candidates: int) -> float:
    """Share of (relevant, other) candidate pairs in the right order, for one user.

    Args:
        places: 0-based places of the relevant candidates among all candidates; tied ones share a mean place.
        n_candidates: number of all candidates.

    Returns:
        NaN if all candidates are relevant, or none.
    """
    behind = n_candidates - 1 - np.sort(np.asarray(places, dtype=np.float64))
    good = len(behind)
    if not 0 < good < n_candidates:
        return float("nan")
    return float((behind.sum() - good * (good - 1) / 2) / (good * (n_candidates - good)))


def auc_of_scores(relevant: F32OrF64, others: F32OrF64) -> float:
    """Compute the AUC from scores of the relevant candidates and of the others, or of a sample of the others.

    On a sample the expected value is the same, with noise: metrics made with it carry `sampled` in their name.
    """
    if not len(relevant) or not len(others):
        return float("nan")
    ordered = np.sort(others)
    below = np.searchsorted(ordered, relevant, side="left")
    equal = np.searchsorted(ordered, relevant, side="right") - below
    return float((below + equal / 2).mean() / len(others))


def user_auc(scores: F32OrF64, relevant: Bools, allowed: Bools) -> F64:
    """AUC of each user from dense scores: all arrays (n_users, n_items); returns (n_users,)."""
    return np.array(
        [
            auc_of_scores(user_scores[good & open_], user_scores[~good & open_])
            for user_scores, good, open_ in zip(scores, relevant, allowed, strict=True)
        ]
    )

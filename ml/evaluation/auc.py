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


TOP_SHARE = 1e-3  # of a ranking, inside of which places hardly differ


def user_log_places(scores: F32OrF64, relevant: Bools, allowed: Bools) -> F64:
    """How far up each user's relevant items stand, on a log scale: 1 for the first place, 0 for the last.

    From the 300th to the 30th of 30,000 places is as far as from the 3,000th to the 300th: unlike the AUC, it
    tells rankings apart by their first hundreds, and unlike hits in the first places, it says something of every
    user.

    Args:
        scores: (n_users, n_items).
        relevant: (n_users, n_items).
        allowed: (n_users, n_items), false for items that are not ranked.

    Returns:
        (n_users,), NaN for a user without a relevant or without another item.
    """
    values = np.full(len(scores), np.nan)
    for user, (user_scores, good, is_open) in enumerate(zip(scores, relevant, allowed, strict=True)):
        others = np.sort(user_scores[~good & is_open])
        hits = user_scores[good & is_open]
        if not len(hits) or not len(others):
            continue
        below = (np.searchsorted(others, hits, "left") + np.searchsorted(others, hits, "right")) / 2
        above = 1 - below / len(others)
        values[user] = np.mean(np.log((above + TOP_SHARE) / (1 + TOP_SHARE))) / np.log(TOP_SHARE / (1 + TOP_SHARE))
    return values

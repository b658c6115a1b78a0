"""Cold start measured: how good each way of serving a new user is after 0, 1, 2, 5, 10, 20 known events."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure
from scipy import sparse

from ml.evaluation.accuracy import ndcg
from ml.recommenders.base import Recommender
from ml.recommenders.interactions import Interactions
from ml.recommenders.topk import top_k_scores

KNOWN_EVENTS = (0, 1, 2, 5, 10, 20)


def first_events(users: Interactions, most: int) -> sparse.csr_matrix:
    """CSR of the first `most` pairs of each user in time (in order of the item without timestamps)."""
    times = np.zeros(users.n_pairs) if users.timestamps is None else users.timestamps
    order = np.lexsort((times, users.rows))
    place = np.arange(users.n_pairs) - users.matrix.indptr[users.rows[order]]
    kept = order[place < most]
    ones = np.ones(len(kept), np.float32)
    return sparse.csr_matrix((ones, (users.rows[kept], users.columns[kept])), shape=users.matrix.shape)


def cold_start_curves(
    recommenders: Mapping[str, Recommender],
    new_users: Interactions,
    known_events: Sequence[int] = KNOWN_EVENTS,
    k: int = 10,
) -> dict[str, dict[int, float]]:
    """NDCG@k on what follows the first `max(known_events)` events, by recommender and number of known events.

    Every point is measured on the same users and the same future, so that only the knowledge differs.

    Args:
        recommenders: fitted without these users, on the same items.
        new_users: on the recommenders' item ids.
    """
    longest = max(known_events)
    future = (new_users.liked - first_events(new_users, longest)).tocsr()
    future.eliminate_zeros()
    tested = np.flatnonzero(np.diff(future.indptr) > 0)
    if not len(tested):
        raise ValueError(f"no user has more than {longest} events")
    hidden = future[tested].astype(bool)
    curves: dict[str, dict[int, float]] = {name: {} for name in recommenders}
    for events in known_events:
        history = first_events(new_users, events)[tested]
        for name, recommender in recommenders.items():
            curves[name][events] = float(np.nanmean(history_ndcg(recommender, history, hidden, k)))
    return curves


def history_ndcg(
    recommender: Recommender, history: sparse.csr_matrix, future: sparse.csr_matrix, k: int
) -> npt.NDArray[np.float64]:
    """NDCG@k of users who are known by their history alone: (n_users,)."""
    n_users, n_items = history.shape
    best, _ = top_k_scores(lambda rows: recommender.score_histories(history[rows]), n_users, n_items, k, history)
    wanted = np.asarray(future.todense(), dtype=bool)
    hits = np.take_along_axis(wanted, np.maximum(best, 0), 1) & (best >= 0)
    return ndcg(hits, wanted.sum(axis=1))


def curves_plot(curves: Mapping[str, Mapping[int, float]], k: int) -> Figure:
    """NDCG against the number of known events, a line each."""
    figure = Figure(figsize=(7, 4), layout="constrained")
    axes = figure.subplots()
    for name, curve in curves.items():
        axes.plot([str(events) for events in curve], list(curve.values()), marker="o", label=name)
    axes.set_xlabel("known events of a new user")
    axes.set_ylabel(f"NDCG@{k}")
    axes.legend(frameon=False)
    return figure

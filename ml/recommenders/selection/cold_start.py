"""Cold start measured: how good each way of serving a new user is after 0, 1, 2, 5, 10, 20 known events."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import numpy as np
import pyarrow as pa
from matplotlib.figure import Figure
from scipy import sparse

from ml.arrays import F64, I32
from ml.dataset.interactions import Interactions
from ml.errors import InvalidInputError
from ml.evaluation.accuracy import gains_of, ndcg
from ml.evaluation.bootstrap import mean_interval, paired_difference
from ml.evaluation.splits import EmptySplitError, split
from ml.recommenders.base import Recommender
from ml.recommenders.selection.compare import Configuration
from ml.recommenders.topk import top_k_scores
from ml.recommenders.training_data import TrainingData
from ml.recommenders.validation import sample_users

KNOWN_EVENTS = (0, 1, 2, 5, 10, 20)
NEW_SHARE = 0.2  # of the people who play the newcomers
ENOUGH_SHARE = 0.1  # of the newcomers must have more events than a curve's last point
Curves = dict[str, dict[int, F64]]
"""By way of serving and number of known events: NDCG of each newcomer, float64 (n_users,)."""


def first_events(users: Interactions, most: int) -> sparse.csr_matrix:
    """CSR of the first `most` liked pairs of each user in time (in order of the item without timestamps)."""
    users = users.select(users.weights > 0)
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
    by_features: Mapping[str, Recommender] | None = None,
) -> Curves:
    """NDCG@k of each user on what follows the first `max(known_events)` events, by recommender and known events.

    Every point is measured on the same users and the same future, so that only the knowledge differs.

    Args:
        recommenders: fitted without these users, on the same items.
        new_users: on the recommenders' ids.
        known_events: numbers of first events that are revealed.
        k: length of the lists.
        by_features: recommenders that know of a newcomer only what their features say, such as a segment: their
            line is level.

    Raises:
        ValueError: no user has more events than the largest of `known_events`.
    """
    longest = max(known_events)
    future = (new_users.liked - first_events(new_users, longest)).tocsr()
    future.eliminate_zeros()
    tested = np.flatnonzero(np.diff(future.indptr) > 0)
    if not len(tested):
        raise InvalidInputError(f"no user has more than {longest} events")
    hidden = future[tested].astype(bool)
    curves: Curves = {name: {} for name in recommenders}
    for events in known_events:
        history = first_events(new_users, events)[tested]
        for name, recommender in recommenders.items():
            curves[name][events] = history_ndcg(recommender, history, hidden, k)
        for name, recommender in (by_features or {}).items():
            best, _ = recommender.rank(tested.astype(np.int32), k, history)
            curves.setdefault(name, {})[events] = _ndcg_of(best, hidden)
    return curves


def measured_curves(
    configuration: Configuration,
    data: TrainingData,
    most_users: int,
    seed: int,
    newcomer_families: Collection[str] | None = None,
) -> Curves:
    """Curves of a configuration's fold-in beside content, segment and popularity, on people held back whole.

    Args:
        configuration: The model that folds newcomers in.
        data: Interactions and features.
        most_users: So many people's interactions are used, drawn at random; a fifth of them are the newcomers.
        seed: Seed of the sample and of the split.
        newcomer_families: Families of user features that are known before a user has done anything; None for all.
            Features of behaviour would reveal the very events that are held back.

    Returns:
        Empty where there are too few people to hold some back, or no newcomer has enough events to draw a curve.
        The most known events are the largest of KNOWN_EVENTS that a tenth of the newcomers have more than.
    """
    some = sample_users(data, most_users, seed)
    try:
        parted = split(some.interactions, "cold-users", seed, share=NEW_SHARE)
    except EmptySplitError:
        return {}
    past = TrainingData(parted.train, data.user_features, data.item_features)
    lengths = np.diff(parted.test.liked.indptr)
    lengths = lengths[lengths > 0]
    points = [events for events in KNOWN_EVENTS if (lengths > events).mean() >= ENOUGH_SHARE]
    if not points or not past.interactions.liked.nnz:
        return {}
    histories = {"popularity": Configuration("popularity", {}), "fold-in": configuration}
    if data.item_features is not None and data.item_features.matrix.nnz:
        histories["content"] = Configuration("content_affinity", {"smoothing": 50.0})
    by_features = {}
    if data.user_features is not None:
        families = data.user_features.families()
        at_once = np.array([newcomer_families is None or name in newcomer_families for name in families], bool)
        segments = TrainingData(parted.train, data.user_features.select(at_once), None)
        by_features["segment"] = Configuration("segment_popularity", {}).make().fit_aligned(segments)
    fitted = {name: model.make().fit_aligned(past) for name, model in histories.items()}
    return cold_start_curves(fitted, parted.test, points, by_features=by_features)


def history_ndcg(recommender: Recommender, history: sparse.csr_matrix, future: sparse.csr_matrix, k: int) -> F64:
    """NDCG@k of users who are known by their history alone: (n_users,)."""
    n_users, n_items = history.shape
    best, _ = top_k_scores(lambda rows: recommender.score_histories(history[rows]), n_users, n_items, k, history)
    return _ndcg_of(best, future)


def _ndcg_of(best: I32, future: sparse.csr_matrix) -> F64:
    return ndcg(gains_of(best, future) > 0, np.diff(future.indptr).astype(np.int64))


def curves_table(curves: Curves) -> pa.Table:
    """Return way, known_events and the mean `ndcg` over the newcomers with its 95% interval, `low` to `high`."""
    rows = []
    for way, curve in curves.items():
        for events, values in curve.items():
            point = mean_interval(values)
            rows.append(
                {"way": way, "known_events": events, "ndcg": point.mean, "low": point.low, "high": point.high}
            )
    return pa.Table.from_pylist(rows)


def sure_curve(curve: Mapping[int, F64], seed: int = 0) -> dict[int, float]:
    """Return the mean NDCG by number of known events, which changes only where the change is more than chance.

    Args:
        curve: NDCG of each newcomer by number of known events, the same newcomers in the same order.
        seed: Seed of the intervals.

    Returns:
        The mean at the fewest known events. Each further point keeps the value before it unless the paired 95%
        interval of the difference to the last point that changed it excludes 0.
    """
    means: dict[int, float] = {}
    values: F64 | None = None
    for events in sorted(curve):
        if values is None or not paired_difference(curve[events], values, seed=seed).holds_zero:
            values = curve[events]
        means[events] = float(np.nanmean(values))
    return means


def curves_plot(curves: Curves, k: int) -> Figure:
    """NDCG against the number of known events, a line each, with 95% intervals over the newcomers."""
    figure = Figure(figsize=(7, 4), layout="constrained")
    axes = figure.subplots()
    for name, curve in curves.items():
        points = [mean_interval(values) for values in curve.values()]
        means = np.array([point.mean for point in points])
        reach = [means - [point.low for point in points], [point.high for point in points] - means]
        axes.errorbar([str(events) for events in curve], means, np.maximum(reach, 0), marker="o", label=name)
    axes.set_xlabel("known events of a new user")
    axes.set_ylabel(f"NDCG@{k}")
    axes.legend(frameon=False)
    return figure

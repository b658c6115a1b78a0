"""New people folded in from their first ten events, against a full refit that knows those events: NDCG@10.

ml-100k, a fifth of the people are new. Every model is fitted without them; then their first ten events are folded
in, or the model is fitted again with these events among its interactions. Both are judged by what came after.
"""

from __future__ import annotations

import time
from collections.abc import Iterator

import numpy as np
from figure import Figure
from hybrid_training import whole_data

from ml.dataset.interactions import Interactions
from ml.evaluation.splits import split
from ml.recommenders.base import Recommender
from ml.recommenders.models.zoo import make_recommender
from ml.recommenders.selection.cold_start import first_events, history_ndcg
from ml.recommenders.training_data import TrainingData
from ml.recommenders.validation import ValidationWindow

EVENTS = 10
MODELS = {
    "lightfm_warp": {"n_factors": 32, "epochs": 20},
    "als": {"n_factors": 64},
    "ease": {"regularization": 400.0},
    "svd": {},
    "item_neighbours": {},
}


def measure(size: float) -> Iterator[Figure]:
    data = whole_data(size)
    parted = split(data.interactions, "cold-users", seed=0, share=0.2)
    newcomers = parted.test
    history = first_events(newcomers, EVENTS)
    future = (newcomers.liked - history).tocsr()
    future.eliminate_zeros()
    rows = np.flatnonzero((np.diff(future.indptr) > 0) & (np.diff(history.indptr) == EVENTS))
    for name, params in MODELS.items():
        before = fitted(name, params, data, parted.train)
        start = time.perf_counter()
        folded = float(np.nanmean(history_ndcg(before, history[rows], future[rows].astype(bool), 10)))
        seconds = time.perf_counter() - start
        after = fitted(name, params, data, with_history(data.interactions, parted.test_mask, history))
        window = ValidationWindow(
            data, rows.astype(np.int32), future[rows], history[rows], None, float("nan"), 10, ()
        )
        refit = float(np.nanmean(window.ndcg(after)))
        yield Figure(f"fold_in {name}", folded, "NDCG@10", "full refit", refit, folded / refit, len(rows), seconds)


def fitted(name: str, params: dict[str, object], data: TrainingData, pairs: Interactions) -> Recommender:
    return make_recommender(name, **params).fit_aligned(
        TrainingData(pairs, data.user_features, data.item_features)
    )


def with_history(whole: Interactions, is_new: np.ndarray, history: object) -> Interactions:
    """Everybody else's pairs and the first events of the newcomers."""
    known = np.asarray(history[whole.rows, whole.columns]).ravel() > 0
    return whole.select(~is_new | known)

"""Combinations of the families' best: weights for a blend, and whether a learned second stage can add to it.

Both are judged on people by whom nothing was chosen: the judges are dealt into folds, and what is learned on all
but one is judged on that one.
"""

from __future__ import annotations

import numpy as np

from ml.arrays import F32, F64, I64
from ml.recommenders.models.second_stage.choice_model import ChoiceModel
from ml.recommenders.models.second_stage.context import Context
from ml.recommenders.selection.plan.shortlists import Shortlists
from ml.recommenders.training_data import TrainingData

FOLDS = 4
MOST_PICKS = 12  # so many times a model is added to the blend at most
LEAST_GAIN = 1e-4  # of the mean metric, for one more pick
# Judges below which the weights are the mean over halves of them. On two windows of questions, weights chosen once
# by 160 judges reached an AUC of .7613 and .7623 on the other window; means over halves .7654 and .7766.
FEW_JUDGES = 500
BAGS = 8
LEAST_WEIGHT = 0.05  # of a model, for it to stay in such a blend
CHOICE_USERS = 1_000  # that the estimate of a second stage learns from


def blend_weights(lists: Shortlists, rows: I64) -> F64:
    """Weights of the models, by adding again and again the one that helps most (Caruana et al. 2004): sum 1.

    Few judges add what suits them by luck: there the weights are the mean over halves of the judges, less those
    that stay small.
    """
    if not 4 <= len(rows) < FEW_JUDGES:
        return _picked_weights(lists, rows)
    random = np.random.default_rng(0)
    halves = [np.sort(random.permutation(rows)[: len(rows) // 2]) for _ in range(BAGS)]
    weights = np.mean([_picked_weights(lists, half) for half in halves], axis=0)
    weights[weights < min(LEAST_WEIGHT, weights.max())] = 0
    return np.asarray(weights / max(weights.sum(), 1e-9))


def _picked_weights(lists: Shortlists, rows: I64) -> F64:
    scores = lists.scores[:, rows]
    picks = np.zeros(len(scores))
    total = np.zeros(scores.shape[1:])
    highest = float("-inf")
    for _ in range(MOST_PICKS):
        values = [float(np.nanmean(lists.gain(total + part, rows))) for part in scores]
        best = int(np.argmax(values))
        if values[best] <= highest + LEAST_GAIN:
            break
        highest = values[best]
        picks[best] += 1
        total += scores[best]
    weights: F64 = picks / max(1.0, picks.sum())
    return weights


def judged_blend(lists: Shortlists, seed: int) -> F64:
    """The metric of each judge under a blend whose weights others have chosen: (n,)."""
    per_user = np.full(len(lists.users), np.nan)
    for others, rows in _folds(len(lists.users), seed):
        weights = blend_weights(lists, others)
        per_user[rows] = lists.judge(np.tensordot(weights, lists.scores[:, rows], 1), rows)
    return per_user


def judged_choice(lists: Shortlists, seed: int) -> F64:
    """The metric of each judge under the one model that others would have chosen: (n,).

    The value of the model that all judges have chosen is better by luck, the more so the fewer they are: among
    thirty judges the luck is larger than what a blend gains.
    """
    values = np.stack([lists.judge(part) for part in lists.scores])
    per_user = np.full(len(lists.users), np.nan)
    for others, rows in _folds(len(lists.users), seed):
        best = int(np.argmax(np.nanmean(values[:, others], axis=1)))
        per_user[rows] = values[best, rows]
    return per_user


def judged_second_stage(lists: Shortlists, past: TrainingData, seed: int) -> F64:
    """The metric of each judge under a conditional logit learned from others' shortlists: (n,).

    It has the scores and the context of a pair, as the second stage would have, but learns from one window in
    place of several folds: the models are fitted already, so that it costs seconds and not minutes.
    """
    context = Context().fit(past)
    features = _features(lists, context)
    activity = context.user_values_["activity"][lists.users]
    per_user = np.full(len(lists.users), np.nan)
    random = np.random.default_rng(seed)
    for others, rows in _folds(len(lists.users), seed):
        learned = others[random.permutation(len(others))[:CHOICE_USERS]]
        x, taken, sizes, users = _rows(lists, features, np.sort(learned))
        if not taken.any():
            continue
        model = ChoiceModel.fit(x, taken, sizes, activity[users])
        length = lists.columns.shape[1]
        judged = features[rows].reshape(-1, features.shape[2])
        utilities = model.utilities(judged, np.full(len(rows), length), activity[rows])
        per_user[rows] = lists.judge(utilities.reshape(len(rows), length), rows)
    return per_user


def _features(lists: Shortlists, context: Context) -> F32:
    """Standardised scores and context of all pairs: float32 (n, c, d)."""
    n, c = lists.columns.shape
    pairs = [
        context.pair_features(lists.users[start : start + 64], lists.columns[start : start + 64])
        for start in range(0, n, 64)
    ]
    scores = np.moveaxis(lists.scores, 0, 2).astype(np.float32)
    return np.concatenate([scores, np.concatenate(pairs).reshape(n, c, -1)], axis=2)


def _rows(lists: Shortlists, features: F32, judges: I64) -> tuple[F32, F32, I64, I64]:
    """Features, gains, rows of each judge, and the judges who took something of their shortlist."""
    allowed, taken = lists.is_allowed[judges], lists.gains[judges].astype(np.float32)
    some = taken.any(axis=1)
    allowed, taken, judges = allowed[some], taken[some], judges[some]
    return features[judges][allowed], taken[allowed], allowed.sum(axis=1).astype(np.int64), judges


def _folds(n: int, seed: int) -> list[tuple[I64, I64]]:
    order = np.random.default_rng(seed).permutation(n)
    return [(np.sort(np.setdiff1d(order, part)), np.sort(part)) for part in np.array_split(order, min(FOLDS, n))]

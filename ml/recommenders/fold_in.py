"""Fold-in: the vector of a new person from the few items they took, the items' vectors standing still."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ml.arrays import F32, F64


@dataclass(frozen=True)
class FoldIn:
    """How vectors of new people are made from the items they opened.

    Attributes:
        unknown_user: float32 (d,), vector of somebody of whom nothing is known.
        weight: confidence of an observed item against an unobserved one; ridge alone.
        regularization: pull towards `unknown_user`; ridge alone.
        user_covariance: float32 (d, d) of the people's vectors, for models that learned to rank: their scores have
            no zero and no unit, so that no target fits them. None: ridge regression on targets 1 and 0.
    """

    unknown_user: F32
    weight: float
    regularization: float
    user_covariance: F32 | None = None


class ItemMoments:
    """What fold-in needs of all items, made once.

    Attributes:
        gram: float64 (d, d), sum of the outer products.
        mean, covariance: float64 (d,) and (d, d) over the items, each counting the same.
    """

    def __init__(self, factors: F32) -> None:
        exact = factors.astype(np.float64)
        self.gram: F64 = exact.T @ exact
        self.mean: F64 = exact.sum(axis=0) / max(1, len(exact))
        centred = exact - self.mean
        self.covariance: F64 = centred.T @ centred / max(1, len(exact))


def folded_in(rule: FoldIn, items: ItemMoments, chosen: F32, weights: F32) -> F32:
    """Vector of somebody who took these items, float32 (d,); `unknown_user` where there are none.

    Args:
        rule: how the model folds people in.
        items: moments of the factors of all items.
        chosen: float32 (n, d), factors of the items.
        weights: float32 (n,), confidence of each, 1 for a typical interaction.
    """
    if not len(chosen):
        return rule.unknown_user
    if rule.user_covariance is None:
        vector = _by_ridge(rule, items, chosen, weights)
    else:
        vector = rule.unknown_user + preference_steps(rule.user_covariance, items, chosen, weights).sum(axis=0)
    return np.asarray(vector, dtype=np.float32)


def preference_steps(user_covariance: F32, items: ItemMoments, chosen: F32, weights: F32) -> F64:
    """What each item adds to the vector of the unknown user: float64 (n, d).

    One Newton step on the likelihood of choosing the taken items out of all items (softmax of the scores, expanded
    where all scores are equal), under the prior that people's vectors are normal. Constant columns of the
    items (biases of users) say nothing, and constant columns of the users (biases of items) stay.
    """
    spread = user_covariance.astype(np.float64)
    left = np.eye(len(spread)) + weights.sum(dtype=np.float64) * items.covariance @ spread
    gradients = (chosen - items.mean) * weights[:, None]
    return np.asarray(np.linalg.solve(left, gradients.T).T @ spread)


def contributions(rule: FoldIn, items: ItemMoments, chosen: F32, weights: F32, explained: F32) -> F64:
    """What each taken item adds to the score of each explained one, after the fold-in: float64 (n, m).

    Ridge regression is linear in the items taken once its left side stands (Hu, Koren, Volinsky 2008, section 5),
    and so are the steps of a preference: the sums over the taken items differ from the scores by what the unknown
    user gets alone.

    Args:
        rule: how the model folds people in.
        items: moments of the factors of all items.
        chosen: float32 (n, d), factors of the taken items.
        weights: float32 (n,), confidence of each taken item, 1 for a typical interaction.
        explained: float32 (m, d), factors of the items that are explained.
    """
    if not len(chosen):
        return np.zeros((0, len(explained)))
    if rule.user_covariance is not None:
        return preference_steps(rule.user_covariance, items, chosen, weights) @ explained.T
    confidence = rule.weight * weights
    solved = np.linalg.solve(_left_of_ridge(rule, items, chosen, confidence), explained.T.astype(np.float64))
    return np.asarray((chosen * (confidence + 1)[:, None]) @ solved)


def _by_ridge(rule: FoldIn, items: ItemMoments, chosen: F32, weights: F32) -> F64:
    """Weighted ridge regression, one step of implicit ALS (Hu, Koren, Volinsky 2008, equation 4).

    An observed item wants the score 1, the others 0.
    """
    confidence = rule.weight * weights
    left = _left_of_ridge(rule, items, chosen, confidence)
    right = rule.regularization * rule.unknown_user + chosen.T @ (confidence + 1)
    return np.asarray(np.linalg.solve(left, right))


def _left_of_ridge(rule: FoldIn, items: ItemMoments, chosen: F32, confidence: F32) -> F64:
    pull = rule.regularization * np.eye(chosen.shape[1])
    return np.asarray(items.gram + pull + (chosen * confidence[:, None]).T @ chosen)

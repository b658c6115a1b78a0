"""Onboarding: the questions whose answers tell most about a new user."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy import sparse

from ml.dataset.feature_matrix import FeatureMatrix
from ml.dataset.interactions import Interactions
from ml.errors import InvalidInputError
from ml.recommenders.factors import FactorRecommender

LEAST_SHARE = 0.03  # of the users must have an item or topic: nobody can answer about what nobody knows


@dataclass(frozen=True)
class Question:
    """One thing to ask about; `information` in bits is what the answer tells about the person's interests."""

    kind: Literal["item", "topic"]
    id: str
    rows: tuple[int, ...]
    information: float


def onboarding_questions(
    recommender: FactorRecommender,
    interactions: Interactions,
    item_features: FeatureMatrix | None,
    n: int,
    kind: Literal["item", "topic"] = "item",
) -> list[Question]:
    """Choose questions one after the other, each telling most given those before it.

    A question splits the users into those who have it and those who don't; it tells as much as it lowers the
    uncertainty about the users' vectors, the log determinant of their covariance, below what the questions before
    it left (greedy D-optimal design for a linear Gaussian model). Things that everybody has tell little, and so
    do rare ones: both follow from the variance of the answer.

    Args:
        recommender: model whose user vectors the questions should tell apart.
        interactions: with the ids of the recommender's training.
        item_features: topics to ask about, for kind `topic`.
        n: largest number of questions.
        kind: whether to ask about items or about topics.
    """
    answers, names, rows = _askable(interactions, item_features, kind)
    vectors = recommender.user_factors_.astype(np.float64)
    vectors = vectors - vectors.mean(axis=0)
    share = np.asarray(answers.mean(axis=0)).ravel()
    spread = np.sqrt(share * (1 - share))
    n_users = answers.shape[0]
    # Slope of the answer in the vectors, per standard deviation of the answer: what it tells of each direction.
    slopes = (np.asarray(answers.T @ vectors) / n_users) / np.maximum(spread, 1e-9)[:, None]
    covariance = vectors.T @ vectors / n_users + 1e-6 * np.eye(vectors.shape[1])
    questions: list[Question] = []
    open_ = np.ones(len(names), bool)
    precision = np.linalg.inv(covariance)
    loadings = (
        slopes @ precision
    )  # answer = loadings · vector + noise of unit variance less what the vector explains
    explained = np.clip((slopes * loadings).sum(axis=1), 0, 0.999)
    noise = 1 - explained
    for _ in range(min(n, len(names))):
        signal = np.einsum("qd,de,qe->q", loadings, covariance, loadings) / noise
        information = np.where(open_, 0.5 * np.log2(1 + np.maximum(signal, 0)), -np.inf)
        best = int(information.argmax())
        questions.append(Question(kind, names[best], rows[best], float(information[best])))
        open_[best] = False
        direction = covariance @ loadings[best]
        covariance = covariance - np.outer(direction, direction) / (noise[best] + loadings[best] @ direction)
    return questions


def _askable(
    interactions: Interactions, item_features: FeatureMatrix | None, kind: str
) -> tuple[sparse.csr_matrix, list[str], list[tuple[int, ...]]]:
    """Answers (n_users, n_questions) as 0 or 1, names, and the item rows of each question."""
    liked = interactions.liked
    if kind == "item":
        share = interactions.item_counts / max(1, liked.shape[0])
        kept = np.flatnonzero(share >= LEAST_SHARE)
        return (
            liked[:, kept],
            [str(name) for name in interactions.items.take(kept).to_pylist()],
            [(int(r),) for r in kept],
        )
    if item_features is None:
        raise InvalidInputError("topics need item features")
    taken = (liked @ item_features.matrix).tocsr()
    lengths = np.maximum(np.diff(liked.indptr), 1)[:, None]
    mean = np.asarray(taken.sum(axis=0)) / max(1.0, float(lengths.sum()))
    above = sparse.csr_matrix((np.asarray(taken.todense()) / lengths > 1.5 * mean).astype(np.float32))
    share = np.asarray(above.mean(axis=0)).ravel()
    kept = np.flatnonzero(share >= LEAST_SHARE)
    names = item_features.names.to_list()
    by_feature = item_features.matrix.tocsc()
    rows = [
        tuple(int(r) for r in by_feature.indices[by_feature.indptr[f] : by_feature.indptr[f + 1]]) for f in kept
    ]
    return above[:, kept], [names[f] for f in kept], rows

"""Blends: several models as one, with weights that are written down."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy import sparse

from ml.arrays import F32, F32OrF64, Integers
from ml.recommenders.base import Recommender
from ml.recommenders.factors import FactorRecommender, covariance_of
from ml.recommenders.models.zoo import make_parts
from ml.recommenders.training_data import TrainingData


class Ensemble(Recommender):
    """Several models, fitted on the same data, whose scores become one."""

    models: list[dict[str, Any]]
    _fitted: list[Recommender]

    @property
    def uses_user_features(self) -> bool:
        """Whether any part does."""
        return any(part.uses_user_features for part in make_parts(self.models))

    @property
    def uses_item_features(self) -> bool:
        """Whether any part does."""
        return any(part.uses_item_features for part in make_parts(self.models))

    @property
    def uses_weights(self) -> bool:
        """Whether any part does."""
        return any(part.uses_weights for part in make_parts(self.models))

    @property
    def folds_histories(self) -> bool:
        """Whether any part does."""
        return any(part.folds_histories for part in self._fitted)

    @property
    def ranks_for_everybody(self) -> bool:
        """Whether all parts do."""
        return all(part.ranks_for_everybody for part in self._fitted)

    def confidences(self, weights: sparse.csr_matrix) -> sparse.csr_matrix:
        """As the first part that uses weights scales them; a history has one confidence for all parts."""
        scaling = next((part for part in self._fitted if part.uses_weights), None)
        return super().confidences(weights) if scaling is None else scaling.confidences(weights)

    @property
    def reads_order(self) -> bool:
        """Whether any part does."""
        return any(part.reads_order for part in self._fitted)

    def _fit_parts(self, data: TrainingData) -> None:
        self._fitted = [part.fit_aligned(data) for part in make_parts(self.models)]

    def parts(self) -> dict[str, Recommender]:
        """The fitted parts, by `0`, `1` and so on."""
        return {str(place): part for place, part in enumerate(self._fitted)}

    def set_parts(self, parts: dict[str, Recommender]) -> None:
        """Take the parts back."""
        self._fitted = [parts[str(place)] for place in range(len(parts))]


class Blend(Ensemble):
    """Weighted sum of the parts' scores, each part standardised for each user.

    Args:
        models: dictionaries with `model`, `weight` and optional `params`.

    Learned: the fitted parts, in order.
    """

    def __init__(self, models: Sequence[dict[str, Any]]) -> None:
        self.models = list(models)

    def _fit(self, data: TrainingData) -> None:
        self._fit_parts(data)

    def score(self, user_rows: Integers) -> F32:
        """Weighted sum of standardised scores."""
        return self._summed([part.score(user_rows) for part in self._fitted])

    def score_unknown(self) -> F32:
        """Weighted sum of what the parts say of a stranger."""
        return np.asarray(self._summed([part.score_unknown()[None, :] for part in self._fitted])[0])

    def score_histories(self, histories: sparse.csr_matrix) -> F32:
        """Weighted sum of what the parts say of the histories."""
        return self._summed([part.score_histories(histories) for part in self._fitted])

    def _summed(self, scores: list[F32]) -> F32:
        weights = [float(part["weight"]) for part in self.models]
        parts = [weight * standardised(part) for weight, part in zip(weights, scores, strict=True)]
        return np.asarray(np.sum(parts, axis=0), dtype=np.float32)


class FactorBlend(FactorRecommender):
    """Weighted sum of models with factors, itself a model with factors: the vectors stand side by side.

    Each part's item vectors are divided by the standard deviation of its scores, so that weights compare.

    Args:
        models: dictionaries with `model`, `weight` and optional `params`; every model has factors.
        seed: of the users that the deviation is measured on.
    """

    def __init__(self, models: Sequence[dict[str, Any]], seed: int = 0) -> None:
        self.models = list(models)
        self.seed = seed

    @property
    def uses_user_features(self) -> bool:
        """Whether any part does."""
        return any(part.uses_user_features for part in make_parts(self.models))

    @property
    def uses_item_features(self) -> bool:
        """Whether any part does."""
        return any(part.uses_item_features for part in make_parts(self.models))

    @property
    def uses_weights(self) -> bool:
        """Whether any part does."""
        return any(part.uses_weights for part in make_parts(self.models))

    def _fit(self, data: TrainingData) -> None:
        users, items, unknown, weights, penalties = [], [], [], [], []
        scales: list[list[Any]] = []
        ranks = False  # whether a part's scores have no zero and no unit, so that no ridge fits the whole
        sample = np.random.default_rng(self.seed).integers(0, len(data.interactions.users), 256)
        for part, unfitted in zip(self.models, make_parts(self.models), strict=True):
            model = unfitted.fit_aligned(data)
            if not isinstance(model, FactorRecommender):
                raise TypeError(f"{part['model']} has no factors; use the model `blend`")
            deviation = float(model.score(sample).std()) or 1.0
            users.append(model.user_factors_)
            items.append(model.item_factors_ * (float(part["weight"]) / deviation))
            unknown.append(model.unknown_user_)
            weights.append(model.fold_in_weight_)
            penalties.append(model.fold_in_regularization_)
            if model.uses_weights:
                scales.append(model.weight_scale_)
            ranks |= model.user_covariance_ is not None
        self.user_factors_ = np.hstack(users).astype(np.float32)
        self.item_factors_ = np.hstack(items).astype(np.float32)
        self.unknown_user_ = np.concatenate(unknown).astype(np.float32)
        self.fold_in_weight_, self.fold_in_regularization_ = max(weights), max(penalties)
        self.weight_scale_ = scales[0] if scales else ["binary"]  # a history has one confidence for all parts
        if ranks:
            self.user_covariance_ = covariance_of(self.user_factors_)


def standardised(scores: F32OrF64) -> F32OrF64:
    """Rows with mean 0 and standard deviation 1: fresh, of the same type; rows of equal scores become 0."""
    centred = scores - scores.mean(axis=1, keepdims=True)
    deviation = centred.std(axis=1, keepdims=True)
    unit_rows: F32OrF64 = centred / np.where(deviation > 0, deviation, 1)
    return unit_rows

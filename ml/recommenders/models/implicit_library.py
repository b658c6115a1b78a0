"""BPR and ALS of the library `implicit`."""

from __future__ import annotations

from typing import Any

import numpy as np
from implicit.als import AlternatingLeastSquares
from implicit.bpr import BayesianPersonalizedRanking
from threadpoolctl import threadpool_limits

from ml.errors import InvalidInputError
from ml.recommenders.base import TrainingData
from ml.recommenders.factors import FactorRecommender
from ml.recommenders.topk import cores

LIBRARY_MODELS = ("als", "bpr")


class ImplicitLibrary(FactorRecommender):
    """`implicit`'s models behind the project's interface: ALS by conjugate gradients, BPR by stochastic descent.

    Args:
        kind: als or bpr.
        n_factors, regularization, iterations: as the library's.
        confidence: ALS: weight of an observed pair over an unobserved one.
        learning_rate: BPR.
        seed: BPR is reproducible only with one thread.
        threads: None: all cores.
    """

    def __init__(
        self,
        kind: str = "als",
        n_factors: int = 64,
        regularization: float = 0.01,
        iterations: int = 15,
        confidence: float = 10.0,
        learning_rate: float = 0.05,
        seed: int = 0,
        threads: int | None = 1,
    ) -> None:
        self.kind = kind
        self.n_factors = n_factors
        self.regularization = regularization
        self.iterations = iterations
        self.confidence = confidence
        self.learning_rate = learning_rate
        self.seed = seed
        self.threads = threads

    def _fit(self, data: TrainingData) -> None:
        if self.kind not in LIBRARY_MODELS:
            raise InvalidInputError(f"kind {self.kind!r}; there are {', '.join(LIBRARY_MODELS)}")
        liked = data.interactions.liked.astype(np.float32)
        model = self._library_model()
        with threadpool_limits(1, "blas"):
            model.fit(liked * self.confidence if self.kind == "als" else liked, show_progress=False)
        self.user_factors_ = np.asarray(model.user_factors, dtype=np.float32)
        self.item_factors_ = np.asarray(model.item_factors, dtype=np.float32)
        self.item_factors_[data.interactions.item_counts == 0] = (
            0  # never trained: their random start says nothing
        )
        self.unknown_user_ = self.user_factors_[np.diff(liked.indptr) > 0].mean(axis=0)
        self.fold_in_weight_ = self.confidence
        self.fold_in_regularization_ = self.regularization

    def _library_model(self) -> Any:
        shared = {
            "factors": self.n_factors,
            "regularization": self.regularization,
            "iterations": self.iterations,
            "num_threads": self.threads or cores(),
            "random_state": self.seed,
        }
        if self.kind == "als":
            return AlternatingLeastSquares(use_gpu=False, **shared)
        return BayesianPersonalizedRanking(learning_rate=self.learning_rate, use_gpu=False, **shared)

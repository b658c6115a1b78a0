"""BPR and ALS of the library `implicit`."""

from __future__ import annotations

from typing import Any

import numpy as np
from implicit.als import AlternatingLeastSquares
from implicit.bpr import BayesianPersonalizedRanking
from scipy import sparse
from threadpoolctl import threadpool_limits

from ml.dataset.weight_scale import WeightScaling
from ml.errors import InvalidInputError
from ml.recommenders.factors import FactorRecommender
from ml.recommenders.topk import cores
from ml.recommenders.training_data import TrainingData

LIBRARY_MODELS = ("als", "bpr")
DRAWS, MOST_DRAWS = 10, 400  # entries of a pair of confidence 1, and of any pair


class ImplicitLibrary(FactorRecommender):
    """`implicit`'s models behind the project's interface: ALS by conjugate gradients, BPR by stochastic descent.

    Args:
        kind: als or bpr.
        n_factors, regularization, iterations: as the library's.
        confidence: ALS: weight of a typical observed pair over an unobserved one.
        learning_rate: BPR.
        weight_scaling: how weights become confidences, see `ml.dataset.weight_scale`. BPR draws
            pairs of high confidence more often.
        seed: BPR is reproducible only with one thread.
        threads: None: all cores.
    """

    def __init__(
        self,
        kind: str = "als",
        n_factors: int = 64,
        regularization: float = 30.0,
        iterations: int = 15,
        confidence: float = 10.0,
        learning_rate: float = 0.05,
        weight_scaling: WeightScaling = "bm25",
        seed: int = 0,
        threads: int | None = 1,
    ) -> None:
        self.kind = kind
        self.n_factors = n_factors
        self.regularization = regularization
        self.iterations = iterations
        self.confidence = confidence
        self.learning_rate = learning_rate
        self.weight_scaling = weight_scaling
        self.seed = seed
        self.threads = threads

    def _fit(self, data: TrainingData) -> None:
        if self.kind not in LIBRARY_MODELS:
            raise InvalidInputError(f"kind {self.kind!r}; there are {', '.join(LIBRARY_MODELS)}")
        liked = self._learn_confidences(data.interactions)
        if self.kind == "als":  # its confidences are those of whole cells, where an unobserved one has 1
            examples = sparse.csr_matrix(
                (1 + (self.confidence - 1) * liked.data, liked.indices, liked.indptr), liked.shape
            )
        else:
            examples = repeated_pairs(liked, self.seed)
        model = self._library_model(round(self.iterations * liked.nnz / examples.nnz))
        with threadpool_limits(1, "blas"):
            model.fit(examples, show_progress=False)
        self.user_factors_ = np.asarray(model.user_factors, dtype=np.float32)
        self.item_factors_ = np.asarray(model.item_factors, dtype=np.float32)
        self.item_factors_[data.interactions.item_counts == 0] = (
            0  # never trained: their random start says nothing
        )
        self.unknown_user_ = self.user_factors_[np.diff(liked.indptr) > 0].mean(axis=0)
        self.fold_in_weight_ = self.confidence - 1
        self.fold_in_regularization_ = self.regularization

    def _library_model(self, iterations: int) -> Any:
        shared = {
            "factors": self.n_factors,
            "regularization": self.regularization,
            "iterations": max(1, iterations),
            "num_threads": self.threads or cores(),
            "random_state": self.seed,
        }
        if self.kind == "als":
            return AlternatingLeastSquares(use_gpu=False, **shared)
        return BayesianPersonalizedRanking(learning_rate=self.learning_rate, use_gpu=False, **shared)


def repeated_pairs(confidences: sparse.csr_matrix, seed: int) -> sparse.csr_matrix:
    """Pairs that stand in the matrix as often as they are to be drawn: the library draws entries, not pairs.

    Args:
        confidences: CSR (n_users, n_items), 1 on average.
        seed: seed of the rounding, which is random so that it is right on average.

    Returns:
        CSR of ones of the same shape with every pair at least once, `DRAWS` times on average; each pair once where
        all confidences are equal.
    """
    ones = np.ones(confidences.nnz, np.float32)
    if not confidences.nnz or confidences.data.min() == confidences.data.max():
        return sparse.csr_matrix((ones, confidences.indices, confidences.indptr), confidences.shape)
    random = np.random.default_rng(seed)
    draws = np.floor(np.minimum(DRAWS * confidences.data, MOST_DRAWS) + random.random(confidences.nnz))
    times = np.maximum(draws, 1).astype(np.int64)
    indptr = np.concatenate([[0], np.cumsum(times)])[confidences.indptr].astype(confidences.indptr.dtype)
    indices = np.repeat(confidences.indices, times)
    return sparse.csr_matrix((np.ones(len(indices), np.float32), indices, indptr), confidences.shape)

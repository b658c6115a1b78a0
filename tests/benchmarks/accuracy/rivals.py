"""What `auto` is compared with: EASE, implicit's ALS, LightFM and neighbours, each tuned on the validation.

They are the libraries' own, or the few lines of the paper, behind the interface of the project's recommenders so
that the same code judges them. Each is fitted with every entry of its grid on what the validation leaves to train
on, and the best entry on all of the training data.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product

import numpy as np
import pyarrow as pa
from accuracy.data_sets import DataSet
from implicit.als import AlternatingLeastSquares
from lightfm import LightFM
from scipy import sparse
from threadpoolctl import threadpool_limits

from ml.evaluation.ranking_metrics import measure
from ml.recommenders.base import Recommender
from ml.recommenders.training_data import TrainingData
from ml.recommenders.validation import ValidationWindow

LIST = 10
MOST_DENSE_ITEMS = 8_000  # of EASE: the most popular ones; the project's own takes as many


class Rival(Recommender):
    """A model of the training matrix, whose pairs count 1 or, if `weighted`, the logarithm of their weight."""

    def __init__(self, weighted: bool, **options: float) -> None:
        self.weighted = weighted
        self.options = options

    def params(self) -> dict[str, object]:
        return {"weighted": self.weighted, **self.options}

    def _fit(self, data: TrainingData) -> None:
        self.matrix_ = data.interactions.liked.copy()
        if self.weighted:
            positive = data.interactions.matrix.data[data.interactions.matrix.data > 0]
            self.matrix_.data = np.log1p(positive / np.median(positive)).astype(np.float32)
        with threadpool_limits(1, "blas"):
            self._learn(data)

    def _learn(self, data: TrainingData) -> None:
        raise NotImplementedError


class Ease(Rival):
    """Steck 2019, equation 8."""

    def _learn(self, data: TrainingData) -> None:
        counts = data.interactions.item_counts
        self.warm_ = np.sort(np.argsort(-counts, kind="stable")[: min(MOST_DENSE_ITEMS, int((counts > 0).sum()))])
        x = self.matrix_[:, self.warm_]
        gram = (x.T @ x).toarray().astype(np.float64)
        gram[np.diag_indices_from(gram)] += self.options["penalty"]
        inverse = np.linalg.inv(gram)
        self.weights_ = -inverse / np.diag(inverse)
        np.fill_diagonal(self.weights_, 0)

    def score(self, user_rows: np.ndarray) -> np.ndarray:
        scores = np.full((len(user_rows), len(self.item_ids_)), -1e9, np.float32)
        scores[:, self.warm_] = self.matrix_[user_rows][:, self.warm_] @ self.weights_
        return scores


class Als(Rival):
    """The library implicit, one thread."""

    def _learn(self, data: TrainingData) -> None:
        model = AlternatingLeastSquares(
            factors=int(self.options["factors"]),
            regularization=self.options["penalty"],
            alpha=self.options["alpha"],
            iterations=15,
            random_state=0,
            num_threads=1,
            use_gpu=False,
        )
        model.fit(self.matrix_, show_progress=False)
        self.users_, self.items_ = model.user_factors, model.item_factors
        self.items_[data.interactions.item_counts == 0] = 0

    def score(self, user_rows: np.ndarray) -> np.ndarray:
        return np.asarray(self.users_[user_rows] @ self.items_.T, dtype=np.float32)


class Neighbours(Rival):
    """Cosine between items, shrunk, the nearest ones of each item (Sarwar 2001)."""

    def _learn(self, data: TrainingData) -> None:
        k = int(self.options["k"])
        norms = np.sqrt(np.asarray(self.matrix_.multiply(self.matrix_).sum(axis=0)).ravel())
        products = (self.matrix_.T @ self.matrix_).tocoo()
        products.data = products.data / (norms[products.row] * norms[products.col] + self.options["shrinkage"])
        products.data[products.row == products.col] = 0
        self.similar_ = products.tocsr()
        for row in range(self.similar_.shape[0]):
            values = self.similar_.data[self.similar_.indptr[row] : self.similar_.indptr[row + 1]]
            if len(values) > k:
                values[np.argpartition(values, len(values) - k)[: len(values) - k]] = 0
        self.similar_.eliminate_zeros()

    def score(self, user_rows: np.ndarray) -> np.ndarray:
        return np.asarray((self.matrix_[user_rows] @ self.similar_.T).todense(), dtype=np.float32)


class Hybrid(Rival):
    """LightFM's WARP as its documentation trains it, with features of items beside identities, or without."""

    def _learn(self, data: TrainingData) -> None:
        self.features_ = sparse.identity(len(data.interactions.items), np.float32, "csr")
        if self.options["features"] and data.item_features is not None:
            joined = sparse.hstack([data.item_features.matrix, self.features_], format="csr")
            sums = np.maximum(np.asarray(joined.sum(axis=1)).ravel(), 1)
            self.features_ = (sparse.diags(1 / sums) @ joined).tocsr().astype(np.float32)
        self.model_ = LightFM(int(self.options["factors"]), loss="warp", learning_rate=0.05, random_state=0)
        pairs = data.interactions.liked.tocoo()
        weights = self.matrix_.tocoo() if self.weighted else None
        self.model_.fit(
            pairs, item_features=self.features_, sample_weight=weights, epochs=int(self.options["epochs"])
        )

    def score(self, user_rows: np.ndarray) -> np.ndarray:
        biases, items = self.model_.get_item_representations(self.features_)
        return np.asarray(self.model_.user_embeddings[user_rows] @ items.T + biases, dtype=np.float32)


def grid(data: TrainingData) -> Iterator[tuple[str, list[Rival]]]:
    """Each rival with all that is tried of it; weights are tried where they differ."""
    weights = data.interactions.weights
    ways = (False, True) if weights.max() > weights[weights > 0].min() else (False,)
    penalties = (10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1_000.0, 2_000.0, 5_000.0)
    yield "EASE", [Ease(way, penalty=penalty) for way, penalty in product(ways, penalties)]
    als = product(ways, (16, 64, 128), (1.0, 4.0, 16.0, 40.0), (0.01, 1.0, 10.0))
    yield "ALS", [Als(way, factors=f, alpha=alpha, penalty=penalty) for way, f, alpha, penalty in als]
    neighbours = product(ways, (20, 100, 400), (0.0, 5.0, 20.0, 100.0))
    yield "neighbours", [Neighbours(way, k=k, shrinkage=shrinkage) for way, k, shrinkage in neighbours]
    used = (False, True) if data.item_features is not None else (False,)
    hybrids = product(used, (16, 64), (5, 15, 40))
    yield "LightFM", [Hybrid(False, features=f, factors=d, epochs=e) for f, d, e in hybrids]


def best_rivals(data: DataSet, seed: int = 0) -> Iterator[tuple[str, Rival, float]]:
    """Name of each rival, its best entry as fitted on all training data, and its NDCG@10 on the test."""
    ranked = data.ranked or "all"
    window = ValidationWindow.hold_back(data.train, data.validation, seed=seed, most_users=1_500, ranked=ranked)
    for name, rivals in grid(data.train):
        judged = [float(np.nanmean(window.ndcg(rival.fit_aligned(window.past)))) for rival in rivals]
        best = rivals[int(np.argmax(judged))].fit_aligned(data.train)
        yield name, best, test_ndcg(best, data)


def test_ndcg(recommender: Recommender, data: DataSet) -> float:
    """NDCG@10 over all people of the test."""
    candidates: pa.Array | None = data.candidates
    lists = recommender.recommend(data.test.users.values, LIST, candidates=candidates).to_table()
    pairs = data.train.interactions
    return float(measure(lists, data.test, pairs, LIST, pairs.items).metrics["ndcg"])

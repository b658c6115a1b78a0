"""LightFM: factors of users and items as sums of feature embeddings, learned by ranking (Kula 2015)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from lightfm import LightFM
from scipy import sparse

from ml.recommenders.base import TrainingData
from ml.recommenders.factors import FactorRecommender
from ml.recommenders.features import FeatureMatrix
from ml.recommenders.ids import Ids
from ml.recommenders.interactions import Floats, Interactions
from ml.recommenders.topk import cores

LOSSES = ("warp", "bpr", "logistic")
FOLD_IN_WEIGHT = 10.0  # one event of a newcomer counts as so many: their factors must leave the prior quickly
FOLD_IN_REGULARIZATION = 1.0


class LightFMHybrid(FactorRecommender):
    """Hybrid of collaborative and content factors.

    An item is the sum of its features' embeddings and, where it has enough interactions of its own, of an identity
    embedding; the same for users. An identity embedding that was never trained is zero, so that a cold item
    is exactly what its features say.

    Args:
        loss: warp, bpr or logistic.
        n_factors: size of the embeddings.
        epochs: passes over the interactions.
        learning_rate: of adagrad.
        item_alpha, user_alpha: L2 penalty.
        max_sampled: negatives that WARP tries for one positive.
        item_identity_from: interactions from which an item gets an identity embedding; None: no item, unless there
            are no item features at all.
        user_identity_from: the same for users.
        seed: the same seed and one thread give the same model.
        threads: None: all cores, which is faster and not reproducible to the bit.

    Learned:
        item_embeddings_, user_embeddings_: float32 (n_features, n_factors + 1), the bias last.
        item_feature_names_, user_feature_names_: the rows of the former; identities are `id:<id>`.
        item_features_: CSR float32 (n_items, n_features), what each item is made of.
    """

    item_embeddings_: Floats
    user_embeddings_: Floats
    item_feature_names_: Ids
    user_feature_names_: Ids
    item_features_: sparse.csr_matrix

    def __init__(
        self,
        loss: str = "warp",
        n_factors: int = 64,
        epochs: int = 20,
        learning_rate: float = 0.05,
        item_alpha: float = 0.0,
        user_alpha: float = 0.0,
        max_sampled: int = 10,
        item_identity_from: int | None = 1,
        user_identity_from: int | None = 1,
        seed: int = 0,
        threads: int | None = 1,
    ) -> None:
        self.loss = loss
        self.n_factors = n_factors
        self.epochs = epochs
        self.learning_rate = learning_rate
        self.item_alpha = item_alpha
        self.user_alpha = user_alpha
        self.max_sampled = max_sampled
        self.item_identity_from = item_identity_from
        self.user_identity_from = user_identity_from
        self.seed = seed
        self.threads = threads

    def _fit(self, data: TrainingData) -> None:
        self.fit_with_callback(data, lambda epoch: None)

    def update(
        self,
        interactions: Interactions,
        user_features: FeatureMatrix | None = None,
        item_features: FeatureMatrix | None = None,
        epochs: int = 3,
    ) -> Self:
        """Go on learning from newer data without starting over.

        Ids and features that are new get embeddings of their own; those that were known begin where they are.

        Args:
            interactions: all that shall count from now on, old and new.
            epochs: passes over them.
        """
        self._check_fitted()
        known = (
            (self.user_feature_names_, self.user_embeddings_),
            (self.item_feature_names_, self.item_embeddings_),
        )
        data = TrainingData.align(interactions, user_features, item_features)
        planned, self.epochs = self.epochs, epochs
        try:
            self._start_from = known
            self.fit_aligned(data)
        finally:
            self.epochs, self._start_from = planned, None
        return self

    def fit_with_callback(self, data: TrainingData, after_epoch: Callable[[int], Any]) -> None:
        """Train epoch by epoch; `after_epoch(n)` sees the model with current factors and may raise StopIteration.

        Raises:
            ValueError: the loss is unknown.
        """
        if self.loss not in LOSSES:
            raise ValueError(f"loss {self.loss!r}; there are {', '.join(LOSSES)}")
        pairs = data.interactions
        user_counts = np.diff(pairs.liked.indptr)
        self.item_features_, self.item_feature_names_ = combined_features(
            data.item_features, pairs.item_counts, self.item_identity_from, pairs.items
        )
        users, self.user_feature_names_ = combined_features(
            data.user_features, user_counts, self.user_identity_from, pairs.users
        )
        items = self.item_features_
        model = LightFM(
            no_components=self.n_factors,
            loss=self.loss,
            learning_rate=self.learning_rate,
            item_alpha=self.item_alpha,
            user_alpha=self.user_alpha,
            max_sampled=self.max_sampled,
            random_state=self.seed,
        )
        self._begin(model, items.shape[1], users.shape[1])
        trained_items = np.asarray((items.T @ (pairs.item_counts > 0)) > 0)
        trained_users = np.asarray((users.T @ (user_counts > 0)) > 0)
        random = np.random.default_rng(self.seed)
        for epoch in range(1, self.epochs + 1):
            examples, weights = _with_negatives(data, random) if self.loss == "logistic" else _positives(data)
            model.fit_partial(
                examples,
                user_features=users,
                item_features=items,
                sample_weight=weights,
                epochs=1,
                num_threads=self.threads or cores(),
            )
            self._take_factors(model, users, items, trained_users, trained_items)
            try:
                after_epoch(epoch)
            except StopIteration:
                return

    _start_from: tuple[tuple[Ids, Floats], tuple[Ids, Floats]] | None = None

    def _begin(self, model: LightFM, n_item_features: int, n_user_features: int) -> None:
        """Initialise, and put the embeddings of a former fit in their places."""
        model._initialize(self.n_factors, n_item_features, n_user_features)
        if self._start_from is None:
            return
        (user_names, user_table), (item_names, item_table) = self._start_from
        for names, table, now, embeddings, biases in (
            (user_names, user_table, self.user_feature_names_, model.user_embeddings, model.user_biases),
            (item_names, item_table, self.item_feature_names_, model.item_embeddings, model.item_biases),
        ):
            before = names.rows(now.values)
            kept = (before >= 0) & (table[before] != 0).any(axis=1)
            embeddings[kept], biases[kept] = table[before[kept], :-1], table[before[kept], -1]

    def _take_factors(
        self,
        model: LightFM,
        users: sparse.csr_matrix,
        items: sparse.csr_matrix,
        trained_users: Any,
        trained_items: Any,
    ) -> None:
        """Embeddings as they are now, zero where nothing trained them, and the factors that follow."""
        item_table = np.column_stack([model.item_embeddings, model.item_biases]) * trained_items[:, None]
        user_table = np.column_stack([model.user_embeddings, model.user_biases]) * trained_users[:, None]
        self.item_embeddings_ = item_table.astype(np.float32)
        self.user_embeddings_ = user_table.astype(np.float32)
        d = self.n_factors
        user_sums, item_sums = users @ self.user_embeddings_, items @ self.item_embeddings_
        one_u, one_i = np.ones((len(user_sums), 1), np.float32), np.ones((len(item_sums), 1), np.float32)
        self.user_factors_ = np.hstack([user_sums[:, :d], user_sums[:, d:], one_u]).astype(np.float32)
        self.item_factors_ = np.hstack([item_sums[:, :d], one_i, item_sums[:, d:]]).astype(np.float32)
        known = np.asarray((users @ trained_users.astype(np.float32)) > 0)
        self.unknown_user_ = self.user_factors_[known].mean(axis=0).astype(np.float32)
        self.fold_in_weight_ = FOLD_IN_WEIGHT
        self.fold_in_regularization_ = FOLD_IN_REGULARIZATION


def combined_features(
    features: FeatureMatrix | None, counts: Floats | np.ndarray[Any, Any], identity_from: int | None, ids: Ids
) -> tuple[sparse.csr_matrix, Ids]:
    """Features and identities of rows, each row summing to one, and their names.

    Args:
        counts: (n_rows,) interactions of each row.
        identity_from: a row has an identity from so many interactions on; None: only if there are no features.
        ids: of the rows.

    Returns:
        CSR float32 (n_rows, n_features + n_identities); names, identities as `id:<id>`.
    """
    n_rows = len(counts)
    if features is None and identity_from is None:
        identity_from = 1
    parts = [] if features is None else [features.matrix]
    names = [] if features is None else [features.names.values]
    if identity_from is not None:
        own = np.flatnonzero(np.asarray(counts) >= identity_from)
        ones = np.ones(len(own), np.float32)
        parts.append(sparse.csr_matrix((ones, (own, np.arange(len(own)))), shape=(n_rows, len(own))))
        names.append(pc.binary_join_element_wise(pa.scalar("id"), ids.take(own), ":"))
    joined = sparse.hstack(parts, format="csr", dtype=np.float32)
    sums = np.asarray(joined.sum(axis=1)).ravel()
    scale = sparse.diags(1 / np.maximum(sums, 1e-9), dtype=np.float32)
    return (scale @ joined).tocsr().astype(np.float32), Ids(pa.concat_arrays(names))


def _with_negatives(
    data: TrainingData, random: np.random.Generator
) -> tuple[sparse.coo_matrix, sparse.coo_matrix | None]:
    """Liked pairs as 1 and as many random pairs as -1: the logistic loss learns nothing from ones alone."""
    pairs = data.interactions
    liked = pairs.liked.tocoo()
    columns = random.integers(0, len(pairs.items), liked.nnz).astype(np.int32)
    drawn = sparse.csr_matrix((np.ones(liked.nnz, np.float32), (liked.row, columns)), shape=liked.shape)
    negatives = (drawn > 0).astype(np.float32) - (drawn > 0).astype(np.float32).multiply(pairs.liked)
    return (pairs.liked - negatives).tocoo().astype(np.float32), None


def _positives(data: TrainingData) -> tuple[sparse.coo_matrix, sparse.coo_matrix | None]:
    """Liked pairs as COO float32, and their weights in the same order, None where all are 1."""
    pairs = data.interactions
    liked = pairs.weights > 0
    shape = pairs.matrix.shape
    rows, columns, values = pairs.rows[liked], pairs.columns[liked], pairs.weights[liked]
    positives = sparse.coo_matrix((np.ones(len(rows), np.float32), (rows, columns)), shape=shape)
    if (values == values[0]).all():
        return positives, None
    mean = values.mean()
    return positives, sparse.coo_matrix(((values / mean).astype(np.float32), (rows, columns)), shape=shape)

"""LightFM: factors of users and items as sums of feature embeddings, learned by ranking (Kula 2015)."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal, Self

import numpy as np
from lightfm import LightFM
from scipy import sparse

from ml.arrays import F32
from ml.dataset.feature_matrix import FeatureMatrix, combined_features, identity_names
from ml.dataset.ids import Ids
from ml.dataset.interactions import Interactions
from ml.dataset.weight_scale import WeightScaling
from ml.errors import InvalidInputError
from ml.evaluation.splits import EmptySplitError
from ml.recommenders.factors import FactorRecommender, covariance_of
from ml.recommenders.models.identity import choose_identity
from ml.recommenders.models.training_pairs import positives, with_negatives
from ml.recommenders.models.vectors import GivenVectors, mapped, read_vectors, start_vectors
from ml.recommenders.topk import cores
from ml.recommenders.training_data import TrainingData
from ml.recommenders.validation import ValidationWindow

LOSSES = ("warp", "bpr", "logistic")
AUTO: Literal["auto"] = "auto"
SHORT_EPOCHS = 5  # of the trainings that only compare: the order shows after a few


class LightFMHybrid(FactorRecommender):
    """Hybrid of collaborative and content factors.

    An item is the sum of its features' embeddings and, where it has enough interactions of its own, of an identity
    embedding; the same for users. An identity embedding that was never trained is zero, so that a cold item
    is exactly what its features say.

    Args:
        loss: warp, bpr or logistic.
        n_factors: size of the embeddings.
        epochs: passes over the interactions, the most of them with `patience`.
        learning_rate: of adagrad.
        item_alpha, user_alpha: L2 penalty.
        max_sampled: negatives that WARP tries for one positive.
        item_identity_from: interactions from which an item gets an identity embedding; None: no item, unless there
            are no item features at all; auto: what ranks better on interactions that are held back.
        user_identity_from: the same for users, without auto.
        patience: epochs without a better ranking of what is held back, after which training has gone on long
            enough; then all interactions are trained for the best number of epochs. None: `epochs` as given.
        vectors_file: vectors of the items (Parquet or NumPy, see `read_vectors`) that identity embeddings start
            from; an item that nobody took yet gets the identity that its vector lets expect.
        weight_scaling: how weights become confidences, see `ml.dataset.weight_scale`: WARP and BPR draw pairs
            of low confidence less often, and take longer steps for high ones.
        seed: the same seed and one thread give the same model.
        threads: None: all cores, which is not reproducible to the bit, and faster only for many embeddings:
            on ml-100k two threads take longer than one.

    Learned:
        item_embeddings_, user_embeddings_: float32 (n_features, n_factors + 1), the bias last.
        item_feature_names_, user_feature_names_: the rows of the former; identities are `id:<id>`.
        item_features_: CSR float32 (n_items, n_features), what each item is made of.
        item_identity_from_: what was given or chosen; identity_figures_: what `auto` compared, by choice.
        epochs_: passes that were made; validation_curve_: judgements after each epoch that `patience` looked at.
    """

    item_embeddings_: F32
    user_embeddings_: F32
    item_feature_names_: Ids
    user_feature_names_: Ids
    item_features_: sparse.csr_matrix
    item_identity_from_: int | None
    identity_figures_: dict[str, float]
    epochs_: int
    validation_curve_: list[float]

    def __init__(
        self,
        loss: str = "warp",
        n_factors: int = 64,
        epochs: int = 20,
        learning_rate: float = 0.05,
        item_alpha: float = 0.0,
        user_alpha: float = 0.0,
        max_sampled: int = 10,
        item_identity_from: int | Literal["auto"] | None = AUTO,
        user_identity_from: int | None = 1,
        patience: int | None = None,
        vectors_file: str | None = None,
        weight_scaling: WeightScaling = "bm25",
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
        self.patience = patience
        self.vectors_file = vectors_file
        self.weight_scaling = weight_scaling
        self.seed = seed
        self.threads = threads

    @property
    def uses_user_features(self) -> bool:
        """A user's features are a vector of their own."""
        return True

    @property
    def uses_item_features(self) -> bool:
        """So are an item's."""
        return True

    def _fit(self, data: TrainingData) -> None:
        self._choose_identity(data)
        epochs = self.epochs
        self.validation_curve_ = []
        if self.patience is not None:
            self.validation_curve_ = self._validation_curve(data, self.patience)
        if self.validation_curve_:
            epochs = int(np.argmax(self.validation_curve_)) + 1
        self.fit_with_callback(data, epochs=epochs)

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
            user_features: features of the users; None: there are none.
            item_features: features of the items; None: there are none.
            epochs: passes over them.
        """
        self._check_fitted()
        before = self.params()
        trained = (
            (self.user_feature_names_, self.user_embeddings_),
            (self.item_feature_names_, self.item_embeddings_),
        )
        data = TrainingData.align(interactions, user_features, item_features)
        try:
            self._start_from = trained
            self.epochs, self.patience, self.item_identity_from = epochs, None, self.item_identity_from_
            self.fit_aligned(data)
        finally:
            self._start_from = None
            for name in ("epochs", "patience", "item_identity_from"):
                setattr(self, name, before[name])
        return self

    def fit_with_callback(
        self, data: TrainingData, after_epoch: Callable[[int], Any] | None = None, epochs: int | None = None
    ) -> None:
        """Train epoch by epoch; `after_epoch(n)` sees the model with current factors and may raise StopIteration.

        Raises:
            ValueError: the loss is unknown.
        """
        if self.loss not in LOSSES:
            raise InvalidInputError(f"loss {self.loss!r}; there are {', '.join(LOSSES)}")
        if not hasattr(self, "item_identity_from_"):
            self._choose_identity(data)
        pairs = data.interactions
        user_counts = np.diff(pairs.liked.indptr)
        vectors = None if self.vectors_file is None else read_vectors(Path(self.vectors_file), pairs.items)
        has_vector = None if vectors is None else (vectors != 0).any(axis=1)
        self.item_features_, self.item_feature_names_ = combined_features(
            data.item_features, pairs.item_counts, self.item_identity_from_, pairs.items, has_vector
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
        given = None
        if vectors is not None and has_vector is not None and has_vector.any():
            names = identity_names(pairs.items.take(np.flatnonzero(has_vector)))
            given = GivenVectors(
                vectors[has_vector], self.item_feature_names_.rows(names), pairs.item_counts[has_vector] > 0
            )
            self._start_from_vectors(model, given)
        random = np.random.default_rng(self.seed)
        confidences = self._learn_confidences(pairs)
        examples_of = with_negatives if self.loss == "logistic" else positives
        for epoch in range(1, (epochs or self.epochs) + 1):
            examples, weights = examples_of(confidences, random)
            model.fit_partial(
                examples,
                user_features=users,
                item_features=items,
                sample_weight=weights,
                epochs=1,
                num_threads=self.threads or cores(),
            )
            self.epochs_ = epoch
            if after_epoch is None:
                continue
            self._take_factors(model, users, items, trained_users, trained_items, given)
            try:
                after_epoch(epoch)
            except StopIteration:
                return
        self._take_factors(model, users, items, trained_users, trained_items, given)

    def settled_params(self) -> dict[str, Any]:
        """Constructor arguments, with the chosen `item_identity_from`."""
        return {**self.params(), "item_identity_from": self.item_identity_from_}

    def _choose_identity(self, data: TrainingData) -> None:
        """Settle `item_identity_from_`."""
        self.identity_figures_ = {}
        if self.item_identity_from != AUTO:
            self.item_identity_from_ = self.item_identity_from
        elif data.item_features is None:
            self.item_identity_from_ = 1
        else:
            self.item_identity_from_, self.identity_figures_ = choose_identity(
                self._with_identity, data, self.seed
            )

    def _with_identity(self, identity_from: int | None) -> LightFMHybrid:
        """An unfitted copy for a short training."""
        short = {"item_identity_from": identity_from, "epochs": min(self.epochs, SHORT_EPOCHS), "patience": None}
        return type(self)(**{**self.params(), **short})

    def _validation_curve(self, data: TrainingData, patience: int) -> list[float]:
        """What the window judges after each epoch, until it has not risen for `patience` epochs.

        Empty where there is too little to hold back.
        """
        try:
            window = ValidationWindow.hold_back(data, seed=self.seed)
        except EmptySplitError:
            return []
        judged = type(self)(**{**self.params(), "item_identity_from": self.item_identity_from_, "patience": None})
        curve: list[float] = []

        def look(epoch: int) -> None:
            curve.append(float(np.nanmean(window.judge(judged))))
            if epoch - 1 - int(np.argmax(curve)) >= patience:
                raise StopIteration

        judged.take_ids(window.past)
        judged.fit_with_callback(window.past, look)
        return curve

    _start_from: tuple[tuple[Ids, F32], tuple[Ids, F32]] | None = None

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

    def _start_from_vectors(self, model: LightFM, given: GivenVectors) -> None:
        """Put the vectors into the identities; what a former fit has learned of an item stays."""
        started = start_vectors(given.vectors, self.n_factors)
        new = np.ones(len(given.features), bool)
        if self._start_from is not None:
            new = self._start_from[1][0].rows(self.item_feature_names_.take(given.features)) < 0
        model.item_embeddings[given.features[new]] = started[new]

    def _take_factors(
        self,
        model: LightFM,
        users: sparse.csr_matrix,
        items: sparse.csr_matrix,
        trained_users: Any,
        trained_items: Any,
        given: GivenVectors | None,
    ) -> None:
        """Embeddings as they are now, zero or by their vector where nothing trained them, and what follows."""
        item_table = np.column_stack([model.item_embeddings, model.item_biases]) * trained_items[:, None]
        user_table = np.column_stack([model.user_embeddings, model.user_biases]) * trained_users[:, None]
        if given is not None and not given.is_trained.all():
            learned = item_table[given.features]
            item_table[given.features[~given.is_trained]] = mapped(given.vectors, given.is_trained, learned)
        self.item_embeddings_ = item_table.astype(np.float32)
        self.user_embeddings_ = user_table.astype(np.float32)
        d = self.n_factors
        user_sums, item_sums = users @ self.user_embeddings_, items @ self.item_embeddings_
        one_u, one_i = np.ones((len(user_sums), 1), np.float32), np.ones((len(item_sums), 1), np.float32)
        self.user_factors_ = np.hstack([user_sums[:, :d], user_sums[:, d:], one_u]).astype(np.float32)
        self.item_factors_ = np.hstack([item_sums[:, :d], one_i, item_sums[:, d:]]).astype(np.float32)
        is_trained = np.asarray((users @ trained_users.astype(np.float32)) > 0)
        self.unknown_user_ = self.user_factors_[is_trained].mean(axis=0).astype(np.float32)
        self.user_covariance_ = covariance_of(self.user_factors_[is_trained])
        self.fold_in_weight_, self.fold_in_regularization_ = 0.0, 0.0

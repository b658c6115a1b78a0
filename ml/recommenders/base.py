"""The one interface of every recommender: fit, recommend, fold in, save."""

from __future__ import annotations

import inspect
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, Self, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from scipy import sparse

from ml.arrays import F32, I32, I64, Bools, Integers
from ml.dataset.feature_matrix import FeatureMatrix
from ml.dataset.ids import Ids
from ml.dataset.interactions import Interactions
from ml.dataset.weight_scale import WeightScale, WeightScaling
from ml.errors import InvalidInputError, TesseraError
from ml.recommenders.model_names import model_name
from ml.recommenders.persistence import SavedModel, write_model
from ml.recommenders.recommendations import Recommendations, filled_up
from ml.recommenders.topk import top_k_scores
from ml.recommenders.training_data import TrainingData

Users: TypeAlias = Sequence[str] | pa.Array | pa.ChunkedArray
ServingForm: TypeAlias = Literal["factors", "factors and model", "model", "list"]
"""`factors`: users and items are vectors, and new people are folded in by `ml.recommenders.fold_in`. `factors and
model`: as before, but the model itself folds in. `model`: the model itself scores all items. `list`: it does, and
its list is the same for everybody."""


class NotFittedError(TesseraError):
    """The recommender has to be fitted first."""


class NotFiniteError(TesseraError, ValueError):
    """Training ended with values that are not finite; the message names the model and what it learned."""


class NoFactorsError(TesseraError, TypeError):
    """The recommender has no vectors of users and items."""


class Recommender(ABC):
    """Base of all recommenders. `__init__` only stores arguments; what is learned ends in `_`.

    Learned by every recommender:
        user_ids_, item_ids_: ids of rows and columns; items known by features alone come last.
        seen_: CSR (n_users, n_items) of the training pairs, which are never recommended to their user.
        item_counts_: float32 (n_items,), users of each item in training.
        known_users_: bool (n_users,), users whom the model knows something about; the others are strangers to it.
        weight_scale_: arguments of the `WeightScale` of the training; of models that use weights.
    """

    user_ids_: Ids
    item_ids_: Ids
    seen_: sparse.csr_matrix
    item_counts_: F32
    known_users_: Bools
    weight_scaling: WeightScaling  # an argument of the models that use weights
    weight_scale_: list[Any]

    def __init__(self) -> None:  # noqa: B027  a recommender without parameters stores nothing
        """Nothing to store."""

    @property
    def uses_user_features(self) -> bool:
        """Whether the features of a user without interactions change what is recommended."""
        return False

    @property
    def uses_item_features(self) -> bool:
        """Whether the features of items change what is recommended."""
        return False

    @property
    def uses_weights(self) -> bool:
        """Whether the size of a weight changes what is learned; a negative weight does in every model."""
        return getattr(self, "weight_scaling", "binary") != "binary"

    @property
    def ignores_weights(self) -> bool:
        """Whether every liked interaction counts alike, whatever it weighs."""
        return not self.uses_weights

    @property
    def folds_histories(self) -> bool:
        """Whether `score_histories` depends on the history."""
        return type(self).score_histories is not Recommender.score_histories

    @property
    def reads_order(self) -> bool:
        """Whether the order of a history counts, which `history_of_rows` then keeps."""
        return False

    @property
    def ranks_for_everybody(self) -> bool:
        """Whether the model has one list for all people."""
        return False

    @property
    def serving_form(self) -> ServingForm:
        """How the service applies the model once it is the champion."""
        return "list" if self.ranks_for_everybody else "model"

    @abstractmethod
    def _fit(self, data: TrainingData) -> None:
        """Learn from aligned data."""

    @abstractmethod
    def score(self, user_rows: Integers) -> F32:
        """Scores of all items for known users: fresh float32 (len(user_rows), n_items), finite."""

    def score_unknown(self) -> F32:
        """Score all items for a user who is not known: float32 (n_items,). The default is popularity."""
        return self.item_counts_.copy()

    def score_histories(self, histories: sparse.csr_matrix) -> F32:
        """Score all items for users who are known by their histories alone, without refitting.

        Args:
            histories: CSR (b, n_items) of confidences: 1 for a typical interaction. `confidences` makes them of
                weights in the unit of the training.

        Returns:
            Fresh float32 (b, n_items). The default gives everybody the popular items.
        """
        return np.repeat(self.score_unknown()[None, :], histories.shape[0], axis=0)

    def fit(
        self,
        interactions: Interactions,
        user_features: FeatureMatrix | None = None,
        item_features: FeatureMatrix | None = None,
    ) -> Self:
        """Learn from interactions and, where the model uses them, features.

        Raises:
            ValueError: there is no interaction of positive weight.
        """
        data = TrainingData.align(interactions, user_features, item_features)
        return self.fit_aligned(data)

    def fit_aligned(self, data: TrainingData) -> Self:
        """`fit` on data that is aligned already.

        Raises:
            NotFiniteError: what was learned holds a value that is not finite.
        """
        self.take_ids(data)
        self._fit(data)
        self._check_finite()
        return self

    def _check_finite(self) -> None:
        """Refuse a model that would fail, or rank at random, as soon as it is used."""
        for name, value in self.state().items():
            numbers = value.data if sparse.issparse(value) else value
            if isinstance(numbers, np.ndarray) and numbers.dtype.kind == "f" and not np.isfinite(numbers).all():
                count = int((~np.isfinite(numbers)).sum())
                raise NotFiniteError(
                    f"{type(self).__name__} did not converge: {name} holds {count:,} values that are not finite. "
                    "Choose a smaller learning rate or a stronger regularization, and look for extreme values"
                )

    def take_ids(self, data: TrainingData) -> None:
        """Keep what every model needs of its training data, before anything is learned.

        Raises:
            ValueError: there is no interaction of positive weight.
        """
        pairs = data.interactions
        if not pairs.liked.nnz:
            raise InvalidInputError(
                f"there is no interaction to learn from: of {pairs.n_pairs:,}, none has a weight above 0"
            )
        self.user_ids_, self.item_ids_ = pairs.users, pairs.items
        ones = np.ones(pairs.n_pairs, np.int8)
        self.seen_ = sparse.csr_matrix((ones, pairs.matrix.indices, pairs.matrix.indptr), pairs.matrix.shape)
        self.item_counts_ = pairs.item_counts
        self.known_users_ = np.diff(pairs.liked.indptr) > 0
        if self.uses_user_features and data.user_features is not None:
            self.known_users_ |= np.diff(data.user_features.matrix.indptr) > 0

    def confidences(self, weights: sparse.csr_matrix) -> sparse.csr_matrix:
        """Scale weights as those of the training were scaled, for `score_histories`.

        Args:
            weights: CSR (b, n_items) of positive weights in the unit of the training.

        Returns:
            CSR float32 (b, n_items), 1 for a typical interaction; ones where the model does not use weights.
        """
        learned = getattr(self, "weight_scale_", ["binary"])  # a model of an earlier version has none
        return WeightScale(*learned).confidences(weights)

    def _learn_confidences(self, pairs: Interactions) -> sparse.csr_matrix:
        """CSR float32 (n_users, n_items): how much each liked pair says, 1 on average, in the order of `liked`."""
        scale = WeightScale.learn(pairs.liked_weights, self.weight_scaling)
        self.weight_scale_ = scale.to_list()
        return scale.confidences(pairs.liked_weights)

    def recommend(
        self,
        users: Users,
        k: int = 10,
        exclude: pa.Table | None = None,
        candidates: Users | None = None,
        threads: int | None = None,
    ) -> Recommendations:
        """Top k items of each user, known or not; never an item that the user has in training.

        Args:
            users: Ids, each once.
            k: Number of items for each user.
            exclude: Columns `user_id` and `item_id` of further pairs to leave out.
            candidates: The only items to rank; items that the model does not know come last.
            threads: Threads that rank; None: all cores.

        Returns:
            k items a user, fewer only where fewer are left.
        """
        self._check_fitted()
        names, rows = Ids.encode(pa.chunked_array([_strings(users)]))
        if len(names) < len(rows):
            raise InvalidInputError(f"{len(rows) - len(names)} users are named twice")
        user_rows = self.user_ids_.rows(names.values)
        excluded = self._excluded(names, user_rows, exclude)
        if candidates is None:
            best, scores = self.rank(user_rows, k, excluded, None, threads)
            return Recommendations(names.values, self.item_ids_, best, scores)
        candidate_ids = Ids(pc.unique(_strings(candidates)))
        rows = self.item_ids_.rows(candidate_ids.values)
        best, scores = self.rank(user_rows, k, excluded, np.sort(rows[rows >= 0]), threads)
        items = self.item_ids_.union(candidate_ids)
        further = np.arange(len(self.item_ids_), len(items), dtype=np.int32)
        left_out = None if exclude is None else _pairs(names, items, exclude)[:, len(self.item_ids_) :]
        best, scores = filled_up(best, scores, k, further, left_out)
        return Recommendations(names.values, items, best, scores)

    def fold_in(self, items: Users, weights: Sequence[float] | None = None) -> F32:
        """Vector of a new user from a handful of items: float32 (d,), to be multiplied with `item_factors_`.

        Args:
            items: Ids of the items.
            weights: Their weights in the unit of the training; None: all are typical.

        Raises:
            NoFactorsError: the model has no factors; use `score_histories`.
        """
        raise NoFactorsError(f"{type(self).__name__} has no factors to fold a user into; use score_histories")

    def history(self, items: Users, weights: Sequence[float] | None = None) -> sparse.csr_matrix:
        """Build a history for `score_histories`, CSR (1, n_items), of the items that the model knows.

        Args:
            items: Ids of the items.
            weights: Their weights in the unit of the training; None: all are typical.
        """
        rows = self.item_ids_.rows(_strings(items))
        if weights is None:
            return self.history_of_rows(rows, np.ones(len(rows)))
        return self.confidences(self.history_of_rows(rows, weights))

    def history_of_rows(self, rows: Integers, values: Sequence[float] | npt.NDArray[Any]) -> sparse.csr_matrix:
        """Build a matrix, CSR (1, n_items), of item rows; -1 stands for an item that the model does not know.

        Where the model reads the order, the entries stay in the order given, and an item may occur more than once.

        Args:
            rows: Rows of the items, the latest last.
            values: Confidence of each, 1 for a typical interaction.
        """
        is_item = np.asarray(rows) >= 0
        data, columns = np.asarray(values, np.float32)[is_item], np.asarray(rows)[is_item].astype(np.int32)
        bounds = np.array([0, len(columns)])
        history = sparse.csr_matrix((data, columns, bounds), shape=(1, len(self.item_ids_)))
        if not self.reads_order:
            history.sum_duplicates()
        return history

    def params(self) -> dict[str, Any]:
        """Constructor arguments."""
        return {name: getattr(self, name) for name in inspect.signature(type(self)).parameters}

    def settled_params(self) -> dict[str, Any]:
        """Constructor arguments, with what fitting chose in the place of what was left to the data."""
        return self.params()

    def state(self) -> dict[str, Any]:
        """The learned state: every attribute that ends in `_`."""
        return {
            name: value for name, value in vars(self).items() if name.endswith("_") and not name.startswith("_")
        }

    def set_state(self, state: dict[str, Any]) -> None:
        """Restore what `state` returned."""
        for name, value in state.items():
            setattr(self, name, value)

    def parts(self) -> dict[str, Recommender]:
        """Recommenders that this one is made of, by name; stored beside it."""
        return {}

    def set_parts(self, parts: dict[str, Recommender]) -> None:  # noqa: B027  most have none
        """Take back the recommenders that `parts` gave."""

    def save(self, folder: Path) -> None:
        """Write the model to a folder, from which `load_recommender` reads it; nothing in it is pickled.

        Raises:
            NotFittedError: There is nothing to save yet.
            UnknownModelError: The class is not in the zoo, so that nobody could load it.
        """
        self._check_fitted()
        parts, params = self.parts(), self.params()
        name = model_name(type(self).__name__, params)
        write_model(Path(folder), SavedModel(name, params, list(parts), self.state()))
        for part_name, part in parts.items():
            part.save(Path(folder) / part_name)

    def _excluded(self, names: Ids, user_rows: I32, exclude: pa.Table | None) -> sparse.csr_matrix:
        """CSR int8 (len(names), n_items): training pairs and `exclude`."""
        has_row = user_rows >= 0
        picker = sparse.csr_matrix(
            (np.ones(int(has_row.sum()), np.int8), (np.flatnonzero(has_row), user_rows[has_row])),
            shape=(len(names), self.seen_.shape[0]),
        )
        excluded = (picker @ self.seen_).tocsr()
        if exclude is not None and len(exclude):
            excluded = excluded + _pairs(names, self.item_ids_, exclude)
        return excluded.tocsr()

    def rank(
        self,
        user_rows: I32,
        k: int,
        excluded: sparse.csr_matrix,
        columns: npt.NDArray[Any] | None = None,
        threads: int | None = None,
    ) -> tuple[I32, F32]:
        """Top k of all items, or of `columns`, for rows of users; -1 is a stranger.

        Args:
            user_rows: rows of the users, int32 (n,); -1 stands for a user whom the model does not know.
            k: number of items for each user.
            excluded: CSR (len(user_rows), n_items) of the pairs to leave out.
            columns: ascending item rows.
            threads: threads that rank; None: all cores.

        Returns:
            Item rows int32 (n, k), -1 where nothing is left, and scores float32 (n, k).
        """
        warm_rows = self._warm_rows(user_rows)
        unknown = self.score_unknown()

        def block(rows: I64) -> F32:
            chosen = warm_rows[rows]
            scores = np.repeat((unknown if columns is None else unknown[columns])[None, :], len(rows), axis=0)
            is_warm = chosen >= 0
            if is_warm.any():
                scores[is_warm] = self._score_columns(chosen[is_warm], columns, excluded[rows[is_warm]])
            return scores

        n_columns = len(self.item_ids_) if columns is None else len(columns)
        if columns is not None:
            excluded = excluded[:, columns].tocsr()
        excluded.sort_indices()
        best, scores = top_k_scores(block, len(warm_rows), n_columns, k, excluded, threads)
        if columns is not None:
            best = np.where(best >= 0, columns[best] if n_columns else -1, -1).astype(np.int32)
        return best, scores

    def knows(self, users: Ids) -> Bools:
        """Whether the model knows something about users, who are no strangers to it: bool (n_users,)."""
        return np.asarray(self._warm_rows(self.user_ids_.rows(users.values)) >= 0)

    def _warm_rows(self, user_rows: I32) -> I32:
        """Replace the rows of users whom the model knows nothing about by -1."""
        is_warm = (user_rows >= 0) & self.known_users_[user_rows]
        return np.where(is_warm, user_rows, -1).astype(np.int32)

    def _score_columns(
        self, user_rows: Integers, columns: npt.NDArray[Any] | None, excluded: sparse.csr_matrix
    ) -> F32:
        """Scores of known users for all items or `columns`; `excluded` (b, n_columns) is cut out afterwards."""
        scores = self.score(user_rows)
        return scores if columns is None else np.ascontiguousarray(scores[:, columns])

    def _check_fitted(self) -> None:
        if not hasattr(self, "item_ids_"):
            raise NotFittedError(f"{type(self).__name__} is not fitted yet: call fit first")


def _strings(ids: Users) -> pa.StringArray:
    array = ids.combine_chunks() if isinstance(ids, pa.ChunkedArray) else ids
    if isinstance(array, pa.ChunkedArray):
        array = pa.concat_arrays(array.chunks)
    return pc.cast(array if isinstance(array, pa.Array) else pa.array(list(array), pa.string()), pa.string())


def _pairs(users: Ids, items: Ids, table: pa.Table) -> sparse.csr_matrix:
    """CSR int8 (len(users), len(items)) of the pairs of a table `user_id`, `item_id`; others are left out."""
    rows, columns = users.rows(table["user_id"]), items.rows(table["item_id"])
    valid = (rows >= 0) & (columns >= 0)
    ones = np.ones(int(valid.sum()), np.int8)
    return sparse.csr_matrix((ones, (rows[valid], columns[valid])), shape=(len(users), len(items)))

"""A second stage that ranks the candidates of several models from their scores and the context.

Gradient boosting (LightGBM) or a conditional logit learns which pairs happened from folds of the training data
that its first stage has not seen; the test window plays no part.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any

import lightgbm
import numpy as np
import numpy.typing as npt
from scipy import sparse

from ml.arrays import F32, F64, I32, Integers
from ml.dataset.interactions import Interactions
from ml.dataset.weight_scale import WeightScale, WeightScaling
from ml.errors import InvalidInputError
from ml.recommenders.base import Recommender
from ml.recommenders.folds import TIME_SHARES, cut_into_folds
from ml.recommenders.models.blends import Ensemble, standardised
from ml.recommenders.models.second_stage.boosting import boosted
from ml.recommenders.models.second_stage.choice_model import MOST_USERS, ChoiceModel
from ml.recommenders.models.second_stage.context import Context
from ml.recommenders.topk import select_top_k
from ml.recommenders.training_data import TrainingData

OBJECTIVES = ("binary", "lambdarank", "choice")
MOST_TRAINED_USERS = 4_000  # of each fold, for boosting; more users are a longer table, not another model
USER_BLOCK = 64  # users whose training rows are made at a time
PAIR_BLOCK = 400_000  # pairs that the second stage scores at a time: with 50 features 80 MB


class Stacked(Ensemble):
    """Learned ranking on top of other recommenders.

    Args:
        models: the first stage: dictionaries with `model` and optional `params`.
        folds_by: `random` cuts each user's items into folds, `time` holds back the newest ones twice.
        folds: number of random folds.
        learned_folds: so many of them are learned from, which is as many fits of the first stage; None: all.
        rescored: candidates a user that the second stage orders; the others follow in the order of the mean
            standardised score of the parts. None: all items.
        sampled_negatives: items drawn at random for each user in training, beside the candidates.
        only_cold: learn from items that nobody had taken before the fold: for catalogues where all that is
            recommended is new.
        from_blend: boosting starts from the mean standardised score and learns what is to be changed in it, so
            that little data cannot make the order much worse than that of the blend.
        objective: binary or lambdarank: boosting; choice: conditional logit, see `ChoiceModel`.
        trees, leaves, learning_rate, min_leaf: of the boosting.
        weight_scaling: how weights become confidences, see `ml.dataset.weight_scale`; what was taken weighs
            so much in the second stage. The parts have settings of their own.
        seed: of folds, samples and boosting.

    Learned:
        feature_names_: columns of the second stage.
        booster_: LightGBM's model as text, empty for a choice.
        choice_slopes_, choice_deviations_, choice_activity_: of the choice model, empty for boosting.
    """

    feature_names_: list[str]
    booster_: str
    choice_slopes_: F64
    choice_deviations_: F64
    choice_activity_: F64

    def __init__(
        self,
        models: Sequence[dict[str, Any]],
        folds_by: str = "random",
        folds: int = 4,
        learned_folds: int | None = None,
        rescored: int | None = 150,
        sampled_negatives: int = 0,
        only_cold: bool = False,
        from_blend: bool = True,
        objective: str = "binary",
        trees: int = 250,
        leaves: int = 15,
        learning_rate: float = 0.02,
        min_leaf: int = 300,
        weight_scaling: WeightScaling = "bm25",
        seed: int = 0,
    ) -> None:
        self.models = list(models)
        self.folds_by = folds_by
        self.folds = folds
        self.learned_folds = learned_folds
        self.rescored = rescored
        self.sampled_negatives = sampled_negatives
        self.only_cold = only_cold
        self.from_blend = from_blend
        self.objective = objective
        self.trees = trees
        self.leaves = leaves
        self.learning_rate = learning_rate
        self.min_leaf = min_leaf
        self.weight_scaling = weight_scaling
        self.seed = seed

    @property
    def uses_item_features(self) -> bool:
        """The second stage learns from them, whatever the first one does."""
        return True

    def _fit(self, data: TrainingData) -> None:
        if self.objective not in OBJECTIVES:
            raise InvalidInputError(f"objective {self.objective!r}; there are {', '.join(OBJECTIVES)}")
        random = np.random.default_rng(self.seed)
        tables, labels, groups, owners = [], [], [], []
        scale = WeightScale.learn(data.interactions.liked_weights, self.weight_scaling)
        folds = cut_into_folds(data.interactions, self.folds_by, self.folds, self.seed)
        for past, future in islice(folds, self.learned_folds):
            self._fit_first_stage(TrainingData(past, data.user_features, data.item_features))
            for user, x, y in self._training_rows(past, scale.confidences(future.liked_weights), random):
                owners.append(user)
                tables.append(x)
                labels.append(y)
                groups.append(len(y))
        if not tables:
            raise InvalidInputError("no fold holds an interaction to learn the second stage from")
        self._fit_first_stage(data)
        x, y = np.concatenate(tables), np.concatenate(labels)
        self.booster_, model = "", ChoiceModel(np.zeros((2, 0)), np.zeros(0), np.zeros(2))
        if self.objective == "choice":
            # The activity in all the data, as when ranking: a fold's own is less by what the fold lacks.
            activity = self._context.user_values_["activity"][owners]
            model = ChoiceModel.fit(self._compared(x), y, np.array(groups, np.int64), activity)
        else:
            self.booster_ = boosted(
                x,
                y,
                groups,
                self._blend_of(x) if self.from_blend else None,
                objective=self.objective,
                trees=self.trees,
                leaves=self.leaves,
                learning_rate=self.learning_rate,
                min_leaf=self.min_leaf,
                seed=self.seed,
            )
        self.choice_slopes_, self.choice_deviations_ = model.slopes, model.deviations
        self.choice_activity_ = model.activity
        self._take_second_stage()

    def _take_second_stage(self) -> None:
        self._booster = lightgbm.Booster(model_str=self.booster_) if self.booster_ else None
        self._choice = ChoiceModel(self.choice_slopes_, self.choice_deviations_, self.choice_activity_)

    def _compared(self, features: F32) -> F32:
        """Columns that the choice model gets: all but the raw scores, which say what the standardised ones say."""
        return features[:, len(self.models) :]

    def _fit_first_stage(self, data: TrainingData) -> None:
        self._fit_parts(data)
        self._context = Context().fit(data)
        self._has_history = np.diff(data.interactions.liked.indptr) > 0
        names = [f"{part['model']}#{place}" for place, part in enumerate(self.models)]
        self.feature_names_ = [*names, *(f"standard:{name}" for name in names), *self._context.names_]

    def _training_rows(
        self, past: Interactions, relevant: sparse.csr_matrix, random: np.random.Generator
    ) -> Iterator[tuple[int, F32, F32]]:
        """Row, features and labels of each user who has a past and a future.

        A label is the confidence of what was taken and 0 for the rest.
        """
        columns = None
        if self.only_cold:
            columns = np.flatnonzero(np.bincount(past.columns, minlength=len(past.items)) == 0)
        n_items = len(past.items) if columns is None else len(columns)
        place = np.full(len(past.items), -1)
        place[np.arange(len(past.items)) if columns is None else columns] = np.arange(n_items)
        users = np.flatnonzero(self._has_history & (np.diff(relevant.indptr) > 0))
        most = MOST_TRAINED_USERS
        if self.objective == "choice":
            n_folds = len(TIME_SHARES) if self.folds_by == "time" else self.folds
            most = MOST_USERS // min(n_folds, self.learned_folds or n_folds)
        if len(users) > most:
            users = np.sort(random.choice(users, most, replace=False))
        for block in np.array_split(users, max(1, len(users) // USER_BLOCK)):
            had = past.matrix[block]
            scores, base = self._first_stage(block, columns, had if columns is None else had[:, columns].tocsr())
            chosen = self._candidates(base)
            for row, user in enumerate(block):
                taken = slice(relevant.indptr[user], relevant.indptr[user + 1])
                hits = place[relevant.indices[taken]]
                drawn = [chosen[row]] if self.rescored is not None else []
                if self.rescored is None or self.sampled_negatives:
                    drawn += [random.integers(0, n_items, self.sampled_negatives), hits[hits >= 0]]
                items = np.unique(np.concatenate(drawn))
                items = items[np.isfinite(base[row, items])]
                labels = np.zeros(n_items, np.float32)
                labels[hits[hits >= 0]] = relevant.data[taken][hits >= 0]
                labels = labels[items]
                if labels.any():
                    user_scores = [part[row : row + 1] for part in scores]
                    yield user, self._pair_features(user[None], user_scores, items[None], columns), labels

    def _first_stage(
        self, user_rows: Integers, columns: npt.NDArray[Any] | None, excluded: sparse.csr_matrix
    ) -> tuple[list[F32], F32]:
        """Scores of the parts (b, n_columns) each, and their mean standardised score, -inf where excluded."""
        scores = [part.score(user_rows) for part in self._fitted]
        if columns is not None:
            scores = [part[:, columns] for part in scores]
        base = _mean_standardised(scores)
        base[np.repeat(np.arange(len(user_rows)), np.diff(excluded.indptr)), excluded.indices] = -np.inf
        return scores, base

    def _candidates(self, base: F32) -> I32:
        """Places of the candidates of each user, of equal scores the first: int32 (b, c)."""
        n = base.shape[1]
        if self.rescored is None or self.rescored >= n:
            return np.repeat(np.arange(n, dtype=np.int32)[None, :], len(base), axis=0)
        return select_top_k(base, self.rescored)[0]

    def _pair_features(
        self, user_rows: Integers, scores: list[F32], chosen: npt.NDArray[Any], columns: npt.NDArray[Any] | None
    ) -> F32:
        """Features of the chosen places: float32 (b * c, n_features)."""
        raw = [np.take_along_axis(part, chosen, 1) for part in scores]
        standard = [np.take_along_axis(standardised(part), chosen, 1) for part in scores]
        items = chosen if columns is None else columns[chosen]
        stacked = np.stack([part.ravel() for part in [*raw, *standard]], axis=1)
        return np.hstack([stacked, self._context.pair_features(user_rows, items)]).astype(np.float32)

    def _blend_of(self, features: F32) -> F32:
        """Mean standardised score of the parts, from the columns that hold them: (n_rows,)."""
        n = len(self._fitted)
        return np.asarray(features[:, n : 2 * n].mean(axis=1))

    def score(self, user_rows: Integers) -> F32:
        """Scores of all items: candidates by the second stage, the others below them, those of training last."""
        scores = self._score_columns(np.asarray(user_rows), None, self.seen_[user_rows])
        lowest = np.where(np.isfinite(scores), scores, np.inf).min(axis=1, keepdims=True)
        return np.where(np.isfinite(scores), scores, np.where(np.isfinite(lowest), lowest - 1, 0)).astype(
            np.float32
        )

    def score_unknown(self) -> F32:
        """Mean standardised score of what the parts say of a stranger: float32 (n_items,)."""
        return np.asarray(_mean_standardised([part.score_unknown()[None, :] for part in self._fitted])[0])

    def score_histories(self, histories: sparse.csr_matrix) -> F32:
        """Mean standardised score of the parts: the context of a new user is not known."""
        return _mean_standardised([part.score_histories(histories) for part in self._fitted])

    def _score_columns(
        self, user_rows: Integers, columns: npt.NDArray[Any] | None, excluded: sparse.csr_matrix
    ) -> F32:
        """Scores (b, n_columns), -inf where excluded; the candidates are sought among `columns` alone."""
        n_columns = len(self.item_ids_) if columns is None else len(columns)
        step = max(1, PAIR_BLOCK // max(1, min(self.rescored or n_columns, n_columns)))
        blocks = [
            self._ranked(user_rows[start : start + step], columns, excluded[start : start + step])
            for start in range(0, len(user_rows), step)
        ]
        return np.concatenate(blocks)

    def _ranked(self, user_rows: Integers, columns: npt.NDArray[Any] | None, excluded: sparse.csr_matrix) -> F32:
        """Candidates by the second stage, the others below them by the first; -inf where excluded."""
        scores, base = self._first_stage(user_rows, columns, excluded)
        chosen = self._candidates(base)
        features = self._pair_features(user_rows, scores, chosen, columns)
        learned = self._learned(features, user_rows).reshape(chosen.shape)
        highest = np.where(np.isfinite(base), base, -np.inf).max(axis=1, keepdims=True)
        ranked = base - np.where(np.isfinite(highest), highest, 0) + learned.min(axis=1, keepdims=True) - 1
        np.put_along_axis(ranked, chosen, learned, 1)
        ranked[np.isneginf(base)] = -np.inf
        return np.asarray(ranked, dtype=np.float32)

    def _learned(self, features: F32, user_rows: Integers) -> F64:
        """What the second stage says of the pairs: (n_pairs,)."""
        if self._booster is None:
            sizes = np.full(len(user_rows), len(features) // len(user_rows))
            activity = self._context.user_values_["activity"][user_rows]
            return self._choice.utilities(self._compared(features), sizes, activity)
        scores = self._booster.predict(features, raw_score=True, num_threads=1)
        return np.asarray(scores + self._blend_of(features) if self.from_blend else scores)

    def set_parts(self, parts: dict[str, Recommender]) -> None:
        """Take the first stage back."""
        super().set_parts(parts)
        self._take_second_stage()

    def state(self) -> dict[str, Any]:
        """What is learned, the context's parts as `context:…`."""
        return {**super().state(), **{f"context:{name}": value for name, value in self._context.state().items()}}

    def set_state(self, state: dict[str, Any]) -> None:
        """Restore what `state` returned."""
        super().set_state({name: value for name, value in state.items() if not name.startswith("context:")})
        context = {
            name.removeprefix("context:"): value for name, value in state.items() if name.startswith("context:")
        }
        self._context = Context.from_state(context)


def _mean_standardised(scores: list[F32]) -> F32:
    """Mean of the parts' scores (b, n) after each has mean 0 and deviation 1 for each user."""
    total = np.zeros(scores[0].shape, np.float32)
    for part in scores:
        total += standardised(part) / len(scores)
    return total

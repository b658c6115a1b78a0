"""A validation window: held-back interactions, and how well a model ranks them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
from scipy import sparse

from ml.arrays import F64, I32
from ml.dataset.interactions import Interactions
from ml.dataset.weight_scale import WeightScale, WeightScaling
from ml.evaluation.accuracy import gains_of, graded_ndcg, largest_of_rows
from ml.evaluation.splits import EmptySplitError
from ml.recommenders.base import Recommender
from ml.recommenders.data_split import DataSplit
from ml.recommenders.training_data import TrainingData
from ml.recommenders.whole_rankings import auc_of_rows

Ranked = Literal["all", "known", "new"]  # items that will be ranked: known ones have interactions in training

COLD_SHARE = 0.5  # of the held-back interactions on new items: from here on, new items alone are ranked
NEW_CELLS = 20_000_000  # users × new items that are ranked at most: with many new items fewer users are judged
FEWEST_USERS = 200  # but not fewer than these
GAIN: WeightScaling = "log"  # how the weight of a held-back interaction becomes the gain of a hit
# Of each user's interactions, where a random share is held back. The less it is, the more the past of a window is
# like the whole that the winner is fitted on: after 75% of it, stronger penalties and popular items win that lose
# after all of it. On one split of films the values of 17 configurations on the test correlated .72 with those by a
# window of 25%, .93 by one of 10%. Of short histories 10% is one item, which is too little to compare by.
RANDOM_SHARES = (0.1, 0.25)
ENOUGH_HELD_BACK = 4  # interactions of a user, on average


@dataclass(frozen=True)
class ValidationWindow:
    """Training data and held-back interactions on common ids.

    Attributes:
        past: Training data that a model is fitted on.
        users: int32 (n,), rows of the users who are judged.
        relevant: CSR (n, n_items), the held-back items of each user. A value is the gain of a hit, which grows
            with the weight of the interaction; all are 1 where all weights are equal.
        had: CSR (n, n_items), the training items of each user.
        columns: Rows of the items that are ranked; None ranks all.
        cold_share: Share of the held-back interactions on items without any in training.
        k: Length of the lists that are judged.
        warnings: Warnings of the split.
        ranked: Which items `columns` are.
    """

    past: TrainingData
    users: I32
    relevant: sparse.csr_matrix
    had: sparse.csr_matrix
    columns: npt.NDArray[np.intp] | None
    cold_share: float
    k: int
    warnings: tuple[str, ...]
    ranked: Ranked = "all"

    @classmethod
    def hold_back(
        cls,
        data: TrainingData,
        kind: str | None = None,
        *,
        seed: int = 0,
        most_users: int = 2_000,
        k: int = 10,
        ranked: Ranked | None = None,
    ) -> ValidationWindow:
        """Split the interactions and judge by what is held back.

        Args:
            data: Interactions and features to divide.
            kind: Name of the split; None: the newest, where the interactions differ in time, else a random share.
            seed: Seed of the split and of the draw of users.
            most_users: As for `of`.
            k: As for `of`.
            ranked: As for `of`.

        Raises:
            EmptySplitError: Nothing liked would be left on one of the two sides.
            ValueError: The split needs what the data does not have.
        """
        kind = kind or natural_split(data.interactions)
        options = {"share": random_share(data.interactions)} if kind == "random" else {}
        split = DataSplit.of(data, kind, seed, **options)
        return cls.of(split, seed=seed, most_users=most_users, k=k, ranked=ranked)

    @classmethod
    def of(
        cls,
        split: DataSplit,
        *,
        seed: int = 0,
        most_users: int = 2_000,
        k: int = 10,
        ranked: Ranked | None = None,
    ) -> ValidationWindow:
        """Judge by the test interactions of a split.

        Args:
            split: Training data and test interactions; both are brought to common ids.
            seed: Seed of the draw of users.
            most_users: So many users at most are judged, drawn at random.
            k: Length of the lists that are judged.
            ranked: Which items are ranked, and judged by; None: new ones, if most of what is held back is on them
                and items have features, else all.

        Raises:
            EmptySplitError: Nothing liked is on one of the two sides, or none of it on items that are ranked.
        """
        pairs = split.train.interactions
        users, items = pairs.users.union(split.test.users), pairs.items.union(split.test.items)
        past = TrainingData.align(
            pairs.aligned(users, items), split.train.user_features, split.train.item_features
        )
        held_back = split.test.aligned(past.interactions.users, past.interactions.items).liked_weights
        scale = WeightScale.learn(past.interactions.liked_weights, GAIN)
        future = scale.confidences(held_back)
        if not past.interactions.liked.nnz or not future.nnz:
            raise EmptySplitError(
                f"{past.interactions.liked.nnz:,} liked interactions to learn from and {future.nnz:,} to judge by "
                "are too few: somebody has to like something on either side of the split. Hold back another part, "
                "such as a random one, or let lower ratings count as liked"
            )
        is_new = past.interactions.item_counts == 0
        cold_share = float(is_new[future.indices].mean())
        if ranked is None:
            ranked = "new" if cold_share > COLD_SHARE and past.item_features is not None else "all"
        columns = None
        if ranked != "all":
            is_ranked = is_new if ranked == "new" else ~is_new
            columns = np.flatnonzero(is_ranked)
            future = future.multiply(is_ranked[None, :]).tocsr()
            future.eliminate_zeros()
            if not future.nnz:
                raise EmptySplitError(
                    f"nothing that was held back is on {ranked} items, which are to be ranked. Hold back another "
                    "part, or rank all items"
                )
        if ranked == "new":
            most_users = min(most_users, max(FEWEST_USERS, NEW_CELLS // max(1, is_new.sum())))
        judged = np.flatnonzero(np.diff(future.indptr) > 0).astype(np.int32)
        if len(judged) > most_users:
            judged = np.sort(np.random.default_rng(seed).choice(judged, most_users, replace=False))
        had = past.interactions.matrix[judged]
        return cls(past, judged, future[judged], had, columns, cold_share, k, split.warnings, ranked)

    @property
    def metric(self) -> str:
        """Name of the metric that `judge` computes."""
        return "new_items_auc" if self.ranked == "new" else f"ndcg_at_{self.k}"

    def judge(self, recommender: Recommender) -> F64:
        """Compute the metric that models are compared by for each user: (n,).

        NDCG@k; where new items alone are ranked it is the AUC, since among thousands of them hits in the first
        places are too rare to compare by.
        """
        return self.auc(recommender) if self.ranked == "new" else self.ndcg(recommender)

    def ndcg(self, recommender: Recommender) -> F64:
        """NDCG@k of each user, what was taken with more weight being a larger gain: (n,)."""
        best, _ = recommender.rank(self.users, self.k, self.had, self.columns)
        gains = gains_of(best, self.relevant)
        gains = np.pad(gains, ((0, 0), (0, self.k - gains.shape[1])))  # where there are fewer items than places
        return graded_ndcg(gains, largest_of_rows(self.relevant, self.k))

    def auc(self, recommender: Recommender) -> F64:
        """AUC of each user over all ranked items: (n,). It sees far more of a ranking than its first places."""
        return auc_of_rows(lambda rows: recommender.score(self.users[rows]), self.relevant, self.had, self.columns)


def random_share(pairs: Interactions) -> float:
    """Share that a random window holds back: `ENOUGH_HELD_BACK` for each user, within `RANDOM_SHARES`."""
    low, high = RANDOM_SHARES
    n_users = int((np.diff(pairs.matrix.indptr) > 0).sum())
    return float(np.clip(ENOUGH_HELD_BACK * n_users / max(1, pairs.n_pairs), low, high))


def natural_split(pairs: Interactions) -> str:
    """`time` where the interactions happened at different times, else `random`."""
    times = pairs.timestamps
    return "random" if times is None or times.min() == times.max() else "time"


def sample_users(data: TrainingData, n_users: int, seed: int = 0) -> TrainingData:
    """Keep the interactions of `n_users` users drawn at random, on the same ids."""
    active = np.flatnonzero(np.diff(data.interactions.liked.indptr) > 0)
    if len(active) <= n_users:
        return data
    chosen = np.zeros(len(data.interactions.users), bool)
    chosen[np.random.default_rng(seed).choice(active, n_users, replace=False)] = True
    kept = data.interactions.select(chosen[data.interactions.rows])
    return TrainingData(kept, data.user_features, data.item_features)

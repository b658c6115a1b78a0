"""Features of users, items and pairs that a second stage ranks by, besides the scores of the first stage."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import sparse

from ml.arrays import F32, F64, Integers
from ml.dataset.feature_matrix import FeatureMatrix
from ml.dataset.interactions import Interactions
from ml.recommenders.training_data import TrainingData

TIME_BINS = 80  # of the training period; a kernel of one bin and one of five see what is popular then
KERNEL_BINS = (1.0, 5.0)
MOST_FAMILIES = 6
MOST_FEATURES = 400  # of a user family: its lifts are a dense row of all items each


class Context:
    """Features of pairs, learned from the training interactions alone.

    Learned (all `_`): per item counts, mean rating, first and last time and how its interactions spread over time;
    per user number of interactions, times, mean popularity of the items, mean rating; lifts of items within user
    features, and how much a user's items have each item feature.
    """

    names_: list[str]

    def fit(self, data: TrainingData) -> Context:
        """Learn from aligned data."""
        pairs = data.interactions
        liked = pairs.liked
        counts = pairs.item_counts.astype(np.float64)
        lengths = np.maximum(np.diff(liked.indptr), 1)
        self.item_values_ = {"popularity": np.log1p(counts)}
        self.user_values_ = {
            "activity": np.log1p(np.diff(liked.indptr)),
            "taste_popularity": (liked @ np.log1p(counts)) / lengths,
        }
        if pairs.ratings is not None and pairs.ratings.min() < pairs.ratings.max():
            mean = float(pairs.ratings.mean())
            self.item_values_["item_rating"] = _shrunk_mean(pairs.columns, pairs.ratings, len(pairs.items), mean)
            self.user_values_["user_rating"] = _shrunk_mean(pairs.rows, pairs.ratings, len(pairs.users), mean)
        self.spread_ = self._fit_times(pairs)
        self.user_families_ = _families(data.user_features, MOST_FEATURES)
        self.lifts_ = {
            name: _log_lift(np.asarray((members.T @ liked).todense(), dtype=np.float64), counts)
            for name, members in self.user_families_.items()
        }
        self.item_families_ = _families(data.item_features, None)
        self.profiles_ = {
            name: self._profile(liked, features, counts) for name, features in self.item_families_.items()
        }
        if data.item_features is not None:
            self.item_values_["n_features"] = np.diff(data.item_features.matrix.indptr).astype(np.float64)
        self.names_ = self._names()
        return self

    def pair_features(self, user_rows: Integers, columns: npt.NDArray[np.integer[Any]]) -> F32:
        """Features of pairs: float32 (b * c, len(names_)), user by user.

        Args:
            user_rows: (b,).
            columns: int (b, c), item rows of each user.
        """
        blocks: list[Any] = [values[columns] for values in self.item_values_.values()]
        blocks += [
            np.repeat(values[user_rows][:, None], columns.shape[1], 1) for values in self.user_values_.values()
        ]
        if self.spread_:
            middle = self.spread_["user_middle"][user_rows][:, None]
            blocks.append(middle - self.spread_["item_first"][columns])
            blocks.append(self.spread_["item_last"][columns] - middle)
            for width in KERNEL_BINS:
                blocks.append(np.take_along_axis(self._popular_then(user_rows, width), columns, 1))
        for name, members in self.user_families_.items():
            blocks.append(np.take_along_axis(np.asarray(members[user_rows] @ self.lifts_[name]), columns, 1))
        for name, features in self.item_families_.items():
            shares, lifts = self.profiles_[name]
            n = np.maximum(np.diff(features.indptr), 1)
            for profile, divisor in ((shares, 1.0), (lifts, n)):
                dense = (features @ np.asarray(profile[user_rows], np.float32).T).T / divisor
                blocks.append(np.take_along_axis(dense, columns, 1))
        return np.stack([np.asarray(block, np.float32).ravel() for block in blocks], axis=1)

    def state(self) -> dict[str, Any]:
        """Arrays and sparse matrices by name, for storing."""
        flat: dict[str, Any] = {"names": self.names_}
        for group in ("item_values", "user_values", "spread", "user_families", "lifts", "item_families"):
            flat |= {f"{group}/{name}": value for name, value in getattr(self, f"{group}_").items()}
        for name, (shares, lifts) in self.profiles_.items():
            flat |= {f"shares/{name}": shares, f"profile_lifts/{name}": lifts}
        return flat

    @classmethod
    def from_state(cls, flat: dict[str, Any]) -> Context:
        """Restore what `state` returned. The order of the features is that of `names`."""
        context = cls()
        context.names_ = list(flat["names"])
        groups: dict[str, dict[str, Any]] = {}
        for key, value in flat.items():
            if "/" in key:
                group, name = key.split("/", 1)
                groups.setdefault(group, {})[name] = value
        for group in ("item_values", "user_values", "spread", "user_families", "lifts", "item_families"):
            values = groups.get(group, {})
            setattr(context, f"{group}_", {name: values[name] for name in _in_order(values, context.names_)})
        shares, lifts = groups.get("shares", {}), groups.get("profile_lifts", {})
        context.profiles_ = {name: (shares[name], lifts[name]) for name in context.item_families_}
        return context

    def _fit_times(self, pairs: Interactions) -> dict[str, Any]:
        """When items and users were active, in bins of the training period; empty without timestamps."""
        if pairs.timestamps is None or pairs.timestamps.min() == pairs.timestamps.max():
            return {}
        start, end = int(pairs.timestamps.min()), int(pairs.timestamps.max())
        when = (pairs.timestamps - start) / (end - start) * TIME_BINS
        histogram = sparse.csr_matrix(
            (
                np.ones(pairs.n_pairs, np.float32),
                (pairs.columns, np.minimum(when, TIME_BINS - 1).astype(np.int32)),
            ),
            shape=(len(pairs.items), TIME_BINS),
        )
        n_items, n_users = len(pairs.items), len(pairs.users)
        first, last = np.full(n_items, float(TIME_BINS)), np.full(n_items, float(TIME_BINS))
        np.minimum.at(first, pairs.columns, when)
        last[np.unique(pairs.columns)] = 0
        np.maximum.at(last, pairs.columns, when)
        middle = np.full(n_users, float(TIME_BINS))
        order = np.lexsort((when, pairs.rows))
        lengths = np.diff(pairs.matrix.indptr)
        is_active = lengths > 0
        middle[is_active] = when[order][(pairs.matrix.indptr[:-1] + lengths // 2)[is_active]]
        return {"user_middle": middle, "item_first": first, "item_last": last, "histogram": histogram}

    def _popular_then(self, user_rows: Integers, width: float) -> F32:
        """Log of an item's share around the user's time over its share at all times: (b, n_items)."""
        histogram = self.spread_["histogram"]
        middle = self.spread_["user_middle"][user_rows]
        kernel = np.exp(-0.5 * ((middle[:, None] - np.arange(TIME_BINS)[None, :] - 0.5) / width) ** 2)
        then = (histogram @ kernel.T.astype(np.float32)).T
        total = kernel @ np.asarray(histogram.sum(axis=0)).ravel()
        share = np.asarray(histogram.sum(axis=1)).ravel() / histogram.sum()
        lift = (then / np.maximum(total, 1e-9)[:, None] + 1e-5) / (share + 1e-5)
        return np.asarray(np.log(lift), dtype=np.float32)

    def _profile(self, liked: sparse.csr_matrix, features: sparse.csr_matrix, counts: F64) -> tuple[F32, F32]:
        """Share of the user's items with each feature, and its log lift: (n_users, n_features) each."""
        base = (features.T @ counts) / max(counts.sum(), 1.0)
        lengths = np.diff(liked.indptr)[:, None]
        shares = (np.asarray((liked @ features).todense(), dtype=np.float64) + base) / (lengths + 1)
        return shares.astype(np.float32), np.log((shares + 1e-3) / (base + 1e-3)).astype(np.float32)

    def _names(self) -> list[str]:
        times = ["since_first", "until_last", *(f"popular_then_{width:g}" for width in KERNEL_BINS)]
        return [
            *self.item_values_,
            *self.user_values_,
            *(times if self.spread_ else []),
            *(f"lift:{name}" for name in self.user_families_),
            *(f"{kind}:{name}" for name in self.item_families_ for kind in ("share", "affinity")),
        ]


def _families(features: FeatureMatrix | None, most_features: int | None) -> dict[str, sparse.csr_matrix]:
    """Features by family, those of at most so many features; the largest families come first."""
    if features is None:
        return {}
    of = np.array(features.families())
    names, sizes = np.unique(of, return_counts=True) if len(of) else (np.array([]), np.array([]))
    order = [name for _, name in sorted(zip(-sizes, names, strict=True))][:MOST_FAMILIES]
    return {
        str(name): features.select(of == name).matrix
        for name in order
        if most_features is None or (of == name).sum() <= most_features
    }


def _log_lift(taken: F64, counts: F64) -> F32:
    """Log of each item's share within a group over its share at all: float32 (n_groups, n_items)."""
    within = taken / np.maximum(taken.sum(axis=1, keepdims=True), 1)
    overall = counts / max(counts.sum(), 1.0)
    return np.asarray(np.log((within + 1e-4) / (overall + 1e-4)), dtype=np.float32)


def _shrunk_mean(rows: npt.NDArray[Any], values: F32, n: int, mean: float) -> F64:
    """Mean of the values of each row, five mean ones added."""
    return (np.bincount(rows, weights=values, minlength=n) + 5 * mean) / (np.bincount(rows, minlength=n) + 5)


def _in_order(group: dict[str, Any], names: list[str]) -> list[str]:
    """Keys of a group in the order in which their features stand."""
    place = {name.split(":", 1)[-1]: number for number, name in reversed(list(enumerate(names)))}
    return sorted(group, key=lambda name: place.get(name, -1))

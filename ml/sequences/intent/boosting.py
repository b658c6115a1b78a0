"""Boosted trees for the chance of a yes: fitted with scikit-learn, kept and served as plain arrays."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.ensemble import HistGradientBoostingClassifier
from threadpoolctl import threadpool_limits

from ml.arrays import F32, F64, I32, Bools


@dataclass(frozen=True)
class BoostingShape:
    """How trees are grown: many small ones, each on a part of the rows and columns.

    Attributes:
        ensembles: Number of ensembles whose log-odds are averaged; each sees other rows.
        trees: Trees in each.
        learning_rate: Factor on the output of each tree.
        leaves: Most leaves of a tree.
        rows_of_leaf: Least rows of a leaf.
        columns: Share of the columns that a split looks at.
        rows: Share of the rows that an ensemble sees.
        penalty: L2 penalty of the leaves.
    """

    ensembles: int = 1
    trees: int = 60
    learning_rate: float = 0.1
    leaves: int = 12
    rows_of_leaf: int = 40
    columns: float = 0.4
    rows: float = 1.0
    penalty: float = 10.0


@dataclass(frozen=True)
class Trees:
    """Trees whose outputs add up to log-odds. A leaf is its own child on both sides.

    Attributes:
        column: Column that a node looks at, (nodes,).
        threshold: What goes left is at most this, (nodes,).
        left: Node for what goes left, (nodes,).
        right: The other node, (nodes,).
        missing_left: Whether a missing value goes left, (nodes,).
        value: Output of a leaf, 0 elsewhere, (nodes,).
        roots: First node of each tree, (trees,).
        base: Log-odds before the first tree, (1,).
    """

    column: I32
    threshold: F64
    left: I32
    right: I32
    missing_left: Bools
    value: F64
    roots: I32
    base: F64

    @classmethod
    def of(cls, models: Sequence[HistGradientBoostingClassifier]) -> Trees:
        """Copy the trees of fitted models of two classes, whose log-odds are averaged."""
        nodes = [tree.nodes for model in models for (tree,) in model._predictors]
        sizes = np.array([len(of_tree) for of_tree in nodes])
        roots = np.cumsum(sizes) - sizes
        joined, shift = np.concatenate(nodes), np.repeat(roots, sizes)
        is_leaf, numbers = joined["is_leaf"].astype(bool), np.arange(len(joined))
        return cls(
            np.where(is_leaf, 0, joined["feature_idx"]).astype(np.int32),
            np.where(is_leaf, 0.0, joined["num_threshold"]),
            np.where(is_leaf, numbers, joined["left"] + shift).astype(np.int32),
            np.where(is_leaf, numbers, joined["right"] + shift).astype(np.int32),
            joined["missing_go_to_left"].astype(bool),
            np.where(is_leaf, joined["value"], 0.0) / len(models),
            roots.astype(np.int32),
            np.array([np.mean([model._baseline_prediction for model in models])]),
        )

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, npt.NDArray[Any]], prefix: str) -> Trees:
        """Return the trees that `to_arrays` wrote.

        Raises:
            KeyError: An array is missing.
        """
        return cls(**{field.name: arrays[f"{prefix}{field.name}"] for field in fields(cls)})

    def to_arrays(self, prefix: str) -> dict[str, npt.NDArray[np.generic]]:
        """Return the arrays by prefixed names."""
        return {f"{prefix}{field.name}": getattr(self, field.name) for field in fields(self)}

    def log_odds(self, features: F32) -> F64:
        """Return the log-odds of each row of float32 (n, d), float64 (n,)."""
        rows = np.arange(len(features))[:, None]
        node = np.broadcast_to(self.roots, (len(features), len(self.roots)))
        while True:
            values = features[rows, self.column[node]]
            goes_left = np.where(np.isnan(values), self.missing_left[node], values <= self.threshold[node])
            following = np.where(goes_left, self.left[node], self.right[node])
            if (following == node).all():
                return np.asarray(self.base + self.value[node].sum(axis=1), dtype=np.float64)
            node = following


def fit_trees(features: npt.NDArray[np.floating], labels: Bools, shape: BoostingShape, seed: int) -> Trees:
    """Fit trees to rows (n, d) with labels (n,); of one label alone, the log-odds are the same everywhere.

    Args:
        features: A missing value is NaN.
        labels: What the chance is of.
        shape: How the trees are grown.
        seed: Seed of the choice of rows and columns.
    """
    # scikit-learn fails on a column without any value; a constant one is never looked at
    features = np.where(np.isnan(features).all(axis=0), np.float32(0), features)
    models = []
    for number in range(shape.ensembles):
        generator = np.random.default_rng([seed, number])
        taken = generator.random(len(labels)) < shape.rows
        model = HistGradientBoostingClassifier(
            max_iter=shape.trees,
            learning_rate=shape.learning_rate,
            max_leaf_nodes=shape.leaves,
            min_samples_leaf=shape.rows_of_leaf,
            max_features=shape.columns,
            l2_regularization=shape.penalty,
            early_stopping=False,
            random_state=seed + number,
        )
        # Threads spin while they wait for each other: two of them took 11 s of processor time for 30,000 rows on a
        # busy machine, one takes 1.
        with threadpool_limits(1, "openmp"):
            models.append(model.fit(features[taken], labels[taken]))
    return Trees.of(models)

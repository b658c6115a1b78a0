"""Approximate segments by a small decision tree that a reader can follow, and measure how often it is right."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.model_selection import StratifiedKFold, cross_val_predict
from sklearn.tree import DecisionTreeClassifier

from ml.arrays import F64, I64

FOLDS = 3
MOST_ROWS = 20_000


@dataclass(frozen=True)
class SurrogateTree:
    """The tree as nested mappings, and its fidelity.

    A split is `{"feature", "threshold", "yes", "no"}`, where yes means at most the threshold. A leaf is
    `{"segment", "users", "purity"}`.

    Attributes:
        tree: the root of the tree.
        fidelity: share of held-out users whose segment the tree predicts correctly.
        guess: share that is correct when the largest segment is always predicted.
    """

    tree: dict[str, Any]
    fidelity: float
    guess: float


def fit_surrogate(X: F64, names: list[str], segments: I64, leaves: int, minimum_size: int) -> SurrogateTree | None:
    """Fit a tree with at most `leaves` leaves to raw features X (n_users, n_features) and segments (n_users,).

    Returns:
        The tree, or None if there is a single segment or a segment is too small for cross-validation.
    """
    step = max(1, len(X) // MOST_ROWS)
    X, segments = X[::step], segments[::step]
    numbers, counts = np.unique(segments, return_counts=True)
    if len(numbers) < 2 or counts.min() < FOLDS:
        return None
    tree = DecisionTreeClassifier(
        max_leaf_nodes=leaves, min_samples_leaf=min(minimum_size, len(X) // 10 + 1), random_state=0
    )
    predicted = cross_val_predict(tree, X, segments, cv=StratifiedKFold(FOLDS, shuffle=True, random_state=0))
    tree.fit(X, segments)
    return SurrogateTree(
        tree=_read_node(tree.tree_, 0, names, numbers),
        fidelity=float((predicted == segments).mean()),
        guess=float(counts.max() / counts.sum()),
    )


def _read_node(tree: Any, node: int, names: list[str], numbers: I64) -> dict[str, Any]:
    """Convert a node of the fitted tree; a split whose two leaves agree becomes one leaf."""
    if tree.children_left[node] == tree.children_right[node]:
        shares = tree.value[node][0]
        best = int(np.argmax(shares))
        return {
            "segment": int(numbers[best]),
            "users": int(tree.n_node_samples[node]),
            "purity": float(shares[best] / shares.sum()),
        }
    yes = _read_node(tree, tree.children_left[node], names, numbers)
    no = _read_node(tree, tree.children_right[node], names, numbers)
    if "segment" in yes and "segment" in no and yes["segment"] == no["segment"]:
        users = yes["users"] + no["users"]  # both leaves agree, so the split is not needed
        purity = (yes["users"] * yes["purity"] + no["users"] * no["purity"]) / users
        return {"segment": yes["segment"], "users": users, "purity": purity}
    return {
        "feature": names[tree.feature[node]],
        "threshold": float(tree.threshold[node]),
        "yes": yes,
        "no": no,
    }

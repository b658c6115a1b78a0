"""A small decision tree that says in one screen how a user lands in a segment, and how often it is right."""

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
    """The tree as nested mappings and its fidelity.

    A question is `{"feature", "threshold", "yes", "no"}`, where yes means at most the threshold; an answer is
    `{"segment", "users", "purity"}`. `fidelity` is the share of users, not seen by the tree, whose segment it
    tells right; `guess` that of always naming the largest segment.
    """

    tree: dict[str, Any]
    fidelity: float
    guess: float


def fit_surrogate(X: F64, names: list[str], segments: I64, leaves: int, minimum_size: int) -> SurrogateTree | None:
    """Fit a surrogate of so many leaves to raw features X (n_users, n_features) and segment numbers (n_users,).

    None if there is nothing to explain: one segment, or one too small to be split for the check of fidelity.
    """
    step = max(1, len(X) // MOST_ROWS)
    X, segments = X[::step], segments[::step]
    found, counts = np.unique(segments, return_counts=True)
    if len(found) < 2 or counts.min() < FOLDS:
        return None
    tree = DecisionTreeClassifier(
        max_leaf_nodes=leaves, min_samples_leaf=min(minimum_size, len(X) // 10 + 1), random_state=0
    )
    told = cross_val_predict(tree, X, segments, cv=StratifiedKFold(FOLDS, shuffle=True, random_state=0))
    tree.fit(X, segments)
    return SurrogateTree(
        tree=_node(tree.tree_, 0, names, found),
        fidelity=float((told == segments).mean()),
        guess=float(counts.max() / counts.sum()),
    )


def _node(tree: Any, node: int, names: list[str], found: I64) -> dict[str, Any]:
    if tree.children_left[node] == tree.children_right[node]:
        shares = tree.value[node][0]
        best = int(np.argmax(shares))
        return {
            "segment": int(found[best]),
            "users": int(tree.n_node_samples[node]),
            "purity": float(shares[best] / shares.sum()),
        }
    yes = _node(tree, tree.children_left[node], names, found)
    no = _node(tree, tree.children_right[node], names, found)
    if "segment" in yes and "segment" in no and yes["segment"] == no["segment"]:
        users = yes["users"] + no["users"]  # both answers alike: the question was not needed
        purity = (yes["users"] * yes["purity"] + no["users"] * no["purity"]) / users
        return {"segment": yes["segment"], "users": users, "purity": purity}
    return {
        "feature": names[tree.feature[node]],
        "threshold": float(tree.threshold[node]),
        "yes": yes,
        "no": no,
    }

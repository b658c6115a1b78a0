"""A saved recommender without some users: their rows, vectors and names, in every model of the zoo."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from scipy import sparse

from ml.arrays import I32
from ml.dataset.feature_matrix import FeatureMatrix
from ml.dataset.ids import Ids
from ml.recommenders.persistence import DOCUMENT, read_model, write_model

IDENTITY = "id:"  # prefix of a feature that stands for one user alone
OF_USERS = (  # learned state with one row a user
    "user_", "known_users_", "seen_", "histories_", "profiles_", "shares/", "profile_lifts/", "spread/user_",
)  # fmt: skip
NESTED = "context:"  # what stacking puts before the state of its context


def forget_users(folder: Path, users: Sequence[str]) -> int:
    """Clear these users' rows in a saved recommender and give the rows names that are nobody's.

    I32 stay where they are, so that no other array has to move. A cleared vector is that of the unknown user,
    where the model has one.

    Returns:
        Number of rows that were cleared, parts of the recommender included.
    """
    saved = read_model(folder)
    state, cleared = _cleared(saved.state, users)
    if cleared:
        write_model(folder, replace(saved, state=state))
    return cleared + sum(
        forget_users(part, users) for part in sorted(folder.iterdir()) if (part / DOCUMENT).exists()
    )


def saved_recommenders(folder: Path) -> list[Path]:
    """Folders below `folder` that hold a recommender, parts of others left out."""
    found = sorted(file.parent for file in folder.rglob(DOCUMENT))
    return [path for path in found if path.parent not in found]


def _cleared(state: dict[str, Any], users: Sequence[str]) -> tuple[dict[str, Any], int]:
    ids: Ids = state["user_ids_"]
    rows = ids.rows(users)
    rows = rows[rows >= 0]
    nobody = {user: f"erased-{uuid.uuid4().hex[:12]}" for user in users}
    names = {**nobody, **{IDENTITY + user: IDENTITY + name for user, name in nobody.items()}}
    found: dict[str, Any] = {}
    cleared = len(rows)
    for name, value in state.items():
        if isinstance(value, Ids):
            found[name], renamed = _renamed(value, names)
            cleared = max(cleared, renamed)
        elif isinstance(value, FeatureMatrix):
            own = value.ids.rows(users)
            matrix = _empty_rows(value.matrix, own[own >= 0])
            found[name] = FeatureMatrix(_renamed(value.ids, names)[0], _renamed(value.names, names)[0], matrix)
        elif name.removeprefix(NESTED).startswith(OF_USERS):
            found[name] = _without_rows(name, value, rows, len(ids), state)
        else:
            found[name] = value
    if "user_embeddings_" in found:  # an identity feature is a user's own vector
        own = state["user_feature_names_"].rows(list(names))
        found["user_embeddings_"] = found["user_embeddings_"].copy()
        found["user_embeddings_"][own[own >= 0]] = 0
    return found, cleared


def _without_rows(name: str, value: Any, rows: I32, n_users: int, state: dict[str, Any]) -> Any:
    if sparse.issparse(value) and value.shape[0] == n_users:
        return _empty_rows(value.tocsr(), rows)
    if isinstance(value, np.ndarray) and value.ndim and len(value) == n_users:
        changed = value.copy()
        changed[rows] = state["unknown_user_"] if name == "user_factors_" else 0
        return changed
    return value


def _renamed(ids: Ids, names: dict[str, str]) -> tuple[Ids, int]:
    rows = ids.rows(list(names))
    if not (rows >= 0).any():
        return ids, 0
    texts = ids.to_list()
    for old, row in zip(names, rows.tolist(), strict=True):
        if row >= 0:
            texts[row] = names[old]
    return Ids.of(texts), int((rows >= 0).sum())


def _empty_rows(matrix: sparse.csr_matrix, rows: I32) -> sparse.csr_matrix:
    keep = np.ones(matrix.shape[0], dtype=matrix.dtype)
    keep[rows] = 0
    emptied = (sparse.diags(keep, dtype=matrix.dtype) @ matrix).tocsr()
    emptied.eliminate_zeros()
    return emptied

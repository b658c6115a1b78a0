"""Removal of users from a saved recommender: their rows, vectors and names, in every model of the zoo."""

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
NESTED = "context:"  # prefix of the state of a stacked model's context


def forget_users(folder: Path, users: Sequence[str]) -> int:
    """Clear the rows of users in a saved recommender and replace their ids by ones that belong to nobody.

    Rows keep their places, so that no other array has to move. A cleared vector becomes that of the unknown user,
    where the model has one.

    Args:
        folder: Folder of the saved recommender.
        users: Ids of the users.

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
    """Find the folders below `folder` that hold a recommender; parts of other recommenders are left out."""
    saved_folders = sorted(file.parent for file in folder.rglob(DOCUMENT))
    return [path for path in saved_folders if path.parent not in saved_folders]


def _cleared(state: dict[str, Any], users: Sequence[str]) -> tuple[dict[str, Any], int]:
    ids: Ids = state["user_ids_"]
    rows = ids.rows(users)
    rows = rows[rows >= 0]
    nobody = {user: f"erased-{uuid.uuid4().hex[:12]}" for user in users}
    names = {**nobody, **{IDENTITY + user: IDENTITY + name for user, name in nobody.items()}}
    changed: dict[str, Any] = {}
    cleared = len(rows)
    for name, value in state.items():
        if isinstance(value, Ids):
            changed[name], renamed = _renamed(value, names)
            cleared = max(cleared, renamed)
        elif isinstance(value, FeatureMatrix):
            feature_rows = value.ids.rows(users)
            matrix = _empty_rows(value.matrix, feature_rows[feature_rows >= 0])
            changed[name] = FeatureMatrix(_renamed(value.ids, names)[0], _renamed(value.names, names)[0], matrix)
        elif name.removeprefix(NESTED).startswith(OF_USERS):
            changed[name] = _without_rows(name, value, rows, len(ids), state)
        else:
            changed[name] = value
    if "user_embeddings_" in changed:  # an identity feature is a user's own vector
        identity_rows = state["user_feature_names_"].rows(list(names))
        changed["user_embeddings_"] = changed["user_embeddings_"].copy()
        changed["user_embeddings_"][identity_rows[identity_rows >= 0]] = 0
    return changed, cleared


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
    """The matrix without the entries of some rows; the order of the others stays, which may be that of time."""
    is_kept = np.ones(matrix.shape[0], dtype=bool)
    is_kept[rows] = False
    lengths = np.diff(matrix.indptr)
    entries = np.repeat(is_kept, lengths)
    bounds = np.append(0, np.cumsum(lengths * is_kept))
    return sparse.csr_matrix((matrix.data[entries], matrix.indices[entries], bounds), shape=matrix.shape)

"""Remove users from a published version."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from ml.bundle.bundle import MODEL_FOLDER, Bundle
from ml.bundle.files import read_manifest, write_manifest
from ml.bundle.versions import (
    canary_version,
    current_version,
    draft_version,
    make_canary,
    make_current,
    new_version,
)
from ml.recommenders.user_removal import forget_users

ACTIONS_FILE = Path("console") / "visit_steps.parquet"


def remove_users(published: Path, version: str, ids: Sequence[str]) -> str | None:
    """Write a new version without these users' rows and vectors, and delete the old one.

    The new version becomes current, or the canary, if the old one was.

    Returns:
        Name of the new version; None if the version holds none of the users and stays unchanged.

    Raises:
        BundleError: the version is unreadable.
    """
    bundle = Bundle.load(published / version, verify=False)
    is_removed = np.asarray(pc.is_in(bundle.users["user_id"], value_set=pa.array(ids, pa.string())))
    if not is_removed.any():
        return None
    kept = np.flatnonzero(~is_removed)
    name = new_version()
    with draft_version(published, name) as draft:
        shutil.copytree(bundle.path, draft, dirs_exist_ok=True)
        _forget_actions(draft)
        pq.write_table(bundle.users.take(pa.array(kept)), draft / "users.parquet", compression="zstd")
        bundle.history.select_users(kept).save(draft)
        if bundle.model is not None:
            forget_users(draft / MODEL_FOLDER, ids)
        if bundle.user_factors is not None:
            np.save(draft / "user_factors.npy", np.ascontiguousarray(bundle.user_factors[kept]))
        fields = {
            key: value for key, value in read_manifest(bundle.path).items() if key not in {"files", "format"}
        }
        write_manifest(draft, {**fields, "version": name, "users": len(kept)})
    if current_version(published) == version:
        make_current(published, name)
    if canary_version(published) == version:
        make_canary(published, name)
    shutil.rmtree(bundle.path)
    return name


def _forget_actions(draft: Path) -> None:
    """Empty the table of single actions: it does not say whose they are. The next publication fills it anew."""
    file = draft / ACTIONS_FILE
    if file.exists():
        pq.write_table(pq.read_schema(file).empty_table(), file, compression="zstd")

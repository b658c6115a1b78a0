"""A published version again, without some people."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from ml.bundle.bundle import Bundle
from ml.bundle.files import read_manifest, write_manifest
from ml.bundle.versions import current_version, drafted, make_current, new_version


def without_people(published: Path, version: str, ids: Sequence[str]) -> str | None:
    """Write a version anew without these users' rows and vectors, and delete the old one.

    The new one is current where the old one was.

    Returns:
        The new version's name, None where the version has none of the users and stays.

    Raises:
        BundleError: the version is unreadable.
    """
    old = Bundle.load(published / version, verify=False)
    gone = np.asarray(pc.is_in(old.users["user_id"], value_set=pa.array(ids, pa.string())))
    if not gone.any():
        return None
    kept = np.flatnonzero(~gone)
    name = new_version()
    with drafted(published, name) as draft:
        shutil.copytree(old.path, draft, dirs_exist_ok=True)
        pq.write_table(old.users.take(pa.array(kept)), draft / "users.parquet", compression="zstd")
        old.history.of_users(kept).save(draft)
        if old.user_factors is not None:
            np.save(draft / "user_factors.npy", np.ascontiguousarray(old.user_factors[kept]))
        facts = {key: value for key, value in read_manifest(old.path).items() if key not in {"files", "format"}}
        write_manifest(draft, {**facts, "version": name, "users": len(kept)})
    if current_version(published) == version:
        make_current(published, name)
    shutil.rmtree(old.path)
    return name

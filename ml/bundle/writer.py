"""Writes complete bundles and makes them current."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from ml.bundle.bundle import MODEL_FOLDER, Bundle
from ml.bundle.files import BundleError, write_manifest
from ml.bundle.history import History
from ml.bundle.publication import ITEM_COLUMNS, TRENDING_SCHEMA, Publication
from ml.bundle.versions import draft_version, make_canary, make_current, new_version


def write_bundle(
    published: Path, publication: Publication, version: str | None = None, *, is_canary: bool = False
) -> Path:
    """Write the complete folder `published/<version>/` and make it current, or the canary.

    Args:
        published: `Home.published`.
        publication: contents of the bundle.
        version: name of the version; by default the present time and a random suffix.
        is_canary: whether it is to be tried beside the current version.

    Raises:
        BundleError: the parts do not fit together, or the version exists already.
    """
    name = version or new_version()
    with draft_version(published, name) as draft:
        _write_parts(draft, publication)
        fold_in = publication.fold_in
        write_manifest(
            draft,
            {
                "version": name,
                "model_version": publication.model_version,
                "as_of": publication.as_of.isoformat(),
                "users": len(publication.users),
                "items": len(publication.items),
                "fold_in": None
                if fold_in is None
                else {"weight": fold_in.weight, "regularization": fold_in.regularization},
                "details": dict(publication.details),
            },
        )
    make = make_canary if is_canary else make_current
    make(published, name)
    return published / name


def build_bundle(publication: Publication, path: Path = Path()) -> Bundle:
    """Build the bundle that loading the written publication would give, without writing it.

    Raises:
        BundleError: the parts do not fit together.
    """
    items, users = _check_unique(publication.items, "item_id"), _check_unique(publication.users, "user_id")
    for name, kind in ITEM_COLUMNS.items():
        if name not in items.column_names:
            items = items.append_column(name, pa.nulls(len(items), kind))
    if (publication.user_factors is None) != (publication.item_factors is None):
        raise BundleError("user_factors and item_factors come together or not at all")
    trending = publication.trending.select(TRENDING_SCHEMA.names).cast(TRENDING_SCHEMA)
    bundle = Bundle(
        path=path,
        manifest={
            "version": "",
            "model_version": publication.model_version,
            "as_of": publication.as_of.isoformat(),
        },
        items=items,
        users=users,
        trending=trending.sort_by([("scope", "ascending"), ("score", "descending"), ("item_id", "ascending")]),
        history=History.from_interactions(publication.interactions, users["user_id"], items["item_id"]),
        user_factors=publication.user_factors,
        item_factors=publication.item_factors,
        fold_in=publication.fold_in,
        model=publication.model,
    )
    bundle.check()
    return bundle


def _write_parts(draft: Path, publication: Publication) -> None:
    bundle = build_bundle(publication, draft)
    for name, table in (("items", bundle.items), ("users", bundle.users), ("trending", bundle.trending)):
        pq.write_table(table, draft / f"{name}.parquet", compression="zstd")
    bundle.history.save(draft)
    if bundle.user_factors is not None and bundle.item_factors is not None:
        np.save(draft / "user_factors.npy", np.ascontiguousarray(bundle.user_factors))
        np.save(draft / "item_factors.npy", np.ascontiguousarray(bundle.item_factors))
    if bundle.fold_in is not None:
        np.save(draft / "unknown_user.npy", bundle.fold_in.unknown_user.astype(np.float32))
        if bundle.fold_in.user_covariance is not None:
            np.save(draft / "user_covariance.npy", bundle.fold_in.user_covariance.astype(np.float32))
    if bundle.model is not None:
        bundle.model.save(draft / MODEL_FOLDER)
    for name, source in publication.files.items():
        if source.is_dir():
            shutil.copytree(source, draft / name)
        else:
            shutil.copyfile(source, draft / name)


def _check_unique(table: pa.Table, key: str) -> pa.Table:
    if key not in table.column_names:
        raise BundleError(f"there is no column {key}; there are {', '.join(table.column_names)}")
    ids = pc.cast(table[key], pa.string())
    if ids.null_count or pc.count_distinct(ids).as_py() != len(table):
        raise BundleError(f"{key} must be set and different in every row")
    return table.set_column(table.column_names.index(key), key, ids)

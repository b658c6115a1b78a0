"""A published bundle, read and checked."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from ml.arrays import F32
from ml.bundle.files import BundleError, read_manifest, verify_files
from ml.bundle.finite import require_bounded_columns, require_finite, require_whole_rows
from ml.bundle.history import History
from ml.bundle.publication import TRENDING_SCHEMA
from ml.privacy.person_key import mart_person_key, person_key
from ml.recommenders.base import Recommender
from ml.recommenders.fold_in import FoldIn
from ml.recommenders.layouts import ModelFileError
from ml.recommenders.models.zoo import load_recommender

MODEL_FOLDER = "model"


@dataclass(frozen=True)
class Bundle:
    """A checked bundle in memory. Items and users are numbered by their rows.

    `model` is the champion itself, where its factors do not say all of its ranking.
    """

    path: Path
    manifest: Mapping[str, Any]
    items: pa.Table
    users: pa.Table
    trending: pa.Table
    history: History
    user_factors: F32 | None
    item_factors: F32 | None
    fold_in: FoldIn | None
    model: Recommender | None = None

    @classmethod
    def load(cls, path: Path, verify: bool = True) -> Bundle:
        """Read a bundle.

        Args:
            path: `published/<version>`.
            verify: compare every file with its sha256 in the manifest.

        Raises:
            BundleError: a file is missing, changed or unreadable, or the parts do not fit together.
        """
        manifest = read_manifest(path)
        if verify:
            verify_files(path, manifest)
        try:
            has_model = (path / "item_factors.npy").exists()
            bundle = cls(
                path=path,
                manifest=manifest,
                items=pq.read_table(path / "items.parquet"),
                users=pq.read_table(path / "users.parquet"),
                trending=pq.read_table(path / "trending.parquet").cast(TRENDING_SCHEMA),
                history=History.load(path),
                user_factors=np.load(path / "user_factors.npy", allow_pickle=False) if has_model else None,
                item_factors=np.load(path / "item_factors.npy", allow_pickle=False) if has_model else None,
                fold_in=_read_fold_in(path, manifest) if has_model else None,
                model=load_recommender(path / MODEL_FOLDER) if (path / MODEL_FOLDER).exists() else None,
            )
        except (OSError, ValueError, KeyError, pa.ArrowException, ModelFileError) as error:
            raise BundleError(f"{path}: unreadable: {error}") from error
        bundle.check()
        return bundle

    def check(self) -> None:
        """Check that the parts fit together and that their numbers are finite.

        Raises:
            BundleError: the parts do not fit together, or a number is not finite.
        """
        n_users, n_items = len(self.users), len(self.items)
        try:
            self.history.check(n_users, n_items)
        except ValueError as error:
            raise BundleError(f"{self.path}: {error}") from error
        require_finite("trending.parquet", self.trending["score"].drop_null())
        require_bounded_columns("items.parquet", self.items, ("price", "popularity_all"))
        if self.user_factors is None or self.item_factors is None:
            return
        for name, factors, rows in (("user", self.user_factors, n_users), ("item", self.item_factors, n_items)):
            if factors.dtype != np.float32 or factors.ndim != 2 or len(factors) != rows:
                raise BundleError(
                    f"{self.path}: {name}_factors.npy is {factors.dtype} {factors.shape}, not float32 ({rows}, d)"
                )
            require_whole_rows(f"{name}_factors.npy", factors)
        if self.user_factors.shape[1] != self.item_factors.shape[1]:
            raise BundleError(f"{self.path}: user and item factors differ in width")
        if self.fold_in is not None:
            width = self.user_factors.shape[1]
            if self.fold_in.unknown_user.shape != (width,):
                raise BundleError(f"{self.path}: unknown_user.npy is not as wide as the factors")
            covariance = self.fold_in.user_covariance
            if covariance is not None and covariance.shape != (width, width):
                raise BundleError(f"{self.path}: user_covariance.npy is not as wide as the factors")
            require_finite("unknown_user.npy", self.fold_in.unknown_user)
            require_finite("fold_in of manifest.json", [self.fold_in.weight, self.fold_in.regularization])
            if covariance is not None:
                require_finite("user_covariance.npy", covariance)

    @property
    def version(self) -> str:
        """Name of the bundle."""
        return str(self.manifest["version"])

    @property
    def model_version(self) -> str | None:
        """Name of the champion, None where no model was published."""
        model = self.manifest["model_version"]
        return None if model is None else str(model)

    @property
    def as_of(self) -> dt.datetime:
        """The time up to which the data counts."""
        return dt.datetime.fromisoformat(self.manifest["as_of"])

    @property
    def written_at(self) -> dt.datetime:
        """The time at which it was published."""
        return dt.datetime.fromisoformat(self.manifest["written_at"])

    @cached_property
    def item_ids(self) -> list[str]:
        """Item ids by row."""
        return list(self.items["item_id"].to_pylist())

    @cached_property
    def item_rows(self) -> dict[str, int]:
        """Row of each item id."""
        return {item: row for row, item in enumerate(self.item_ids)}

    @cached_property
    def user_rows(self) -> dict[str, int]:
        """Row of each person, by the person's key. In a bundle that does not tell them apart, all are users."""
        user_ids = self.users["user_id"].to_pylist()
        if "is_known" not in self.users.column_names:
            return {str(person_key(user_id, None)): row for row, user_id in enumerate(user_ids)}
        are_known = self.users["is_known"].to_pylist()
        return {
            mart_person_key(user_id, bool(is_known)): row
            for row, (user_id, is_known) in enumerate(zip(user_ids, are_known, strict=True))
        }

    def user(self, user_row: int) -> dict[str, Any]:
        """Columns of a user's row."""
        return dict(self.users.slice(user_row, 1).to_pylist()[0])


def _read_fold_in(path: Path, manifest: Mapping[str, Any]) -> FoldIn | None:
    stated = manifest.get("fold_in")
    if stated is None:
        return None
    unknown = np.load(path / "unknown_user.npy", allow_pickle=False)
    file = path / "user_covariance.npy"
    covariance = np.load(file, allow_pickle=False) if file.exists() else None
    return FoldIn(unknown, float(stated["weight"]), float(stated["regularization"]), covariance)

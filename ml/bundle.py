"""The published bundle: all that the service answers from, written whole and then made current.

`published/<version>/` holds `manifest.json` (sha256 and size of each other file), the items and users as
Parquet, the model's factors and the users' histories as `.npy`, and whatever else was published with them.
`published/CURRENT` names the version that counts; it moves by one atomic rename.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import os
import re
import shutil
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from ml.events import TIMESTAMP
from ml.history import History

BUNDLE_FORMAT = 2
CURRENT = "CURRENT"
MANIFEST = "manifest.json"
VERSION_PATTERN = re.compile(r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$")
TRENDING_SCHEMA = pa.schema([("scope", pa.string()), ("item_id", pa.string()), ("score", pa.float64())])
ITEM_COLUMNS = {
    "item_id": pa.string(),
    "title": pa.string(),
    "category": pa.string(),
    "tags": pa.list_(pa.string()),
    "price": pa.float64(),
    "language": pa.string(),
    "published_at": TIMESTAMP,
}
Floats = npt.NDArray[np.float32]


class BundleError(ValueError):
    """A bundle cannot be written or used; the message says which file and why."""


@dataclass(frozen=True)
class FoldIn:
    """How vectors of new people are made from the items they opened.

    Attributes:
        unknown_user: float32 (d,), vector of somebody of whom nothing is known.
        weight: confidence of an observed item against an unobserved one.
        regularization: pull towards `unknown_user`.
    """

    unknown_user: Floats
    weight: float
    regularization: float


@dataclass(frozen=True)
class Publication:
    """What goes into a bundle.

    Args:
        model_version: name of the champion behind the factors; None publishes trending and popular items only.
        as_of: the time up to which the data counts.
        items: one row an item; at least `item_id`, and what else of ITEM_COLUMNS is known. Other columns are kept.
        users: one row a user; at least `user_id`. Other columns (segment, persona, country …) are kept.
        trending: TRENDING_SCHEMA; `scope` is `all`, `popular`, `country:XX`, `device:mobile` or `segment:name`.
        interactions: `user_id`, `item_id` of what users have seen; where known `last_at` and `is_negative`.
        user_factors: float32 (n_users, d), rows as `users`; NaN rows are users that the model does not know.
        item_factors: float32 (n_items, d), rows as `items`; NaN rows are items that the model does not know.
        fold_in: how to make vectors of people whom the model does not know; goes with the factors.
        files: further files or folders by their name in the bundle, e.g. `settings.yaml`, `segmentation`.
        details: what else the manifest should say (metrics, run id, data fingerprint); plain JSON.
    """

    model_version: str | None
    as_of: dt.datetime
    items: pa.Table
    users: pa.Table
    trending: pa.Table
    interactions: pa.Table
    user_factors: Floats | None = None
    item_factors: Floats | None = None
    fold_in: FoldIn | None = None
    files: Mapping[str, Path] = field(default_factory=dict)
    details: Mapping[str, Any] = field(default_factory=dict)


def write_bundle(published: Path, publication: Publication, version: str | None = None) -> Path:
    """Write `published/<version>/` whole and make it current.

    Args:
        published: `Home.published`.
        version: default: the time of writing and a random tail.

    Raises:
        BundleError: the parts do not fit together, or the version exists already.
    """
    name = version or f"{dt.datetime.now(dt.UTC):%Y%m%d-%H%M%S}-{uuid.uuid4().hex[:6]}"
    if not VERSION_PATTERN.match(name):
        raise BundleError(f"version {name!r}: use letters, digits, '.', '_' and '-', at most 64")
    target = published / name
    if target.exists():
        raise BundleError(f"{target} exists already; a published version never changes")
    draft = published / f".draft-{uuid.uuid4().hex}"
    draft.mkdir(parents=True)
    try:
        _write_parts(draft, publication)
        _write_manifest(draft, name, publication)
        os.replace(draft, target)
        _sync(published)
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    make_current(published, name)
    return target


def make_current(published: Path, version: str) -> None:
    """Move CURRENT to a published version. Going back to an older one is the same move.

    Raises:
        BundleError: there is no such version.
    """
    if not (published / version / MANIFEST).is_file():
        raise BundleError(
            f"{published} holds no version {version!r}; there are {', '.join(versions(published)) or 'none'}"
        )
    pointer = published / f".{CURRENT}-{uuid.uuid4().hex}"
    with open(pointer, "w", encoding="utf-8") as file:
        file.write(version + "\n")
        file.flush()
        os.fsync(file.fileno())
    os.replace(pointer, published / CURRENT)
    _sync(published)


def versions(published: Path) -> list[str]:
    """Published versions, oldest first."""
    found = [path.parent for path in published.glob(f"*/{MANIFEST}") if not path.parent.name.startswith(".")]
    return [path.name for path in sorted(found, key=lambda path: (path.stat().st_mtime_ns, path.name))]


def current_version(published: Path) -> str | None:
    """The version that CURRENT names, None where nothing was published.

    Raises:
        BundleError: CURRENT holds something that cannot be a version.
    """
    try:
        text = (published / CURRENT).read_text(encoding="utf-8").strip()
    except FileNotFoundError:
        return None
    if not VERSION_PATTERN.match(text):
        raise BundleError(f"{published / CURRENT} names {text!r}, which is no version")
    return text


@dataclass(frozen=True)
class Bundle:
    """A checked bundle in memory. Items and users are numbered by their rows."""

    path: Path
    manifest: Mapping[str, Any]
    items: pa.Table
    users: pa.Table
    trending: pa.Table
    history: History
    user_factors: Floats | None
    item_factors: Floats | None
    fold_in: FoldIn | None

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
            )
        except (OSError, ValueError, KeyError, pa.ArrowException) as error:
            raise BundleError(f"{path}: unreadable: {error}") from error
        bundle.check()
        return bundle

    def check(self) -> None:
        """Whether the parts fit together.

        Raises:
            BundleError: they do not.
        """
        n_users, n_items = len(self.users), len(self.items)
        try:
            self.history.check(n_users, n_items)
        except ValueError as error:
            raise BundleError(f"{self.path}: {error}") from error
        if self.user_factors is None or self.item_factors is None:
            return
        for name, factors, rows in (("user", self.user_factors, n_users), ("item", self.item_factors, n_items)):
            if factors.dtype != np.float32 or factors.ndim != 2 or len(factors) != rows:
                raise BundleError(
                    f"{self.path}: {name}_factors.npy is {factors.dtype} {factors.shape}, not float32 ({rows}, d)"
                )
        if self.user_factors.shape[1] != self.item_factors.shape[1]:
            raise BundleError(f"{self.path}: user and item factors differ in width")
        if self.fold_in is not None and self.fold_in.unknown_user.shape != (self.user_factors.shape[1],):
            raise BundleError(f"{self.path}: unknown_user.npy is not as wide as the factors")

    @property
    def version(self) -> str:
        """Name of the bundle."""
        return str(self.manifest["version"])

    @property
    def model_version(self) -> str | None:
        """Name of the champion, None where no model was published."""
        found = self.manifest["model_version"]
        return None if found is None else str(found)

    @property
    def as_of(self) -> dt.datetime:
        """The time up to which the data counts."""
        return dt.datetime.fromisoformat(self.manifest["as_of"])

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
        """Row of each user id."""
        return {user: row for row, user in enumerate(self.users["user_id"].to_pylist())}

    def user(self, user_row: int) -> dict[str, Any]:
        """All that the bundle says of one user."""
        return dict(self.users.slice(user_row, 1).to_pylist()[0])


def read_manifest(path: Path) -> dict[str, Any]:
    """The manifest of a bundle.

    Raises:
        BundleError: it is missing, cut or of another format.
    """
    try:
        manifest = json.loads((path / MANIFEST).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise BundleError(f"{path}: there is no {MANIFEST}") from None
    except (OSError, ValueError) as error:
        raise BundleError(f"{path}: {MANIFEST} is unreadable: {error}") from error
    if not isinstance(manifest, dict) or manifest.get("format") != BUNDLE_FORMAT:
        found = manifest.get("format") if isinstance(manifest, dict) else type(manifest).__name__
        raise BundleError(f"{path}: format {found!r}; this version reads format {BUNDLE_FORMAT}")
    missing = {"version", "model_version", "as_of", "files"} - manifest.keys()
    if missing:
        raise BundleError(f"{path}: {MANIFEST} lacks {', '.join(sorted(missing))}")
    return manifest


def verify_files(path: Path, manifest: Mapping[str, Any]) -> None:
    """Compare every file with the manifest.

    Raises:
        BundleError: the first file that is missing or differs.
    """
    for name, expected in manifest["files"].items():
        file = path / name
        if not file.is_file():
            raise BundleError(f"{path}: {name} is missing")
        if file.stat().st_size != expected["bytes"]:
            raise BundleError(
                f"{path}: {name} has {file.stat().st_size} bytes, not {expected['bytes']}: cut or changed"
            )
        if _sha256(file) != expected["sha256"]:
            raise BundleError(f"{path}: {name} differs from its checksum")


def as_bundle(publication: Publication, path: Path = Path()) -> Bundle:
    """What loading the publication would give, without writing it.

    Raises:
        BundleError: the parts do not fit together.
    """
    items, users = _distinct(publication.items, "item_id"), _distinct(publication.users, "user_id")
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
        history=History.of(publication.interactions, users["user_id"], items["item_id"]),
        user_factors=publication.user_factors,
        item_factors=publication.item_factors,
        fold_in=publication.fold_in,
    )
    bundle.check()
    return bundle


def _write_parts(draft: Path, publication: Publication) -> None:
    bundle = as_bundle(publication, draft)
    for name, table in (("items", bundle.items), ("users", bundle.users), ("trending", bundle.trending)):
        pq.write_table(table, draft / f"{name}.parquet", compression="zstd")
    bundle.history.save(draft)
    if bundle.user_factors is not None and bundle.item_factors is not None:
        np.save(draft / "user_factors.npy", np.ascontiguousarray(bundle.user_factors))
        np.save(draft / "item_factors.npy", np.ascontiguousarray(bundle.item_factors))
    if bundle.fold_in is not None:
        np.save(draft / "unknown_user.npy", bundle.fold_in.unknown_user.astype(np.float32))
    for name, source in publication.files.items():
        if source.is_dir():
            shutil.copytree(source, draft / name)
        else:
            shutil.copyfile(source, draft / name)


def _write_manifest(draft: Path, version: str, publication: Publication) -> None:
    files = {}
    for file in sorted(path for path in draft.rglob("*") if path.is_file()):
        files[file.relative_to(draft).as_posix()] = {"sha256": _sha256(file), "bytes": file.stat().st_size}
        _sync(file)
    fold_in = publication.fold_in
    manifest = {
        "format": BUNDLE_FORMAT,
        "version": version,
        "model_version": publication.model_version,
        "as_of": publication.as_of.isoformat(),
        "written_at": dt.datetime.now(dt.UTC).isoformat(),
        "users": len(publication.users),
        "items": len(publication.items),
        "fold_in": None
        if fold_in is None
        else {"weight": fold_in.weight, "regularization": fold_in.regularization},
        "details": dict(publication.details),
        "files": files,
    }
    with open(draft / MANIFEST, "w", encoding="utf-8") as written:
        json.dump(manifest, written, indent=1)
        written.flush()
        os.fsync(written.fileno())


def _read_fold_in(path: Path, manifest: Mapping[str, Any]) -> FoldIn | None:
    stated = manifest.get("fold_in")
    if stated is None:
        return None
    unknown = np.load(path / "unknown_user.npy", allow_pickle=False)
    return FoldIn(unknown, float(stated["weight"]), float(stated["regularization"]))


def _distinct(table: pa.Table, key: str) -> pa.Table:
    if key not in table.column_names:
        raise BundleError(f"there is no column {key}; there are {', '.join(table.column_names)}")
    ids = pc.cast(table[key], pa.string())
    if ids.null_count or pc.count_distinct(ids).as_py() != len(table):
        raise BundleError(f"{key} must be set and different in every row")
    return table.set_column(table.column_names.index(key), key, ids)


def _sha256(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)

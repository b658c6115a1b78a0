"""Bundles in an object store, by which they reach services that share no disk with the pipeline.

The store has the layout of a published folder, with `versions.json` in the place of CURRENT and CANARY: it names
the current version, the canary if there is one, and all versions that are there. It is written after the files of
a version and before files are deleted, and holds a checksum of itself, so a reader never takes a part of a version
for the whole.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Any

from pyarrow import ArrowException, fs

from ml.bundle.files import MANIFEST, BundleError, read_manifest, verify_files
from ml.bundle.versions import (
    VERSION_PATTERN,
    canary_version,
    current_version,
    draft_version,
    make_canary,
    make_current,
    remove_versions,
    versions,
)
from ml.errors import TesseraError
from ml.integrity.checked_json import decode_checked, encode_checked

INDEX = "versions.json"


class ObjectStoreError(TesseraError, OSError):
    """The object store cannot be used; the message names its address and what it answered."""


@dataclass(frozen=True)
class SharedVersions:
    """What a store holds: the current version, the names of all, the current one among them, and the canary."""

    current: str
    names: tuple[str, ...]
    canary: str | None = None


class ObjectStore:
    """The bundles of one site in an object store.

    Args:
        address: A folder in the notation of Arrow, such as `s3://bucket/site`, `gs://bucket/site`,
            `abfs://container@account.dfs.core.windows.net/site` or `file:///mnt/site`. Credentials come from where
            the store's own programs look for them, such as AWS_ACCESS_KEY_ID.
    """

    def __init__(self, address: str) -> None:
        self.address = address

    def share(self, published: Path, names: Sequence[str]) -> SharedVersions:
        """Upload versions that are not in the store yet, and delete those that are not named.

        Args:
            published: `Home.published`, whose current version and canary become those of the store.
            names: Versions to share beside these; a name that is not published is left out.

        Raises:
            BundleError: Nothing is published, or a version is incomplete.
            ObjectStoreError: The store cannot be reached or refuses.
        """
        current = current_version(published)
        if current is None:
            raise BundleError(f"nothing is published in {published}: run `tessera materialize`")
        available = set(versions(published))
        canary = canary_version(published)
        others = [name for name in (canary, *names) if name in available and name != current]
        shared = SharedVersions(current, (current, *dict.fromkeys(filter(None, others))), canary)
        try:
            present = self._folders()
            for name in shared.names:
                if name not in present or not self._exists(f"{name}/{MANIFEST}"):
                    self._upload(published / name)
            index = {"current": shared.current, "canary": shared.canary, "versions": list(shared.names)}
            self._write(INDEX, encode_checked(index).encode())
            for name in sorted(present.difference(shared.names)):
                self._files.delete_dir(name)
        except (OSError, ArrowException) as error:
            raise self._fault(error) from error
        return shared

    def read_versions(self) -> SharedVersions | None:
        """Return what the store holds; None where nothing was shared yet.

        Raises:
            BundleError: The index is damaged or names what cannot be a version.
            ObjectStoreError: The store cannot be reached or refuses.
        """
        try:
            with self._files.open_input_stream(INDEX) as stream:
                content = stream.read()
        except FileNotFoundError:
            return None
        except (OSError, ArrowException) as error:
            raise self._fault(error) from error
        try:
            return _parse_index(decode_checked(content))
        except ValueError as error:
            raise BundleError(f"{self.address}/{INDEX} is unreadable: {error}") from error

    def fetch(self, folder: Path, shared: SharedVersions) -> None:
        """Bring a folder to what the store holds: complete and checked versions, which of them count, no others.

        Args:
            folder: The folder, which only fetching writes.
            shared: What the store holds.

        Raises:
            BundleError: A version is incomplete or differs from its checksums. Those before it stay.
            ObjectStoreError: The store cannot be reached or refuses.
        """
        folder.mkdir(parents=True, exist_ok=True)
        present = set(versions(folder))
        for name in shared.names:
            if name not in present:
                self._download(name, folder)
        if current_version(folder) != shared.current:
            make_current(folder, shared.current)
        if canary_version(folder) != shared.canary:
            make_canary(folder, shared.canary)
        remove_versions(folder, present.difference(shared.names))

    @cached_property
    def _files(self) -> fs.FileSystem:
        files, path = fs.FileSystem.from_uri(self.address)
        return fs.SubTreeFileSystem(path, files)

    def _exists(self, path: str) -> bool:
        return bool(self._files.get_file_info(path).type == fs.FileType.File)

    def _folders(self) -> set[str]:
        """Names of the folders at the top that can be versions."""
        selector = fs.FileSelector("", allow_not_found=True)
        entries = self._files.get_file_info(selector)
        return {
            entry.base_name
            for entry in entries
            if entry.type == fs.FileType.Directory and VERSION_PATTERN.match(entry.base_name)
        }

    def _upload(self, version: Path) -> None:
        """Copy the files of a version, the manifest last."""
        names = [*read_manifest(version)["files"], MANIFEST]
        targets = [PurePosixPath(version.name, name) for name in names]
        for folder in dict.fromkeys(target.parent for target in targets):
            self._files.create_dir(str(folder), recursive=True)
        for name, target in zip(names, targets, strict=True):
            fs.copy_files(str(version / name), str(target), fs.LocalFileSystem(), self._files)

    def _download(self, name: str, folder: Path) -> None:
        with draft_version(folder, name) as draft:
            try:
                self._copy(f"{name}/{MANIFEST}", draft / MANIFEST)
                manifest = read_manifest(draft)
                for file in manifest["files"]:
                    self._copy(f"{name}/{_require_inside(file)}", draft / file)
            except (OSError, ArrowException) as error:
                raise self._fault(error) from error
            verify_files(draft, manifest)

    def _copy(self, source: str, target: Path) -> None:
        target.parent.mkdir(parents=True, exist_ok=True)
        fs.copy_files(source, str(target), self._files, fs.LocalFileSystem())

    def _write(self, path: str, content: bytes) -> None:
        with self._files.open_output_stream(path) as stream:
            stream.write(content)

    def _fault(self, error: Exception) -> ObjectStoreError:
        return ObjectStoreError(f"storage.bundles: {self.address} cannot be used: {error}")


def _parse_index(index: dict[str, Any]) -> SharedVersions:
    """Check the content of an index.

    Raises:
        ValueError: It is of another shape, or names what cannot be a version.
    """
    if not isinstance(index.get("versions"), list):
        raise ValueError("it needs `current` and `versions`")
    current, canary, names = index.get("current"), index.get("canary"), index["versions"]
    for name in (current, *names):
        if not isinstance(name, str) or not VERSION_PATTERN.match(name):
            raise ValueError(f"{name!r} is not a version")
    for what, name in (("current version", current), ("canary", canary)):
        if name is not None and name not in names:
            raise ValueError(f"the {what} {name} is not among those that are there")
    return SharedVersions(str(current), tuple(names), canary)


def _require_inside(name: str) -> str:
    """Return the name of a file of a bundle.

    Raises:
        BundleError: It leads out of the bundle's folder.
    """
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts:
        raise BundleError(f"{MANIFEST} names {name!r}, which is not a path below the bundle")
    return name

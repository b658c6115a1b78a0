"""Published versions of the bundle, the current one, and the one that is tried beside it."""

from __future__ import annotations

import datetime as dt
import os
import re
import shutil
import uuid
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from ml.bundle.files import MANIFEST, BundleError
from ml.home import replace_file, sync_path
from ml.integrity.abandoned_files import draft_folder, remove_abandoned_drafts

CURRENT = "CURRENT"
CANARY = "CANARY"
DRAFT = ".draft-"
VERSION_PATTERN = re.compile(r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$")


def new_version() -> str:
    """Create a version name from the present time and a random suffix."""
    return f"{dt.datetime.now(dt.UTC):%Y%m%d-%H%M%S}-{uuid.uuid4().hex[:6]}"


@contextmanager
def draft_version(published: Path, version: str) -> Iterator[Path]:
    """Give a folder to write a version in, which is published when the block ends and deleted when it raises.

    Raises:
        BundleError: the name is not a legal version, or the version exists already.
    """
    if not VERSION_PATTERN.match(version):
        raise BundleError(f"version {version!r}: use letters, digits, '.', '_' and '-', at most 64")
    target = published / version
    if target.exists():
        raise BundleError(f"{target} exists already; a published version never changes")
    with draft_folder(published / f"{DRAFT}{uuid.uuid4().hex}") as draft:
        yield draft
        os.replace(draft, target)
        sync_path(published)


def remove_abandoned_versions(published: Path) -> int:
    """Delete the drafts of versions that killed writers left, and return their number."""
    return remove_abandoned_drafts(published, f"{DRAFT}*")


def make_current(published: Path, version: str) -> None:
    """Make a published version the current one; an older version too, which is a rollback.

    Raises:
        BundleError: there is no such version.
    """
    _point(published, CURRENT, version)


def make_canary(published: Path, version: str | None) -> None:
    """Have services try a published version on a share of the people; None for no version.

    Raises:
        BundleError: there is no such version.
    """
    if version is None:
        (published / CANARY).unlink(missing_ok=True)
    else:
        _point(published, CANARY, version)


def versions(published: Path) -> list[str]:
    """Published versions, oldest first."""
    folders = [path.parent for path in published.glob(f"*/{MANIFEST}") if not path.parent.name.startswith(".")]
    return [path.name for path in sorted(folders, key=lambda path: (path.stat().st_mtime_ns, path.name))]


def find_current(folders: Iterable[Path]) -> Path | None:
    """Return the folder of the version that is current in the first of these folders that has one.

    Raises:
        BundleError: CURRENT holds something that cannot be a version.
    """
    for folder in folders:
        version = current_version(folder)
        if version is not None:
            return folder / version
    return None


def find_canary(folders: Iterable[Path]) -> Path | None:
    """Return the folder of the canary in the folder that holds the current version; None for no canary.

    Raises:
        BundleError: CURRENT or CANARY hold something that cannot be a version.
    """
    current = find_current(folders)
    version = canary_version(current.parent) if current is not None else None
    return current.parent / version if current is not None and version is not None else None


def find_version(folders: Sequence[Path], version: str) -> Path:
    """Return the folder of a version: in the first of these folders that holds it, else in the first of all."""
    return next((folder / version for folder in folders if (folder / version).is_dir()), folders[0] / version)


def remove_versions(published: Path, names: Iterable[str]) -> None:
    """Delete versions. If the current one or the canary is among them, there is none any more."""
    removed = set(names)
    for pointer, version in ((CURRENT, current_version(published)), (CANARY, canary_version(published))):
        if version in removed:
            (published / pointer).unlink()
    for name in sorted(removed):
        shutil.rmtree(published / name)


def current_version(published: Path) -> str | None:
    """The version that CURRENT names, None where nothing was published.

    Raises:
        BundleError: CURRENT holds something that cannot be a version.
    """
    return _pointed_version(published / CURRENT)


def canary_version(published: Path) -> str | None:
    """The version that services try on a share of the people, None for none.

    Raises:
        BundleError: CANARY holds something that cannot be a version.
    """
    return _pointed_version(published / CANARY)


def _point(published: Path, pointer: str, version: str) -> None:
    if not (published / version / MANIFEST).is_file():
        raise BundleError(
            f"{published} holds no version {version!r}; there are {', '.join(versions(published)) or 'none'}"
        )
    replace_file(published / pointer, f"{version}\n".encode())


def _pointed_version(pointer: Path) -> str | None:
    try:
        text = pointer.read_text(encoding="utf-8").strip()
    except FileNotFoundError:
        return None
    if not VERSION_PATTERN.match(text):
        raise BundleError(f"{pointer} names {text!r}, which is not a version")
    return text

"""Published versions of the bundle, and the current one."""

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
    if not (published / version / MANIFEST).is_file():
        raise BundleError(
            f"{published} holds no version {version!r}; there are {', '.join(versions(published)) or 'none'}"
        )
    replace_file(published / CURRENT, f"{version}\n".encode())


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


def find_version(folders: Sequence[Path], version: str) -> Path:
    """Return the folder of a version: in the first of these folders that holds it, else in the first of all."""
    return next((folder / version for folder in folders if (folder / version).is_dir()), folders[0] / version)


def remove_versions(published: Path, names: Iterable[str]) -> None:
    """Delete versions. If the current one is among them, none is current any more."""
    removed = set(names)
    if current_version(published) in removed:
        (published / CURRENT).unlink()
    for name in sorted(removed):
        shutil.rmtree(published / name)


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
        raise BundleError(f"{published / CURRENT} names {text!r}, which is not a version")
    return text

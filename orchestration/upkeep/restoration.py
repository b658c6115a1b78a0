"""Restore a backup, see `backup`, into a home that holds nothing."""

from __future__ import annotations

import datetime as dt
import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from ml.errors import DamagedFileError
from ml.home import Home, make_folder, sync_path
from ml.integrity.digests import sha256_of
from orchestration.upkeep.backup import ERASED_IDS, INDEX, KEYS, BackupError, newest_backup, read_index


@dataclass(frozen=True)
class Restoration:
    """What a restored home is.

    Attributes:
        mark: Every event that was acknowledged before this time is in it.
        missing_keys: Files with keys that the home had and the backup was made without.
    """

    mark: dt.datetime
    missing_keys: tuple[str, ...]


def restore(source: Path, home: Home) -> Restoration:
    """Restore a backup into a home that holds nothing.

    Args:
        source: A backup, or the folder of backups, of which the newest is restored.
        home: The home, which is missing or empty.

    Raises:
        BackupError: There is no backup, or the home holds something.
        DamagedFileError: A file of the backup differs from its checksum.
    """
    folder = source if (source / INDEX).exists() else newest_backup(source)
    if folder is None:
        raise BackupError(f"{source} holds no backup: there is no {INDEX} in it or in a folder below it")
    if home.path.exists() and (not home.path.is_dir() or any(home.path.iterdir())):
        raise BackupError(f"{home.path} is not empty: restore into a new folder, then let TESSERA_HOME name it")
    index = read_index(folder)
    draft = make_folder(home.path.parent) / f".{home.path.name}.restoring"
    shutil.rmtree(draft, ignore_errors=True)
    make_folder(draft)
    for name, (size, digest) in index["files"].items():
        stored, target = folder / "home" / name, draft / name
        make_folder(target.parent)
        try:
            shutil.copy2(stored, target)
        except FileNotFoundError:
            raise DamagedFileError(stored, "the file is missing", "restore an earlier backup") from None
        if target.stat().st_size != size or sha256_of(target) != digest:
            raise DamagedFileError(stored, "the file differs from its checksum", "restore an earlier backup")
    beside = folder.parent
    for name in KEYS:
        if (beside / "keys" / name).exists():
            shutil.copy2(beside / "keys" / name, draft / name)
    if (beside / ERASED_IDS.name).exists():  # who was erased since this backup stays erased
        shutil.copy2(beside / ERASED_IDS.name, make_folder(draft / ERASED_IDS.parent) / ERASED_IDS.name)
    if home.path.exists():
        home.path.rmdir()
    os.replace(draft, home.path)
    sync_path(home.path.parent)
    missing = tuple(name for name in index["keys"] if not (home.path / name).exists())
    return Restoration(dt.datetime.fromisoformat(index["mark"]), missing)

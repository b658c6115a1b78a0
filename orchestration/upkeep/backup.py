"""Backups of a home that is in use.

A backup is a folder `DEST/<time>/` with the files of the home below `home/`, and `backup.json`, which is written
last and names each file with its size and SHA-256. Files that have not changed since the backup before are hard
links to it. `DEST/keys/` holds the keys, and `DEST/erased_ids` the newest list of erased ids.
"""

from __future__ import annotations

import datetime as dt
import os
import shutil
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ml.bundle.versions import CANARY, CURRENT
from ml.errors import DamagedFileError, TesseraError
from ml.events.frames import FrameDamage, read_frames
from ml.events.live_log import SUFFIX
from ml.events.log import EventLog
from ml.events.manifest import Manifest, Part
from ml.events.part_checks import check_part
from ml.home import FILE_MODE, Home, make_folder, open_private, replace_file, sync_path
from ml.integrity.checked_json import ChecksumError, decode_checked, encode_checked
from ml.integrity.digests import first_line, sha256_of
from ml.integrity.sqlite_files import open_existing_sqlite

FORMAT = 1
INDEX = "backup.json"
KEYS = ("site.key", "site.key.check", "keys.json")
ERASED_IDS = Path("erasures") / "erased_ids"
REBUILT = ("warehouse.duckdb", "bentoml", "dagster", "dbt", "logs")  # from the rest, by `tessera materialize`
FETCHED = "fetched"  # the object store holds them
IN_USE = ("events/open", "dead_letters/open")
TRIES = 5


class BackupError(TesseraError):
    """A backup cannot be made or restored; the message says why and what to do."""


@dataclass
class BackupReport:
    """What a backup did.

    Attributes:
        folder: The folder of the backup.
        mark: Every event that was acknowledged before this time is in the backup.
        copied: The number of files that were copied.
        linked: The number of files that are links to the backup before.
        events: The number of events in sealed parts.
    """

    folder: Path
    mark: dt.datetime
    copied: int = 0
    linked: int = 0
    events: int = 0


@dataclass
class _Writing:
    """A backup that is being written."""

    home: Home
    draft: Path
    report: BackupReport
    before: Path | None
    files: dict[str, list[Any]] = field(default_factory=dict)
    files_before: Mapping[str, list[Any]] = field(default_factory=dict)

    def add(self, name: str) -> None:
        """Copy a file of the home, or link it to the backup before if its size and time are the same there."""
        source, target = self.home.path / name, self.draft / "home" / name
        state = source.stat()
        make_folder(target.parent)
        entry = self.files_before.get(name)
        if self.before is not None and entry is not None and entry[0] == state.st_size:
            linked = self.before / "home" / name
            if linked.exists() and linked.stat().st_mtime_ns == state.st_mtime_ns:
                os.link(linked, target)
                self.files[name] = entry
                self.report.linked += 1
                return
        shutil.copy2(source, target)
        self.written(name)

    def write(self, name: str, content: bytes) -> None:
        """Write a file whose content was read from the home."""
        target = self.draft / "home" / name
        make_folder(target.parent)
        with open(target, "xb", opener=open_private) as file:
            file.write(content)
        self.written(name)

    def written(self, name: str) -> None:
        """Take a written file into the index."""
        target = self.draft / "home" / name
        with open(target, "rb") as file:
            os.fsync(file.fileno())
        self.files[name] = [target.stat().st_size, sha256_of(target)]
        self.report.copied += 1


def back_up(
    home: Home,
    destination: Path,
    *,
    with_keys: bool = True,
    clock: Callable[[], dt.datetime] = lambda: dt.datetime.now(dt.UTC),
) -> BackupReport:
    """Back up a home. The service and runs may be at work in it.

    Open parts are copied before the manifest is read, so that an event that is sealed in the meantime is in one of
    them, or in both under the same part id, which restoring seals only once.

    Args:
        home: The home.
        destination: The folder of the backups, outside of the home.
        with_keys: Whether the keys are copied to `destination/keys`.
        clock: The present time.

    Raises:
        BackupError: The home holds nothing, or the destination is inside of it.
        DamagedFileError: A part of the log or its manifest is damaged.
    """
    destination = destination.absolute()
    if not home.path.is_dir() or not any(home.path.iterdir()):
        raise BackupError(f"{home.path} holds nothing to back up: name the home by --home or TESSERA_HOME")
    if destination == home.path or home.path in destination.parents:
        raise BackupError(f"{destination} is inside of the home {home.path}: choose a folder outside of it")
    make_folder(destination)
    mark = clock()
    before = newest_backup(destination)
    folder = destination / f"{mark.astimezone(dt.UTC):%Y-%m-%dT%H-%M-%S-%f}"
    draft = destination / f".{folder.name}.draft"
    files_before = read_index(before)["files"] if before is not None else {}
    writing = _Writing(home, draft, BackupReport(folder, mark), before, files_before=files_before)
    make_folder(draft / "home")
    try:
        for name in _files_in_use(home):
            _copy_open_file(writing, name)
        for name in _other_files(home):
            try:
                writing.add(name)
            except FileNotFoundError:
                continue  # it was replaced by a file with another name, or expired
        for database in ("state.db", "mlflow.db"):
            _copy_database(writing, database)
        _copy_log(writing)
        keys = [name for name in KEYS if (home.path / name).exists()]
        index = {"format": FORMAT, "mark": mark.isoformat(), "keys": keys, "files": writing.files}
        replace_file(draft / INDEX, f"{encode_checked(index)}\n".encode())
        os.replace(draft, folder)
        sync_path(destination)
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    _copy_beside(home, destination, with_keys)
    return writing.report


def newest_backup(destination: Path) -> Path | None:
    """Return the newest complete backup below a folder, or None if there is none."""
    complete = sorted(path.parent for path in destination.glob(f"*/{INDEX}") if path.parent.name[0] != ".")
    return complete[-1] if complete else None


def read_index(folder: Path) -> dict[str, Any]:
    """Return what `backup.json` of a backup says.

    Raises:
        DamagedFileError: The file is damaged.
        BackupError: A later version of Tessera wrote it.
    """
    try:
        index = decode_checked((folder / INDEX).read_bytes())
    except ChecksumError as error:
        raise DamagedFileError(folder / INDEX, f"the file {error}", "use an earlier backup") from None
    if index.get("format") != FORMAT:
        raise BackupError(f"{folder} has format {index.get('format')!r}, and this version reads format {FORMAT}")
    return index


def _files_in_use(home: Home) -> Iterator[str]:
    for folder in IN_USE:
        for file in sorted((home.path / folder).glob("*")):
            yield file.relative_to(home.path).as_posix()


def _copy_open_file(writing: _Writing, name: str) -> None:
    """Copy the whole frames or lines of a file that is being written. A damaged one is copied as it is."""
    file = writing.home.path / name
    try:
        content = file.read_bytes()
        if name.endswith(SUFFIX):
            damage = FrameDamage()
            for _ in read_frames(file, damage):
                pass
            content = file.read_bytes() if damage else content[: damage.whole_bytes]
        else:
            content = content[: content.rfind(b"\n") + 1]
    except FileNotFoundError:
        return  # it is sealed now, and comes with the sealed files
    writing.write(name, content)


def _other_files(home: Home) -> Iterator[str]:
    """Yield the files of the home that are complete when they appear, the names of the bundles in use first."""
    pointers = [home.published / name for name in (CURRENT, CANARY)]
    for pointer in pointers:
        if pointer.exists():
            yield pointer.relative_to(home.path).as_posix()
    left_out = {*REBUILT, FETCHED, *KEYS, "state.db", "mlflow.db"}
    for file in sorted(home.path.rglob("*")):
        name = file.relative_to(home.path).as_posix()
        top, *below = file.relative_to(home.path).parts
        if (
            file in pointers
            or top in left_out
            or (top == "events" and below and below[0] != "damaged")
            or any(name.startswith(f"{folder}/") for folder in IN_USE)
            or any(part.startswith(".") for part in (top, *below))
            or file.suffix in (".draft", ".lock")
            or name.endswith(("-wal", "-shm", "-journal"))
            or file.is_symlink()
            or not file.is_file()
        ):
            continue
        yield name


def _copy_database(writing: _Writing, name: str) -> None:
    """Copy a SQLite file as it is between two transactions.

    Raises:
        DamagedFileError: The file is damaged.
    """
    file = writing.home.path / name
    if not file.exists():
        return
    target = writing.draft / "home" / name
    os.close(open_private(target, os.O_CREAT | os.O_EXCL | os.O_WRONLY))
    try:
        with (
            closing(open_existing_sqlite(file, timeout=30.0)) as source,
            closing(sqlite3.connect(target)) as copy,
        ):
            source.backup(copy)
    except sqlite3.DatabaseError as error:
        raise DamagedFileError(
            file, f"the database cannot be copied ({first_line(error)})", "`tessera verify` says what to do"
        ) from None
    writing.written(name)


def _copy_log(writing: _Writing) -> None:
    """Copy the manifest and the parts that it names.

    Raises:
        DamagedFileError: A part or the manifest is damaged.
    """
    log = EventLog(writing.home)
    name = log.manifest.path.relative_to(writing.home.path).as_posix()
    copy = writing.draft / "home" / name
    make_folder(copy.parent)
    for attempt in range(1, TRIES + 1):
        try:
            content = log.manifest.path.read_bytes()
        except FileNotFoundError:
            return
        copy.write_bytes(content[: content.rfind(b"\n") + 1])
        parts = Manifest(copy).live_parts()
        try:
            for part in parts:
                _copy_part(writing, log, part)
        except FileNotFoundError:
            if attempt == TRIES:
                check_part(log.folder, part)
                raise
            continue  # the part was replaced in the meantime, by parts that the manifest names now
        break
    copy.chmod(FILE_MODE)
    writing.report.events = sum(part.rows for part in parts)
    writing.written(name)


def _copy_part(writing: _Writing, log: EventLog, part: Part) -> None:
    name = log.path(part).relative_to(writing.home.path).as_posix()
    if name in writing.files:
        return  # an earlier attempt has copied it
    writing.add(name)
    if part.sha256 is not None and writing.files[name][1] != part.sha256:
        raise DamagedFileError(
            log.path(part), "the file differs from its checksum", "`tessera verify` says what to do"
        )


def _copy_beside(home: Home, destination: Path, with_keys: bool) -> None:
    """Replace the copies of the keys and of the erased ids beside the backups."""
    for name in KEYS:
        if with_keys and (home.path / name).exists():
            _replace(home.path / name, make_folder(destination / "keys") / name)
    if (home.path / ERASED_IDS).exists():
        _replace(home.path / ERASED_IDS, destination / ERASED_IDS.name)


def _replace(source: Path, target: Path) -> None:
    draft = target.with_name(f".{target.name}.draft")
    shutil.copy2(source, draft)
    draft.chmod(FILE_MODE)
    os.replace(draft, target)
    sync_path(target.parent)

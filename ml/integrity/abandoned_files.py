"""Files and drafts that dead writers left. A living writer locks what it writes; a free lock marks the others."""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ml.home import make_folder


@contextmanager
def draft_folder(path: Path) -> Iterator[Path]:
    """Give an empty folder to write in, which is deleted when the block ends; what stays is moved out before.

    The draft of a killed writer is one of `abandoned_files`.
    """
    handle = _lock_new_folder(path)
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)
        os.close(handle)


def abandoned_files(folder: Path, pattern: str) -> Iterator[Path]:
    """Yield each file or draft of this name whose writer is dead. It is locked while the caller works on it."""
    for path in sorted(folder.glob(pattern)):
        try:
            handle = os.open(path, os.O_RDONLY if path.is_dir() else os.O_RDWR)
        except FileNotFoundError:  # another process has sealed it in the meantime
            continue
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            continue
        else:
            if path.exists():
                yield path
        finally:
            os.close(handle)


def remove_abandoned_drafts(folder: Path, pattern: str) -> int:
    """Delete the drafts of this name whose writers are dead, and return their number."""
    removed = 0
    for draft in abandoned_files(folder, pattern):
        shutil.rmtree(draft)
        removed += 1
    return removed


def _lock_new_folder(path: Path) -> int:
    """Make a folder and lock it. One that is taken for abandoned between the two is made again."""
    shutil.rmtree(path, ignore_errors=True)
    while True:
        handle = os.open(make_folder(path), os.O_RDONLY)
        fcntl.flock(handle, fcntl.LOCK_EX)
        if path.exists() and os.path.samestat(os.fstat(handle), path.stat()):
            return handle
        os.close(handle)

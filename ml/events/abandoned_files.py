"""Files that dead writers left open. A living writer locks its file, so a free lock marks an abandoned one."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from pathlib import Path


def abandoned_files(folder: Path, suffix: str) -> Iterator[Path]:
    """Yield each file of this suffix whose writer is dead. A file is locked while the caller works on it."""
    for path in sorted(folder.glob(f"*{suffix}")):
        try:
            handle = os.open(path, os.O_RDWR)
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

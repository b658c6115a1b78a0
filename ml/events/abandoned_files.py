"""Files that dead writers left open: a living writer holds a lock on its own, so what can be locked is free."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from pathlib import Path


def abandoned_files(folder: Path, suffix: str) -> Iterator[Path]:
    """Each file of this suffix whose writer is dead, locked while the caller has it."""
    for path in sorted(folder.glob(f"*{suffix}")):
        try:
            handle = os.open(path, os.O_RDWR)
        except FileNotFoundError:  # sealed by somebody else meanwhile
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

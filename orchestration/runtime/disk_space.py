"""A full disk, which libraries report in words of their own."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager

from ml.errors import TesseraError
from ml.home import Home

FULL_BELOW_BYTES = 2**24  # what failed may have wanted more than is left


class FullDiskError(TesseraError):
    """The disk of the home has no room."""


def is_disk_full(home: Home) -> bool:
    """Return whether the disk of the home has hardly any room left."""
    return shutil.disk_usage(home.path).free < FULL_BELOW_BYTES


@contextmanager
def telling_of_full_disk(home: Home) -> Iterator[None]:
    """Name a full disk as the cause of whatever failed in the block.

    SQLite speaks of a disk I/O error, DuckDB of a file that could not be written, and each with a traceback.

    Raises:
        FullDiskError: Something failed, and the disk of the home is full.
    """
    try:
        yield
    except TesseraError:
        raise
    except Exception as error:
        if is_disk_full(home):
            raise FullDiskError(full_disk_message(home)) from error
        raise


def full_disk_message(home: Home) -> str:
    """Say that the disk is full, and what to do."""
    return f"{home.path}: the disk is full. Free some space and run the command again; finished work is kept"

"""Rebuilds the online state of a stopped service."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import psutil

from ml.errors import DamagedFileError, TesseraError
from ml.home import Home
from ml.privacy.home_checks import require_sound_state

SUFFIXES = ("", "-wal", "-shm")


class StateInUseError(TesseraError):
    """The service is at work with the online state."""


class RebuildError(TesseraError):
    """The online state could not be rebuilt; the message is what the rebuilding process printed."""


def rebuild_state(home: Home) -> int:
    """Rebuild the online state from the event log. A damaged file is deleted, since the log has all that it held.

    Args:
        home: The home, which the environment of this process names, too.

    Returns:
        The number of changes that were read from the log.

    Raises:
        StateInUseError: The service is running.
        RebuildError: The event log is damaged, or the store cannot be reached.
    """
    holder = _find_holder(home.state_db)
    if holder is not None:
        raise StateInUseError(f"{home.state_db} is open in process {holder}: stop the service, then run it again")
    try:
        require_sound_state(home)
    except DamagedFileError:
        for suffix in SUFFIXES:
            home.state_db.with_name(home.state_db.name + suffix).unlink(missing_ok=True)
    done = subprocess.run(
        [sys.executable, "-m", "serving.state.rebuild"], capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise RebuildError(
            (done.stderr.strip().splitlines() or ["the rebuilding process ended without a message"])[-1]
        )
    return int(done.stdout.split()[-1])


def _find_holder(file: Path) -> int | None:
    """Return a process that has a file open, or None."""
    for process in psutil.process_iter():
        try:
            if any(opened.path == str(file) for opened in process.open_files()):
                return int(process.pid)
        except psutil.Error:
            continue  # it has ended, or belongs to somebody else
    return None

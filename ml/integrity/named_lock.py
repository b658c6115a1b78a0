"""A lock file that names its holder, for what only one process may do at a time."""

from __future__ import annotations

import fcntl
import json
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any, ClassVar

from ml.errors import TesseraError
from ml.home import make_folder

WORDS_SECONDS = 1.0  # how long a holder may take to say who it is, once it has the lock


class LockedError(TesseraError):
    """Another process holds the lock. `holder` is None where it cannot be told which one."""

    def __init__(self, path: Path, holder: Holder | None) -> None:
        super().__init__(
            f"{path} is held by {holder or 'another process'}: wait for it to end, or stop it, and start again"
        )
        self.holder = holder


@dataclass(frozen=True)
class Holder:
    """Who has the lock: process, machine, what it is doing, since when (ISO 8601, UTC)."""

    pid: int
    host: str
    doing: str
    since: str

    def __str__(self) -> str:
        return f"{self.doing} (process {self.pid} on {self.host}, since {self.since})"


class NamedLock:
    """An exclusive lock on one file that names its holder.

    The operating system lets go of it when the holder dies, however it dies: a killed run never blocks the next.
    It is reentrant within a process: a run takes it once, and each of its steps takes it again.
    """

    _held: ClassVar[dict[Path, tuple[IO[str], int]]] = {}  # files that this process holds, and how often

    def __init__(self, path: Path) -> None:
        self.path = path

    def acquire(self, doing: str, wait_seconds: float = 0, is_step: bool = True) -> None:
        """Take the lock, or raise `LockedError` naming the holder after `wait_seconds`.

        Args:
            doing: What it is taken for, for those who find it taken.
            wait_seconds: How long to wait for another process.
            is_step: Whether this may be a step of what this process holds the lock for already.
        """
        if held := self._held.get(self.path):
            if not is_step:
                raise LockedError(self.path, _read_holder(held[0]))
            self._held[self.path] = (held[0], held[1] + 1)
            return
        make_folder(self.path.parent)
        stream = self.path.open("a+", encoding="utf-8")
        deadline = time.monotonic() + wait_seconds
        while not _locked(stream):
            holder, late = _read_holder(stream), time.monotonic() - deadline
            if late >= (0 if holder else WORDS_SECONDS):
                stream.close()
                raise LockedError(self.path, holder)
            time.sleep(0.1 if late < 0 else 0.01)
        stream.seek(0)
        stream.truncate()
        json.dump(asdict(_this_process(doing)), stream)
        stream.flush()
        self._held[self.path] = (stream, 1)

    def release(self) -> None:
        """Give the lock back, once for each `acquire`."""
        stream, count = self._held[self.path]
        if count > 1:
            self._held[self.path] = (stream, count - 1)
            return
        del self._held[self.path]
        stream.seek(0)
        stream.truncate()
        stream.close()

    def holder(self) -> Holder | None:
        """Who holds the lock right now, None when it is free."""
        if self.path in self._held:
            return _read_holder(self._held[self.path][0])
        if not self.path.exists():
            return None
        with self.path.open("a+", encoding="utf-8") as stream:
            return None if _locked(stream) else _read_holder(stream)


@contextmanager
def only_writer(warehouse: Path, doing: str) -> Iterator[None]:
    """Keep runs of the pipeline, which merge and replace parts of the log too, out until the block ends.

    Raises:
        LockedError: Such a run is at work, or another block like this one, in this process or elsewhere.
    """
    lock = NamedLock(warehouse.with_suffix(".lock"))
    lock.acquire(doing, is_step=False)
    try:
        yield
    finally:
        lock.release()


def _locked(stream: IO[str]) -> bool:
    try:
        fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _this_process(doing: str) -> Holder:
    return Holder(os.getpid(), socket.gethostname(), doing, datetime.now(UTC).isoformat(timespec="seconds"))


def _read_holder(stream: IO[str]) -> Holder | None:
    """The holder's own words; None in the instant before it has written them."""
    stream.seek(0)
    try:
        fields: dict[str, Any] = json.load(stream)
    except json.JSONDecodeError:
        return None
    return Holder(**fields)

"""Rejected events on their way to the dead letters.

They are appended to a file of JSON lines, which later becomes a Parquet file. A flood of bad requests therefore
does not become a flood of small files.
"""

from __future__ import annotations

import datetime as dt
import fcntl
import os
import time
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Any

import orjson
import pyarrow as pa

from ml.events.abandoned_files import abandoned_files
from ml.events.dead_letters import DeadLetters
from ml.events.records import REJECTED_SCHEMA
from ml.home import Home, make_folder, open_private

SEAL_ROWS = 20_000
SEAL_SECONDS = 60.0
SUFFIX = ".rejected.jsonl"
MAX_PAYLOAD_CHARS = 4_096


class RejectionLog:
    """An open file of JSON lines below `dead_letters/open`. It becomes Parquet when it is full, old or closed."""

    def __init__(self, home: Home) -> None:
        self._letters = DeadLetters(home)
        self._folder = home.dead_letters / "open"
        self._file: IO[bytes] | None = None
        self._path: Path | None = None
        self._rows = 0
        self._opened = time.monotonic()

    def append(self, letters: Sequence[Mapping[str, Any]]) -> None:
        """Append rejected rows. They are written when the call returns.

        Args:
            letters: Rows with the fields of REJECTED_SCHEMA, `source` and `received_at`.

        Raises:
            OSError: The disk refused to write.
        """
        if not letters:
            return
        if self._file is None:
            self._open()
        assert self._file is not None
        for letter in letters:
            short = (letter["payload"] or "")[:MAX_PAYLOAD_CHARS]
            self._file.write(orjson.dumps({**letter, "payload": short}) + b"\n")
        self._file.flush()
        self._rows += len(letters)
        if self._rows >= SEAL_ROWS:
            self.seal()

    def seal_if_old(self) -> None:
        """Seal the open file if its first row is older than SEAL_SECONDS."""
        if self._file is not None and time.monotonic() - self._opened >= SEAL_SECONDS:
            self.seal()

    def seal(self) -> None:
        """Turn the open file into a Parquet file of dead letters."""
        if self._file is None or self._path is None:
            return
        self._file.flush()
        seal_file(self._letters, self._path)
        self._file.close()
        self._file = None

    def close(self) -> None:
        """Seal the open file."""
        self.seal()

    def _open(self) -> None:
        self._path = make_folder(self._folder) / f"{uuid.uuid4().hex}{SUFFIX}"
        self._file = os.fdopen(open_private(self._path, os.O_CREAT | os.O_WRONLY | os.O_APPEND), "ab")
        fcntl.flock(self._file, fcntl.LOCK_EX)
        self._rows = 0
        self._opened = time.monotonic()


def recover_dead_letters(home: Home) -> int:
    """Seal the files that dead collectors left behind, and return their number."""
    sealed = 0
    for path in abandoned_files(home.dead_letters / "open", SUFFIX):
        seal_file(DeadLetters(home), path)
        sealed += 1
    return sealed


def seal_file(letters: DeadLetters, path: Path) -> None:
    """Write the rows of a file as dead letters, one file for each source and day, and remove it.

    A crash can leave a torn last line, which is dropped. Sealing the same file twice leaves one copy.
    """
    groups: dict[tuple[str, dt.date], list[dict[str, object]]] = {}
    for line in path.read_bytes().split(b"\n")[:-1]:
        row = orjson.loads(line)
        row["received_at"] = dt.datetime.fromisoformat(row["received_at"])
        groups.setdefault((row["source"], row["received_at"].date()), []).append(row)
    for (source, _), rows in groups.items():
        table = pa.Table.from_pylist(
            [{name: row[name] for name in REJECTED_SCHEMA.names} for row in rows], schema=REJECTED_SCHEMA
        )
        first = rows[0]["received_at"]
        assert isinstance(first, dt.datetime)
        letters.write(table, source, first, batch_id=f"{source}-{path.name.removesuffix(SUFFIX)}")
    path.unlink()

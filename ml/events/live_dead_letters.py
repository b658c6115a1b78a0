"""Rejected events on their way to the dead letters.

They are appended to a file of JSON lines, which later becomes a Parquet file. A flood of bad requests therefore
does not become a flood of small files.
"""

from __future__ import annotations

import datetime as dt
import fcntl
import logging
import os
import time
import uuid
import zlib
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

import orjson
import pyarrow as pa

from ml.errors import DamagedFileError
from ml.events.dead_letters import DeadLetters
from ml.events.records import REJECTED_SCHEMA
from ml.home import Home, make_folder, open_private
from ml.integrity.abandoned_files import abandoned_files

SEAL_ROWS = 20_000
SEAL_SECONDS = 60.0
SUFFIX = ".rejected.jsonl"

logger = logging.getLogger(__name__)


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
            self._file.write(_encode_line({**letter, "payload": letter["payload"] or ""}))
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
    for path in abandoned_files(home.dead_letters / "open", f"*{SUFFIX}"):
        seal_file(DeadLetters(home), path)
        sealed += 1
    return sealed


def read_open_letters(home: Home) -> list[dict[str, Any]]:
    """Return the rows that running collectors have not sealed yet, with the fields of DEAD_LETTER_SCHEMA."""
    rows: list[dict[str, Any]] = []
    for path in sorted((home.dead_letters / "open").glob(f"*{SUFFIX}")):
        with suppress(FileNotFoundError):  # sealed in the meantime
            rows += _read_lines(path)[0]
    return rows


def seal_file(letters: DeadLetters, path: Path) -> None:
    """Write the rows of a file as dead letters, one file for each source and day, and remove it.

    A crash can leave a torn last line, which is dropped. A file with damaged lines is kept whole below
    `dead_letters/damaged`, and its readable rows are sealed. Sealing the same file twice leaves one copy.
    """
    groups: dict[tuple[str, dt.date], list[dict[str, Any]]] = {}
    rows, damaged = _read_lines(path)
    if damaged:
        kept = make_folder(letters.folder / "damaged") / path.name
        with suppress(FileExistsError):  # an earlier attempt to seal this file has kept it
            os.link(path, kept)
        logger.error("%d of the dead letters in %s are damaged. The others are sealed.", len(damaged), kept)
    for row in rows:
        groups.setdefault((row["source"], row["received_at"].date()), []).append(row)
    for (source, _), group in groups.items():
        table = pa.Table.from_pylist(
            [{name: row[name] for name in REJECTED_SCHEMA.names} for row in group], schema=REJECTED_SCHEMA
        )
        stem = f"{source}-{path.name.removesuffix(SUFFIX)}"
        letters.write(table, source, group[0]["received_at"], batch_id=stem)
    path.unlink()


def find_damaged_lines(home: Home) -> list[DamagedFileError]:
    """Return an error for each open file with damaged lines, and for each that is kept aside."""
    damages = []
    for path in sorted((home.dead_letters / "open").glob(f"*{SUFFIX}")):
        try:
            damaged = _read_lines(path)[1]
        except FileNotFoundError:
            continue  # sealed in the meantime
        if damaged:
            lines = ", ".join(map(str, damaged))
            remedy = "nothing has to be done: sealing saves the readable lines and keeps the file"
            damages.append(DamagedFileError(path, f"the dead letters in lines {lines} are damaged", remedy))
    for path in sorted((home.dead_letters / "damaged").glob(f"*{SUFFIX}")):
        remedy = "bring the damaged lines back from a backup, then delete the file"
        damages.append(DamagedFileError(path, "this file was damaged and is kept aside", remedy))
    return damages


def _encode_line(letter: Mapping[str, Any]) -> bytes:
    """Return a row as JSON, a tab, which JSON text never holds, its CRC-32 and the line break."""
    text = orjson.dumps(letter)
    return text + b"\t%08x\n" % zlib.crc32(text)


def _read_lines(path: Path) -> tuple[list[dict[str, Any]], list[int]]:
    """Return the readable rows and the numbers of the damaged lines. Older lines have no checksum."""
    rows: list[dict[str, Any]] = []
    damaged: list[int] = []
    content = path.read_bytes()
    for number, line in enumerate(content.split(b"\n"), start=1):
        text, tab, checksum = line.partition(b"\t")
        is_last = number > content.count(b"\n")
        if is_last and (not tab or len(checksum) <= 8):
            continue  # torn by a crash, or the empty rest behind the last line break
        try:
            if tab and checksum != b"%08x" % zlib.crc32(text):
                raise ValueError("differs from its checksum")
            row = orjson.loads(text)
            row["received_at"] = dt.datetime.fromisoformat(row["received_at"])
            if not {*REJECTED_SCHEMA.names, "source"} <= row.keys():
                raise ValueError("lacks a field")
        except (ValueError, KeyError, TypeError):
            damaged.append(number)
        else:
            rows.append(row)
    return rows, damaged

"""Open parts: events on their way into the log, which are on disk before the collector answers.

An open part is a file of frames. A frame is the length and the CRC-32 of its payload, followed by the payload, an
Arrow IPC record batch. The writer locks its part for as long as it lives. A part whose lock is free belongs to a
dead writer, and any process may seal it. A torn last frame was never acknowledged and is cut off.
"""

from __future__ import annotations

import fcntl
import os
import struct
import time
import uuid
import zlib
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa

from ml.events.abandoned_files import abandoned_files
from ml.events.contract import EVENT_SCHEMA
from ml.events.log import EventLog, Part

FRAME_HEADER = struct.Struct("<II")
SUFFIX = ".open"


class OpenPartWriter:
    """Appends record batches durably to an open part, and seals the part when it is full, old or closed.

    Args:
        log: The log that receives the sealed parts.
        source: The source that the parts are attributed to.
        max_rows: The number of events at which a part is sealed.
        max_age_seconds: The age at which a part is sealed by the next `append` or `seal_if_old`.
    """

    def __init__(self, log: EventLog, source: str, max_rows: int = 500_000, max_age_seconds: float = 60.0) -> None:
        self.log = log
        self.source = source
        self.max_rows = max_rows
        self.max_age_seconds = max_age_seconds
        self._part: _OpenPart | None = None

    def append(self, events: pa.Table) -> None:
        """Write events (EVENT_SCHEMA) and return when they are on disk.

        Raises:
            OSError: The disk refused to write. The frame is cut off again, so none of these events is in the log.
        """
        if self._part is None:
            self._part = _OpenPart.create(self.log.folder / "open")
        self._part.append(events.combine_chunks())
        if self._part.rows >= self.max_rows:
            self.seal()
        else:
            self.seal_if_old()

    def seal_if_old(self) -> list[Part]:
        """Seal the open part if its first event is older than `max_age_seconds`."""
        if self._part and time.monotonic() - self._part.opened >= self.max_age_seconds:
            return self.seal()
        return []

    def seal(self) -> list[Part]:
        """Turn the open part into sealed Parquet parts, and return them."""
        if self._part is None:
            return []
        part = self._part
        sealed = _seal_file(self.log, part.path, self.source)
        part.close()
        self._part = None
        return sealed

    def close(self) -> None:
        """Seal the open part."""
        self.seal()


def recover_parts(log: EventLog, source: str = "recovered") -> list[Part]:
    """Seal the open parts that dead writers left behind. Parts of living writers are left alone."""
    sealed: list[Part] = []
    for path in abandoned_files(log.folder / "open", SUFFIX):
        sealed += _seal_file(log, path, source)
    return sealed


def read_open_parts(log: EventLog) -> Iterator[pa.RecordBatch]:
    """Yield the events of open parts, for a reader that must also see what is acknowledged but not yet sealed."""
    for path in sorted((log.folder / "open").glob(f"*{SUFFIX}")):
        try:
            yield from _frames(path)
        except FileNotFoundError:
            continue  # sealed in the meantime: the caller finds it among the parts


class _OpenPart:
    def __init__(self, path: Path, handle: int) -> None:
        self.path = path
        self.handle = handle
        self.rows = 0
        self.size = 0
        self.opened = time.monotonic()

    @classmethod
    def create(cls, folder: Path) -> _OpenPart:
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{uuid.uuid4().hex}{SUFFIX}"
        handle = os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o644)
        fcntl.flock(handle, fcntl.LOCK_EX)
        directory = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)
        return cls(path, handle)

    def append(self, events: pa.Table) -> None:
        payload = b"".join(_frame(batch) for batch in events.to_batches())
        try:
            written = os.pwrite(self.handle, payload, self.size)
            while written < len(payload):
                written += os.pwrite(self.handle, payload[written:], self.size + written)
            os.fdatasync(self.handle)
        except OSError:
            os.ftruncate(self.handle, self.size)
            raise
        self.size += len(payload)
        self.rows += len(events)

    def close(self) -> None:
        os.close(self.handle)


def _frame(batch: pa.RecordBatch) -> bytes:
    payload: bytes = batch.serialize().to_pybytes()
    return FRAME_HEADER.pack(len(payload), zlib.crc32(payload)) + payload


def _frames(path: Path) -> Iterator[pa.RecordBatch]:
    with open(path, "rb") as file:
        while len(header := file.read(FRAME_HEADER.size)) == FRAME_HEADER.size:
            length, checksum = FRAME_HEADER.unpack(header)
            payload = file.read(length)
            if len(payload) < length or zlib.crc32(payload) != checksum:
                return
            yield pa.ipc.read_record_batch(pa.py_buffer(payload), EVENT_SCHEMA)


def _seal_file(log: EventLog, path: Path, source: str) -> list[Part]:
    table = pa.Table.from_batches(_frames(path), schema=EVENT_SCHEMA)
    parts = log.seal_table(path.stem, table, source) if len(table) else []
    path.unlink()
    return parts

"""Open parts: events on their way into the log, which are on disk before the collector answers.

An open part is a file of frames (`ml.events.frames`). The writer locks its part for as long as it lives. A part
whose lock is free belongs to a dead writer, and any process may seal it. A torn last frame was never acknowledged
and is cut off. A part with damaged frames is kept whole below `events/damaged`, and its readable events are
sealed.
"""

from __future__ import annotations

import datetime as dt
import fcntl
import json
import logging
import os
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from ml.events.contract import EVENT_SCHEMA
from ml.events.frames import FrameDamage, encode_frame, read_frames
from ml.events.log import EventLog
from ml.events.manifest import Part
from ml.home import make_folder, open_private, sync_path
from ml.integrity.abandoned_files import abandoned_files
from ml.integrity.home_layout import write_layout

SUFFIX = ".open"

logger = logging.getLogger(__name__)


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
        """Write events (EVENT_SCHEMA) and return when they are on disk. Events of erased people are left out.

        Raises:
            OSError: The disk refused to write. The frame is cut off again, so none of these events is in the log.
        """
        self.log.erased.refresh()
        events = self.log.erased.without(events)
        if not len(events):
            return
        if self._part is None:
            write_layout(self.log.home)
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
    for path in abandoned_files(log.folder / "open", f"*{SUFFIX}"):
        sealed += _seal_file(log, path, source)
    return sealed


def read_all_events(
    log: EventLog,
    columns: Sequence[str] | None = None,
    condition: pc.Expression | None = None,
    first_received: dt.datetime | None = None,
) -> Iterator[pa.RecordBatch]:
    """Stream sealed events and those that are acknowledged but not yet sealed, each once, in bounded memory.

    Args:
        log: The event log.
        columns: The columns to read; all of them if absent.
        condition: What has to hold of an event; None reads every event.
        first_received: Parts that hold only what arrived before, aware, are left out; None reads every part.
    """
    names = list(columns) if columns else EVENT_SCHEMA.names
    unsealed = []
    for part_id, batches in _open_parts(log):
        unsealed.append(f"{part_id}-")  # if it is sealed from here on, it was read already
        for batch in batches:
            table = pa.Table.from_batches([batch])
            yield from (table if condition is None else table.filter(condition)).select(names).to_batches()
    sealed = [
        part
        for part in log.parts()
        if not part.part_id.startswith(tuple(unsealed))
        and (first_received is None or dt.datetime.fromisoformat(part.received_max) >= first_received)
    ]
    yield from log.read(sealed, columns, condition)


def read_open_parts(log: EventLog) -> Iterator[pa.RecordBatch]:
    """Yield the events of open parts, for a reader that must also see what is acknowledged but not yet sealed."""
    for _, batches in _open_parts(log):
        yield from batches


def _open_parts(log: EventLog) -> Iterator[tuple[str, list[pa.RecordBatch]]]:
    """Yield the id and the events of each open part; one that is sealed in the meantime is among the parts."""
    for path in sorted((log.folder / "open").glob(f"*{SUFFIX}")):
        with suppress(FileNotFoundError):
            yield path.stem, list(read_frames(path))


class _OpenPart:
    def __init__(self, path: Path, handle: int) -> None:
        self.path = path
        self.handle = handle
        self.rows = 0
        self.size = 0
        self.opened = time.monotonic()

    @classmethod
    def create(cls, folder: Path) -> _OpenPart:
        path = make_folder(folder) / f"{uuid.uuid4().hex}{SUFFIX}"
        handle = open_private(path, os.O_CREAT | os.O_EXCL | os.O_RDWR)
        fcntl.flock(handle, fcntl.LOCK_EX)
        sync_path(folder)
        return cls(path, handle)

    def append(self, events: pa.Table) -> None:
        payload = b"".join(encode_frame(batch) for batch in events.to_batches())
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


def _seal_file(log: EventLog, path: Path, source: str) -> list[Part]:
    damage = FrameDamage()
    table = pa.Table.from_batches(read_frames(path, damage), schema=EVENT_SCHEMA)
    if damage:
        _keep_aside(log, path, damage)
    parts = log.seal_table(path.stem, table, source) if len(table) else []
    path.unlink()
    return parts


def _keep_aside(log: EventLog, path: Path, damage: FrameDamage) -> None:
    """Keep a damaged open part whole below `events/damaged`, with a note of what is damaged, and log the loss."""
    folder = make_folder(log.damaged)
    kept = folder / path.name
    with suppress(FileExistsError):  # an earlier attempt to seal this part has kept it
        os.link(path, kept)
    note = {
        "file": path.name,
        "ranges": damage.ranges,
        "readable_frames": damage.frames,
        "readable_events": damage.rows,
    }
    with open(kept.with_suffix(".json"), "w", encoding="utf-8", opener=open_private) as file:
        json.dump(note, file)
        file.flush()
        os.fsync(file.fileno())
    sync_path(folder)
    logger.error(
        "The open part %s is damaged: %s. The readable events are sealed; the file is kept.", kept, damage
    )

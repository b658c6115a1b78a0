"""The quarantine: events that a fold could not take, or that somebody took out of the log, each with its reason.

`quarantine/events.jsonl` holds one JSON object a line. An event that breaks a fold stays in the log, and the fold
goes on without it. An event that was taken out of the log by hand is kept in its line, so that it can return.
"""

from __future__ import annotations

import datetime as dt
import logging
import os
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import IO, Any

from ml.errors import DamagedFileError
from ml.home import Home, locked, open_private, replace_file
from ml.integrity.checked_json import ChecksumError, decode_checked, encode_checked
from ml.privacy.erased_ids import ErasedIds
from ml.privacy.id_matcher import IdMatcher

logger = logging.getLogger("tessera.quarantine")
BY_HAND = "by hand"
MAX_REASON_CHARS = 500


@dataclass(frozen=True)
class QuarantinedEvent:
    """One line of the quarantine.

    Attributes:
        event_id: The event's id, or the digest of a state change that came from no event.
        reason: Why it was set aside.
        where: What set it aside: `service`, `publishing` or `by hand`.
        at: When, ISO 8601 in UTC.
        event: The fields of the event where the log does not hold it any more; otherwise None.
    """

    event_id: str
    reason: str
    where: str
    at: str
    event: Mapping[str, Any] | None = None


class Quarantine:
    """The quarantine of a home, shared by all processes that work in it.

    Args:
        home: The home.
        on_entry: Called with each new line that this process writes, to count it.
    """

    def __init__(self, home: Home, on_entry: Callable[[QuarantinedEvent], None] | None = None) -> None:
        self.path = home.path / "quarantine" / "events.jsonl"
        self._lock = self.path.with_suffix(".lock")
        self._on_entry = on_entry
        self._erased = ErasedIds(home)
        self._listed: set[tuple[str, str]] = set()
        self._read_bytes = 0
        self._inode = 0

    def set_aside(self, event_id: str, error: Exception, where: str) -> bool:
        """Record that an event broke a fold, once for all processes.

        A disk that refuses the line must not stop the fold, so that failure is logged alone.

        Args:
            event_id: The event.
            error: What it raised.
            where: Which fold it broke.

        Returns:
            Whether this call recorded it.
        """
        reason = f"{type(error).__name__}: {error}"[:MAX_REASON_CHARS]
        entry = QuarantinedEvent(event_id, reason, where, _now())
        try:
            if not self.add([entry]):
                return False
        except OSError as failure:
            logger.error("event %s cannot be recorded in the quarantine: %s", event_id, failure)
        logger.error("event %s set aside by %s: %s", event_id, where, reason)
        if self._on_entry is not None:
            self._on_entry(entry)
        return True

    def add(self, entries: Collection[QuarantinedEvent]) -> int:
        """Append the entries whose event is not listed for the same place yet. They are on disk when it returns.

        An entry that names an erased person is left out.

        Returns:
            The number of entries that were appended.

        Raises:
            OSError: The disk refused to write.
        """
        self._erased.refresh()
        with locked(self._lock), open(self.path, "a+b", opener=open_private) as file:
            self._read_new_lines(file)
            lines = b""
            for entry in entries:
                key = (entry.event_id, entry.where)
                line = encode_checked(asdict(entry))
                if key in self._listed or (self._erased and self._erased.is_named_in(line)):
                    continue
                self._listed.add(key)
                lines += line.encode() + b"\n"
            if lines:
                file.seek(0, os.SEEK_END)
                file.write(lines)
                file.flush()
                os.fsync(file.fileno())
            return lines.count(b"\n")

    def entries(self) -> list[QuarantinedEvent]:
        """Return all entries, oldest first. A line that is torn or damaged does not count."""
        return [entry for _, entry in self._read_lines() if isinstance(entry, QuarantinedEvent)]

    def remove(self, is_removed: Callable[[QuarantinedEvent], bool]) -> int:
        """Remove entries, and return their number. Damaged lines stay, for somebody to read."""
        if not self.path.exists():
            return 0
        with locked(self._lock):
            lines = self._read_lines()
            kept = [
                line for line, entry in lines if not (isinstance(entry, QuarantinedEvent) and is_removed(entry))
            ]
            if len(kept) < len(lines):
                replace_file(self.path, b"".join(line + b"\n" for line in kept))
            return len(lines) - len(kept)

    def find_damage(self) -> list[DamagedFileError]:
        """Return an error for each line that is not what was written."""
        return [
            DamagedFileError(self.path, f"line {number} {entry}", "read it and delete it; all other lines count")
            for number, (_, entry) in enumerate(self._read_lines(), start=1)
            if isinstance(entry, ChecksumError)
        ]

    def _read_lines(self) -> list[tuple[bytes, QuarantinedEvent | ChecksumError]]:
        """Return each whole line with its entry, or with what is wrong with it."""
        try:
            content = self.path.read_bytes()
        except FileNotFoundError:
            return []
        return [(line, _decode(line)) for line in content.split(b"\n")[:-1]]

    def remove_people(self, ids: Collection[str]) -> int:
        """Remove the entries that name one of these people, and return their number."""
        matcher = IdMatcher(ids, distinctive_only=False)
        return self.remove(lambda entry: any(matcher.is_in_text(str(text)) for text in _texts(entry)))

    def _read_new_lines(self, file: IO[bytes]) -> None:
        """Read what other processes wrote since the last call, and cut off the torn line of a killed one."""
        status = os.fstat(file.fileno())
        if status.st_ino != self._inode:  # entries were removed: it is another file now
            self._inode, self._listed, self._read_bytes = status.st_ino, set(), 0
        file.seek(self._read_bytes)
        content = file.read()
        whole = content[: content.rfind(b"\n") + 1]
        if len(whole) < len(content):
            file.truncate(self._read_bytes + len(whole))
        for line in whole.split(b"\n")[:-1]:
            entry = _decode(line)
            if isinstance(entry, QuarantinedEvent):
                self._listed.add((entry.event_id, entry.where))
        self._read_bytes += len(whole)


def _now() -> str:
    return dt.datetime.now(dt.UTC).isoformat()


def _decode(line: bytes) -> QuarantinedEvent | ChecksumError:
    try:
        return QuarantinedEvent(**decode_checked(line))
    except ChecksumError as error:
        return error
    except TypeError as error:
        return ChecksumError(f"has other fields: {error}")


def _texts(entry: QuarantinedEvent) -> Iterator[object]:
    yield from (entry.event_id, entry.reason)
    if entry.event is not None:
        yield from entry.event.values()

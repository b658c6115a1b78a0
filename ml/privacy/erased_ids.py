"""Erased ids, as keyed digests. They keep the events of erased people out of the log, however late they come."""

from __future__ import annotations

import fcntl
import json
import os
import re
import zlib
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from urllib.parse import unquote

import pyarrow as pa
import pyarrow.compute as pc

from ml.errors import DamagedFileError
from ml.home import Home, make_folder, open_private
from ml.privacy.pseudonyms import Pseudonyms

OLDER_LINE = re.compile(rb"[0-9a-f]{64}")
REMEDY = "put the file back from a backup; without it, people who were erased since would be welcome again"
JSON_STRING = re.compile(r'"(?:[^"\\]|\\.)*"')
WORDS = (re.compile(r"[^\s\"'\\,;{}\[\]()<>=&?/]+"), re.compile(r"[\w-]+"))  # ids may hold a colon or a dot


class ErasedIds:
    """Digests below `home/erasures`, one a line. The ids themselves are not kept.

    An erased id is never accepted again, whatever the time of its events. A site that meets the person again gives
    the person a new id.
    """

    def __init__(self, home: Home) -> None:
        self.path = home.path / "erasures" / "erased_ids"
        self._pseudonyms = Pseudonyms(home.path)
        self._read: frozenset[str] | None = None
        self._read_state: tuple[int, int] | None = None

    @property
    def _digests(self) -> frozenset[str]:
        """The digests as of the last `refresh`; the first use reads them."""
        if self._read is None:
            self.refresh()
        return self._read or frozenset()

    def refresh(self) -> None:
        """Read the digests that other processes have added, if the file has changed.

        Raises:
            DamagedFileError: A line is not what was written.
        """
        try:
            state = self.path.stat()
        except FileNotFoundError:
            self._read = frozenset()
            return
        if (state.st_size, state.st_mtime_ns) != self._read_state:
            self._read = frozenset(_decode_lines(self.path, self.path.read_bytes()))
            self._read_state = (state.st_size, state.st_mtime_ns)

    def add(self, people: Iterable[str]) -> None:
        """Mark ids as erased. The digests are on disk when the call returns."""
        make_folder(self.path.parent)
        lines = b"".join(_encode_line(self._pseudonyms.digest(person)) for person in people)
        with open(self.path, "a+b", opener=open_private) as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            file.seek(0)
            content = file.read()
            _decode_lines(self.path, content)
            file.truncate(content.rfind(b"\n") + 1)  # a line that a crash has torn was never promised to anybody
            file.seek(0, os.SEEK_END)
            file.write(lines)
            file.flush()
            os.fsync(file.fileno())
        self.refresh()

    def __contains__(self, person: object) -> bool:
        return bool(self._digests) and isinstance(person, str) and self._pseudonyms.digest(person) in self._digests

    def __bool__(self) -> bool:
        return bool(self._digests)

    def select(self, ids: pa.ChunkedArray | pa.Array) -> pa.Array:
        """Return the distinct ids (string) that are erased, without nulls."""
        if not self._digests:
            return pa.array([], pa.string())
        return pa.array([person for person in pc.unique(ids).to_pylist() if person in self], pa.string())

    def is_named_in(self, text: str) -> bool:
        """Return whether an erased id is a word of a text, such as the JSON of a rejected row."""
        if not self._digests:
            return False
        words = {word for pattern in WORDS for word in pattern.findall(text)}
        for quoted in JSON_STRING.findall(text):  # an id may hold characters that end a word
            with suppress(ValueError):
                words.add(json.loads(quoted))
        return any(word in self or unquote(word) in self for word in words)

    def without(self, events: pa.Table) -> pa.Table:
        """Return the events without those of erased people.

        The events of an erased user are left out, and so are events that name an erased device and no user. The
        events of another user on an erased device stay, without the id of the device.
        """
        if not self._digests or not len(events):
            return events
        return without_people(events, self.select(pa.chunked_array(
            [chunk for name in ("user_id", "anonymous_id") for chunk in events[name].chunks], pa.string()
        )))  # fmt: skip


def _encode_line(digest: str) -> bytes:
    return f"{digest} {zlib.crc32(digest.encode()):08x}\n".encode()


def _decode_lines(path: Path, content: bytes) -> list[str]:
    """Return the digests of the complete lines. Lines of an earlier version have no checksum.

    Raises:
        DamagedFileError: A line is not what was written.
    """
    digests = []
    for number, line in enumerate(content.split(b"\n"), start=1):
        is_last = number > content.count(b"\n")
        digest = line.decode("ascii", "replace").partition(" ")[0]
        if line == _encode_line(digest)[:-1] or OLDER_LINE.fullmatch(line):
            digests.append(digest)
        elif not is_last or len(line) >= len(_encode_line("0" * 64)):
            raise DamagedFileError(path, f"line {number} is no digest of an erased id", REMEDY)
    return digests


def without_people(events: pa.Table, ids: pa.Array) -> pa.Table:
    """Return the events without those of the given ids, by the rule of `ErasedIds.without`."""
    if not len(ids):
        return events
    user, device = (pc.is_in(events[name], value_set=ids) for name in ("user_id", "anonymous_id"))
    gone = pc.or_(user, pc.and_(device, pc.is_null(events["user_id"])))
    if pc.any(device).as_py():
        place = events.column_names.index("anonymous_id")
        stripped = pc.if_else(device, pa.scalar(None, pa.string()), events["anonymous_id"])
        events = events.set_column(place, events.schema.field(place), stripped)
    kept: pa.Table = events.filter(pc.invert(gone))
    return kept

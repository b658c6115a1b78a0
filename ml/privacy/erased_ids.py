"""Erased ids, as keyed digests. They keep the events of erased people out of the log, however late they come."""

from __future__ import annotations

import fcntl
import json
import os
import re
import zlib
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from urllib.parse import unquote

import pyarrow as pa
import pyarrow.compute as pc

from ml.errors import DamagedFileError
from ml.home import FileVersion, Home, file_version, make_folder, open_private
from ml.privacy.id_matcher import looks_random
from ml.privacy.person_key import person_key
from ml.privacy.pseudonyms import Pseudonyms

OLDER_LINE = re.compile(rb"[0-9a-f]{64}")
REMEDY = "put the file back from a backup; without it, people who were erased since could be taken in again"
JSON_STRING = re.compile(r'"(?:[^"\\]|\\.)*"')
WORDS = (re.compile(r"[^\s\"'\\,;{}\[\]()<>=&?/]+"), re.compile(r"[\w-]+"))  # ids may hold a colon or a dot


class ErasedIds:
    """Digests below `home/erasures`, one a line. The ids themselves are not kept.

    An erased id is never accepted again, whatever the time of its events. A site that meets the person again gives
    the person a new id.

    The id that an erasure names is erased as that of a user and of a device. The devices that were found to belong
    to the person are erased as devices alone: anybody can name a device, also by the id of another user.
    """

    def __init__(self, home: Home) -> None:
        self.path = home.path / "erasures" / "erased_ids"
        self._pseudonyms = Pseudonyms(home.path)
        self._read: frozenset[str] | None = None
        self._version: FileVersion | None = None

    @property
    def digests(self) -> frozenset[str]:
        """The digests as of the last `refresh`; the first use reads them."""
        if self._read is None:
            self.refresh()
        return self._read or frozenset()

    def refresh(self) -> None:
        """Read the digests that other processes have added, if the file has changed.

        Raises:
            DamagedFileError: A line is not what was written.
        """
        version = file_version(self.path)
        if version is None:
            self._read = frozenset()
        elif version != self._version:
            self._read = frozenset(_decode_lines(self.path, self.path.read_bytes()))
        self._version = version

    def add(self, people: Iterable[str], devices: Iterable[str] = ()) -> None:
        """Mark ids as erased. The digests are on disk when the call returns.

        Args:
            people: Ids that are erased as those of users and of devices.
            devices: Ids that are erased as those of devices alone.
        """
        keys = [_key_of_user(person) for person in people] + [_key_of_device(device) for device in devices]
        self.add_digests(self._pseudonyms.digest(key) for key in keys)

    def add_digests(self, digests: Iterable[str]) -> None:
        """Mark ids as erased by their digests, which this site's key has made."""
        make_folder(self.path.parent)
        lines = b"".join(_encode_line(digest) for digest in digests)
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
        """Return whether an id is erased as that of a user, and so as that of a device too."""
        return isinstance(person, str) and self._has(_key_of_user(person))

    def has_device(self, device: object) -> bool:
        """Return whether the id of a device is erased."""
        return isinstance(device, str) and (device in self or self._has(_key_of_device(device)))

    def has_unit(self, unit_type: str, unit_id: str) -> bool:
        """Return whether the unit of an experiment, a user or a device, is erased."""
        return self.has_device(unit_id) if unit_type == "anonymous" else unit_id in self

    def _has(self, key: str) -> bool:
        return bool(self.digests) and self._pseudonyms.digest(key) in self.digests

    def __bool__(self) -> bool:
        return bool(self.digests)

    def select_users(self, ids: pa.ChunkedArray | pa.Array) -> pa.Array:
        """Return the distinct ids of users (string) that are erased, without nulls."""
        return self._select(ids, self.__contains__)

    def select_devices(self, ids: pa.ChunkedArray | pa.Array) -> pa.Array:
        """Return the distinct ids of devices (string) that are erased, without nulls."""
        return self._select(ids, self.has_device)

    def _select(self, ids: pa.ChunkedArray | pa.Array, is_erased: Callable[[object], bool]) -> pa.Array:
        if not self.digests:
            return pa.array([], pa.string())
        return pa.array([person for person in pc.unique(ids).to_pylist() if is_erased(person)], pa.string())

    def is_named_in(self, text: str) -> bool:
        """Return whether an erased id is a word of a text, such as the JSON of a rejected row."""
        if not self.digests:
            return False
        words = {word for pattern in WORDS for word in pattern.findall(text)}
        for quoted in JSON_STRING.findall(text):  # an id may hold characters that end a word
            with suppress(ValueError):
                words.add(json.loads(quoted))
        return any(self._is_erased_word(word) or self._is_erased_word(unquote(word)) for word in words)

    def _is_erased_word(self, word: str) -> bool:
        return word in self or (looks_random(word) and self.has_device(word))

    def without(self, events: pa.Table) -> pa.Table:
        """Return the events without those of erased people.

        The events of an erased user are left out, and so are events that name an erased device and no user. The
        events of another user on an erased device stay, without the id of the device.
        """
        if not self.digests or not len(events):
            return events
        return without_people(
            events, self.select_users(events["user_id"]), self.select_devices(events["anonymous_id"])
        )


def _key_of_user(person: str) -> str:
    return str(person_key(person, None))


def _key_of_device(device: str) -> str:
    return str(person_key(None, device))


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
            raise DamagedFileError(path, f"line {number} is not a digest of an erased id", REMEDY)
    return digests


def without_people(events: pa.Table, users: pa.Array, devices: pa.Array) -> pa.Table:
    """Return the events without those of the given users and devices, by the rule of `ErasedIds.without`."""
    if not len(users) and not len(devices):
        return events
    user = pc.is_in(events["user_id"], value_set=users)
    device = pc.is_in(events["anonymous_id"], value_set=devices)
    gone = pc.or_(user, pc.and_(device, pc.is_null(events["user_id"])))
    if pc.any(device).as_py():
        place = events.column_names.index("anonymous_id")
        stripped = pc.if_else(device, pa.scalar(None, pa.string()), events["anonymous_id"])
        events = events.set_column(place, events.schema.field(place), stripped)
    kept: pa.Table = events.filter(pc.invert(gone))
    return kept

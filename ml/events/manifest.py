"""The manifest of the event log: one line of checked JSON for each sealed part."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from ml.errors import DamagedFileError
from ml.home import make_folder, open_private, sync_path
from ml.integrity.checked_json import CHECK, ChecksumError, decode_checked, encode_checked

REMEDY = (
    "put this line back from the copy of the file in a backup; without one, move the files below events/ that no "
    "line names out of the home, delete the line, and bring them back with `tessera ingest files --path FILE`"
)
LINE_START = b'{"part_id": "'
LINE_END = re.compile(rb'"%s": "[0-9a-f]{8}"\}' % CHECK.encode())


@dataclass(frozen=True)
class Part:
    """One sealed file.

    Attributes:
        path: The file, relative to the log's folder.
        sealed_at, received_min, received_max: ISO 8601 times in UTC.
        replaces: The ids of the parts whose place this one takes.
        sha256: The SHA-256 of the file; None for a part of an earlier version.
        read_until: Topic, partition and the offset after the last message that is in the log with this part.
    """

    part_id: str
    path: str
    rows: int
    bytes: int
    source: str
    fingerprint: str | None
    sealed_at: str
    received_min: str
    received_max: str
    replaces: tuple[str, ...] = ()
    sha256: str | None = None
    read_until: tuple[tuple[str, int, int], ...] = ()

    def line(self) -> dict[str, Any]:
        """Return the fields of the manifest's line; only parts that were read from a topic say how far."""
        fields = asdict(self)
        if not self.read_until:
            del fields["read_until"]
        return fields


class Manifest:
    """The file of lines. The caller holds the log's lock while it appends."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def read(self) -> list[Part]:
        """Return every part that was ever sealed, in the order of sealing.

        A last line that was torn by a crash never counted.

        Raises:
            DamagedFileError: A line is not what was written.
        """
        return self._require_whole(self._content())

    def live_parts(self) -> list[Part]:
        """Return the parts with events that no other part replaces, in the order of sealing.

        Raises:
            DamagedFileError: A line is not what was written.
        """
        return select_live(self.read())

    def read_all(self) -> tuple[list[Part], list[DamagedFileError]]:
        """Return the parts of the readable lines, and an error for each damaged line."""
        return self._decode_all(self._content())

    def _require_whole(self, content: bytes) -> list[Part]:
        parts, damages = self._decode_all(content)
        if damages:
            raise damages[0]
        return parts

    def _decode_all(self, content: bytes) -> tuple[list[Part], list[DamagedFileError]]:
        parts: list[Part] = []
        damages: list[DamagedFileError] = []
        for number, line in enumerate(_lines(content), start=1):
            try:
                parts.append(_decode(line))
            except ChecksumError as error:
                damages.append(DamagedFileError(self.path, f"line {number} {error}", REMEDY))
        return parts, damages

    def append(self, parts: Sequence[Part]) -> None:
        """Add lines durably.

        Raises:
            DamagedFileError: A line of the file is damaged.
        """
        make_folder(self.path.parent)
        with open(self.path, "a+b", opener=open_private) as file:
            file.seek(0)
            content = file.read()
            self._require_whole(content)
            lines = _lines(content)
            whole = sum(len(line) + 1 for line in lines)
            if whole < len(content):  # a writer was killed inside a line, so its part was never sealed
                file.truncate(whole)
            file.seek(0, os.SEEK_END)
            if whole > len(content):  # a writer was killed before the end of the line, which is complete
                file.write(b"\n")
            file.write(b"".join(encode_checked(part.line()).encode() + b"\n" for part in parts))
            file.flush()
            os.fsync(file.fileno())
        sync_path(self.path.parent)

    def _content(self) -> bytes:
        try:
            return self.path.read_bytes()
        except FileNotFoundError:
            return b""


def select_live(sealed: Sequence[Part]) -> list[Part]:
    """Return those of all sealed parts that have events and that no other part replaces, in their order."""
    replaced = {part_id for part in sealed for part_id in part.replaces}
    return [part for part in sealed if part.part_id not in replaced and part.rows]


def _lines(content: bytes) -> list[bytes]:
    """Split the content into lines, without a last line that was torn by a crash.

    What follows the last line break is torn if it is the beginning of a line. Otherwise it is a complete line, or
    its line break is damaged.
    """
    whole, _, tail = content.rpartition(b"\n")
    lines = whole.split(b"\n") if whole or content.startswith(b"\n") else []
    is_beginning = tail.startswith(LINE_START) or LINE_START.startswith(tail)
    return lines if is_beginning and not LINE_END.search(tail) else [*lines, tail]


def _decode(line: bytes) -> Part:
    """Return the part of a line.

    Raises:
        ChecksumError: The line is not what was written.
    """
    row: dict[str, Any] = decode_checked(line)
    names = {field.name for field in fields(Part)}
    if unknown := row.keys() - names:
        raise ChecksumError(f"has the unknown fields {', '.join(sorted(unknown))}")
    try:
        read_until = tuple((topic, partition, end) for topic, partition, end in row.get("read_until", ()))
        return Part(**{**row, "replaces": tuple(row["replaces"]), "read_until": read_until})
    except (KeyError, TypeError, ValueError) as error:
        raise ChecksumError(f"lacks a field: {error}") from None

"""Compares sealed parts with their checksums, each once, and remembers which were compared."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from ml.errors import DamagedFileError
from ml.events.contract import EVENT_SCHEMA
from ml.events.manifest import Part
from ml.home import replace_file
from ml.integrity.digests import first_line, sha256_of

REMEDY = (
    "put the file back from a backup; without one, `tessera verify --set-aside` keeps it below events/damaged and "
    "saves the events that are readable"
)


class PartChecks:
    """The parts that were compared, below the log's folder, each with the size and time of change of its file.

    Args:
        folder: The log's folder.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._path = folder / ".checked_parts"

    def require_whole(self, parts: Sequence[Part]) -> None:
        """Compare the parts that were not compared since their files last changed.

        Raises:
            DamagedFileError: A file is missing or differs from its checksum.
        """
        checked = self._load()
        for part in parts:
            signature = _signature(self._folder / part.path)
            if signature is None or checked.get(part.path) != signature:
                check_part(self._folder, part)
        self._save(parts)

    def find_damage(self, parts: Iterable[Part]) -> list[DamagedFileError]:
        """Compare all parts, whenever they were compared before, and return an error for each damaged one."""
        damages = []
        for part in parts:
            try:
                check_part(self._folder, part)
            except DamagedFileError as error:
                damages.append(error)
        return damages

    def _load(self) -> dict[str, list[int]]:
        try:
            content = json.loads(self._path.read_text(encoding="utf-8"))
        except (FileNotFoundError, ValueError):
            return {}  # nothing is remembered, so all parts are compared again
        return content if isinstance(content, dict) else {}

    def _save(self, parts: Sequence[Part]) -> None:
        signatures = {part.path: _signature(self._folder / part.path) for part in parts}
        replace_file(self._path, json.dumps(signatures).encode())


def check_part(folder: Path, part: Part) -> None:
    """Compare a part with its checksum. A part of an earlier version, which has none, is read instead.

    Raises:
        DamagedFileError: The file is missing, differs from its checksum, or cannot be read.
    """
    file = folder / part.path
    try:
        size = file.stat().st_size
        if size != part.bytes:
            raise DamagedFileError(file, f"the file has {size:,} bytes, not {part.bytes:,}", REMEDY)
        if part.sha256 is None:
            _read_whole(file, part)
        elif sha256_of(file) != part.sha256:
            raise DamagedFileError(file, "the file differs from its checksum in the manifest", REMEDY)
    except FileNotFoundError:
        raise DamagedFileError(file, "the file is missing", REMEDY) from None


def readable_row_groups(file: Path) -> list[pa.Table]:
    """Return the row groups of a damaged part that can be read (EVENT_SCHEMA); none if its footer is damaged."""
    try:
        opened = pq.ParquetFile(file, page_checksum_verification=True)
    except (pa.ArrowException, OSError):
        return []
    tables = []
    with opened:
        for group in range(opened.num_row_groups):
            try:
                table = opened.read_row_group(group)
                missing = [field for field in EVENT_SCHEMA if field.name not in table.column_names]
                for field in missing:
                    table = table.append_column(field, pa.nulls(len(table), field.type))
                table = table.select(EVENT_SCHEMA.names).cast(EVENT_SCHEMA)
                table.validate(full=True)
            except (pa.ArrowException, OSError):
                continue
            tables.append(table)
    return tables


def _read_whole(file: Path, part: Part) -> None:
    try:
        table = pq.read_table(file, page_checksum_verification=True)
        table.validate(full=True)
    except (pa.ArrowException, OSError) as error:
        raise DamagedFileError(file, f"the file is unreadable ({first_line(error)})", REMEDY) from error
    if len(table) != part.rows:
        raise DamagedFileError(file, f"the file has {len(table):,} events, not {part.rows:,}", REMEDY)


def _signature(file: Path) -> list[int] | None:
    try:
        state = file.stat()
    except FileNotFoundError:
        return None
    return [state.st_size, state.st_mtime_ns, state.st_ino]

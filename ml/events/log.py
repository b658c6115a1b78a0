"""The append-only event log. No other code touches `TESSERA_HOME/events`.

A part is a Parquet file of accepted events. It belongs to the log once `manifest.jsonl` names it. Files that the
manifest does not name are left over from killed writers and are never read. Partitions are dates of `received_at`.
"""

from __future__ import annotations

import datetime as dt
import os
import uuid
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from ml.events.contract import EVENT_SCHEMA
from ml.events.manifest import Manifest, Part
from ml.events.part_checks import PartChecks, check_part, readable_row_groups
from ml.events.part_writer import ROW_GROUP_ROWS, PartWriter
from ml.home import Home, locked, make_folder, sync_path
from ml.integrity.abandoned_files import draft_folder, remove_abandoned_drafts
from ml.integrity.digests import sha256_of
from ml.integrity.home_layout import write_layout
from ml.privacy.erased_ids import ErasedIds

if TYPE_CHECKING:
    import pyarrow.dataset as ds

READ_AHEAD = 2  # batches: a wide batch of a part is tens of MiB
ReadUntil = tuple[tuple[str, int, int], ...]


class EventLog:
    """Sealed parts and their manifest below `home.events`. Events of erased people are never written."""

    def __init__(self, home: Home) -> None:
        self.home = home
        self.folder = home.events
        self.erased = ErasedIds(home)
        self.manifest = Manifest(self.folder / "manifest.jsonl")
        self.checks = PartChecks(self.folder)
        self.damaged = self.folder / "damaged"  # open parts with damaged frames, kept whole

    def parts(self) -> list[Part]:
        """Sealed parts that no other part replaces, in the order of sealing.

        Raises:
            DamagedFileError: A line of the manifest is damaged.
        """
        return self.manifest.live_parts()

    def has(self, fingerprint: str) -> bool:
        """Return whether a source with this content was ingested before."""
        return any(part.fingerprint == fingerprint for part in self.manifest.read())

    def read_until(self, topic: str) -> dict[int, int]:
        """Return the offset after the last message that was read into the log, by partition of a topic."""
        return {
            partition: end
            for part in self.manifest.read()
            for name, partition, end in part.read_until
            if name == topic
        }

    def path(self, part: Part) -> Path:
        """Absolute path of a part's file."""
        return self.folder / part.path

    def read(
        self,
        parts: Sequence[Part] | None = None,
        columns: Sequence[str] | None = None,
        condition: pc.Expression | None = None,
    ) -> Iterator[pa.RecordBatch]:
        """Stream events in bounded memory.

        Args:
            parts: The parts to read; all of them if absent.
            columns: The columns to read; all of them if absent.
            condition: What has to hold of an event; None reads every event.

        Yields:
            Batches with the types of EVENT_SCHEMA.

        Raises:
            DamagedFileError: A part cannot be read.
        """
        import pyarrow.dataset as ds  # noqa: PLC0415  (it imports pandas, which would slow the start of a collector by a second)

        chosen = self.parts() if parts is None else parts
        if not chosen:
            return
        scan = ds.ParquetFragmentScanOptions(page_checksum_verification=True)
        try:
            dataset = ds.dataset(
                [self.path(part) for part in chosen],
                schema=EVENT_SCHEMA,
                format=ds.ParquetFileFormat(default_fragment_scan_options=scan),
            )
            for scanned in _datasets(dataset, condition):
                yield from scanned.to_batches(
                    columns=list(columns) if columns else None,
                    filter=condition,
                    batch_readahead=READ_AHEAD,
                    fragment_readahead=1,
                )
        except (pa.ArrowException, OSError):
            sealed = set(self.parts())  # a part that was replaced in the meantime may be missing
            for part in chosen:
                if part in sealed:
                    check_part(self.folder, part)
            raise

    def set_aside(self, part: Part) -> int:
        """Keep a damaged part below `events/damaged`, and replace it in the log by its readable events.

        Returns:
            The number of events that were saved.
        """
        file = self.path(part)
        tables = readable_row_groups(file) if file.exists() else []
        if file.exists():
            with suppress(FileExistsError):  # an earlier attempt has kept it
                os.link(file, make_folder(self.damaged) / file.name)
            sync_path(self.damaged)
        self.replace(part, [batch for table in tables for batch in table.to_batches()])
        return sum(len(table) for table in tables)

    @contextmanager
    def ingest(
        self, source: str, fingerprint: str | None = None, read_until: ReadUntil = ()
    ) -> Iterator[PartWriter]:
        """Write many events. They become visible together when the block ends, or not at all if it raises.

        Args:
            source: The tracker, file source or topic that brought them.
            fingerprint: Fingerprint of a file's content.
            read_until: Topic, partition and offset after the last message: it becomes known with the events, also
                where no message was an event.
        """
        with self._draft() as writer:
            yield writer
            self._seal(writer, source, fingerprint, read_until=read_until)

    def seal_table(self, part_id: str, table: pa.Table, source: str) -> list[Part]:
        """Seal one table as a part. Sealing the same `part_id` again changes nothing."""
        if any(part.part_id.startswith(f"{part_id}-") for part in self.manifest.read()):
            return []
        with self._draft(part_id) as writer:
            writer.write(table)
            return self._seal(writer, source, None)

    def compact(self, below_rows: int = ROW_GROUP_ROWS) -> list[Part]:
        """Merge the small sealed parts of each day into one. The old files stay for their present readers."""
        small: dict[str, list[Part]] = {}
        for part in self.parts():
            if part.rows < below_rows:
                small.setdefault(part.path.split("/")[0], []).append(part)
        merged: list[Part] = []
        for parts in small.values():
            if len(parts) > 1:
                sources = {part.source for part in parts}
                merged += self._replace(parts, self.read(parts), "+".join(sorted(sources)))
        return merged

    def replace(self, part: Part, batches: Iterable[pa.RecordBatch]) -> list[Part]:
        """Replace a part by these events, and remove the old file."""
        replacement = self._replace([part], batches, part.source)
        self.path(part).unlink(missing_ok=True)
        return replacement

    def drop(self, parts: Sequence[Part]) -> None:
        """Take parts out of the log and remove their files."""
        if parts:
            self._replace(parts, [], "")
        for part in parts:
            self.path(part).unlink(missing_ok=True)

    def remove_replaced(self, older_than: dt.timedelta, now: dt.datetime) -> int:
        """Delete the files of replaced parts and those that killed writers left behind.

        Args:
            older_than: How long ago a part must have been replaced.
            now: The present time.

        Returns:
            The number of files and drafts that were deleted.
        """
        removed = remove_abandoned_drafts(self.folder / "draft", "*")
        with self._lock():
            sealed = self.manifest.read()
            replaced_at = {old: part.sealed_at for part in sealed for old in part.replaces}
            recent = {
                part.path
                for part in sealed
                if part.part_id not in replaced_at
                or now - dt.datetime.fromisoformat(replaced_at[part.part_id]) < older_than
            }
            for file in self.folder.glob("received_date=*/*.parquet"):
                if str(file.relative_to(self.folder)) not in recent:
                    file.unlink()
                    removed += 1
        return removed

    def _replace(self, parts: Sequence[Part], batches: Iterable[pa.RecordBatch], source: str) -> list[Part]:
        with self._draft() as writer:
            for batch in batches:
                writer.write(pa.Table.from_batches([batch]))
            return self._seal(writer, source, None, replaces=tuple(part.part_id for part in parts))

    @contextmanager
    def _draft(self, part_id: str | None = None) -> Iterator[PartWriter]:
        """Write files that are deleted when the block ends, unless they are sealed in it."""
        name = part_id or uuid.uuid4().hex
        with draft_folder(self.folder / "draft" / name) as draft:
            writer = PartWriter(draft, self.erased, name=name)
            try:
                yield writer
            finally:
                writer.abandon()

    def _seal(
        self,
        writer: PartWriter,
        source: str,
        fingerprint: str | None,
        replaces: tuple[str, ...] = (),
        read_until: ReadUntil = (),
    ) -> list[Part]:
        files, draft = writer.close(), writer.folder
        now = dt.datetime.now(dt.UTC).isoformat()
        parts = []
        for file in files:
            target = f"received_date={file.received_date}/{file.part_id}.parquet"
            size = (draft / file.name).stat().st_size
            parts.append(
                Part(
                    file.part_id, target, file.rows, size, source, fingerprint, now,
                    file.received_min.isoformat(), file.received_max.isoformat(),
                    sha256=sha256_of(draft / file.name),
                )
            )  # fmt: skip
        if (replaces or read_until) and not parts:
            parts = [Part(uuid.uuid4().hex, "", 0, 0, source, None, now, now, now)]
        if parts:
            parts[0] = replace(parts[0], replaces=replaces)
            parts[-1] = replace(parts[-1], read_until=read_until)  # the last line, which counts after all others
        with self._lock():
            for file, part in zip(files, parts, strict=False):
                target_path = self.folder / part.path
                make_folder(target_path.parent)
                os.replace(draft / file.name, target_path)
                sync_path(target_path.parent)
            self.manifest.append(parts)
        return parts

    @contextmanager
    def _lock(self) -> Iterator[None]:
        write_layout(self.home)
        with locked(self.folder / ".lock"):
            yield


def _datasets(dataset: ds.FileSystemDataset, condition: pc.Expression | None) -> Iterator[ds.FileSystemDataset]:
    """Yield each row group that holds what a condition wants, for which only the columns it names are read."""
    if condition is None:
        yield dataset
        return
    for file in dataset.get_fragments():
        for group in file.split_by_row_group(condition, dataset.schema):
            matching = type(dataset)([group], dataset.schema, dataset.format, dataset.filesystem)
            if matching.count_rows(filter=condition):
                yield matching

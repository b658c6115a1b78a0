"""Frames: how open parts hold events, and how they are read when bytes of the file are damaged.

A frame is the length and the CRC-32 of its payload, followed by the payload, an Arrow IPC record batch. Every
payload begins with the same four bytes, so a reader finds the next frame behind a damaged one.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa

from ml.events.contract import EVENT_SCHEMA

FRAME_HEADER = struct.Struct("<II")
PAYLOAD_START = b"\xff\xff\xff\xff"  # the continuation marker of the Arrow IPC format
FIRST_CONTRACT_FIELDS = 29  # the number of fields that the first contract had; later ones are added at the end


@dataclass
class FrameDamage:
    """What could not be read of an open part.

    Attributes:
        ranges: The damaged bytes, as (offset, length).
        frames: The number of frames that were read.
        rows: The number of events that were read.
        whole_bytes: The end of the last readable frame, behind which a torn frame was cut off.
    """

    ranges: list[tuple[int, int]] = field(default_factory=list)
    frames: int = 0
    rows: int = 0
    whole_bytes: int = 0

    def __bool__(self) -> bool:
        return bool(self.ranges)

    def __str__(self) -> str:
        ranges = ", ".join(f"{length:,} bytes from byte {offset:,}" for offset, length in self.ranges)
        return f"{ranges} are unreadable; {self.frames:,} frames with {self.rows:,} events are readable"


def encode_frame(batch: pa.RecordBatch) -> bytes:
    """Return a batch (EVENT_SCHEMA) as a frame."""
    payload: bytes = batch.serialize().to_pybytes()
    return FRAME_HEADER.pack(len(payload), zlib.crc32(payload)) + payload


def read_frames(path: Path, damage: FrameDamage | None = None) -> Iterator[pa.RecordBatch]:
    """Yield the readable frames of a file, those behind damaged bytes included.

    A last frame that ends before its length was never acknowledged. It is left out and is not damage.

    Args:
        path: The open part.
        damage: Is filled in while the frames are read.

    Yields:
        Batches with EVENT_SCHEMA. Fields that an older contract did not have are null.
    """
    report = FrameDamage() if damage is None else damage
    with open(path, "rb") as file:
        offset = 0
        while header := file.read(FRAME_HEADER.size):
            payload = _complete_payload(header, file.read(_length(header)))
            batch = _decode(payload) if payload is not None else None
            if batch is None:
                file.seek(offset)
                yield from _salvage(file.read(), offset, report)
                return
            offset += len(header) + len(payload or b"")
            yield _counted(batch, offset, report)


def _salvage(content: bytes, base: int, report: FrameDamage) -> Iterator[pa.RecordBatch]:
    """Yield the readable frames of content that begins with an unreadable one, at the offset `base` of a file."""
    position = 0
    while position < len(content):
        batch, end = _frame_at(content, position)
        if batch is not None:
            position = end
            yield _counted(batch, base + end, report)
            continue
        after = _next_frame(content, position)
        end = len(content) if after is None else after
        # Where only the length is damaged, the payload reaches to the next frame and its checksum holds.
        payload = content[position + FRAME_HEADER.size : end]
        only_length = _checksum(content, position) == zlib.crc32(payload) and len(payload) > 0
        batch = _decode(payload) if only_length else None
        if batch is not None:
            yield _counted(batch, base + end, report)
        if batch is not None or after is not None or not _is_torn(content, position):
            report.ranges.append((base + position, FRAME_HEADER.size if batch is not None else end - position))
        position = end


def _frame_at(content: bytes, position: int) -> tuple[pa.RecordBatch | None, int]:
    """Return the frame at a position and its end, or None if there is no readable frame."""
    header = content[position : position + FRAME_HEADER.size]
    start = position + FRAME_HEADER.size
    payload = _complete_payload(header, content[start : start + _length(header)])
    batch = _decode(payload) if payload is not None else None
    return batch, start + len(payload or b"")


def _next_frame(content: bytes, position: int) -> int | None:
    """Return where the next readable frame behind a position begins, or None if there is none."""
    marker = content.find(PAYLOAD_START, position + 1 + FRAME_HEADER.size)
    while marker >= 0:
        candidate = marker - FRAME_HEADER.size
        if _frame_at(content, candidate)[0] is not None:
            return candidate
        marker = content.find(PAYLOAD_START, marker + 1)
    return None


def _is_torn(content: bytes, position: int) -> bool:
    """Return whether the content ends before the frame at a position does."""
    header = content[position : position + FRAME_HEADER.size]
    payload = content[position + FRAME_HEADER.size :]
    return len(header) < FRAME_HEADER.size or _length(header) > len(payload)


def _length(header: bytes) -> int:
    return int(FRAME_HEADER.unpack(header)[0]) if len(header) == FRAME_HEADER.size else 0


def _checksum(content: bytes, position: int) -> int | None:
    header = content[position : position + FRAME_HEADER.size]
    return int(FRAME_HEADER.unpack(header)[1]) if len(header) == FRAME_HEADER.size else None


def _complete_payload(header: bytes, payload: bytes) -> bytes | None:
    """Return the payload if it is complete and its checksum holds."""
    if len(header) < FRAME_HEADER.size or not payload:
        return None
    length, checksum = FRAME_HEADER.unpack(header)
    return payload if len(payload) == length and zlib.crc32(payload) == checksum else None


def _decode(payload: bytes) -> pa.RecordBatch | None:
    """Return the batch of a payload, or None if it is no batch of this contract or an earlier one."""
    for n_fields in range(len(EVENT_SCHEMA), FIRST_CONTRACT_FIELDS - 1, -1):
        schema = pa.schema(list(EVENT_SCHEMA)[:n_fields])
        try:
            batch = pa.ipc.read_record_batch(pa.py_buffer(payload), schema)
            batch.validate()
        except pa.ArrowException:
            continue
        missing = [pa.nulls(len(batch), field.type) for field in list(EVENT_SCHEMA)[n_fields:]]
        return pa.RecordBatch.from_arrays([*batch.columns, *missing], schema=EVENT_SCHEMA)
    return None


def _counted(batch: pa.RecordBatch, end: int, report: FrameDamage) -> pa.RecordBatch:
    report.frames += 1
    report.rows += len(batch)
    report.whole_bytes = end
    return batch

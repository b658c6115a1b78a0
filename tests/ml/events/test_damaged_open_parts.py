"""Open parts with damaged bytes: what is readable is sealed, what is not is kept and reported."""

import json
import random
import stat

import pyarrow as pa
import pytest

from ml.events.contract import EVENT_SCHEMA
from ml.events.frames import FRAME_HEADER, FrameDamage, encode_frame, read_frames
from ml.events.live_log import OpenPartWriter, read_open_parts, recover_parts
from ml.events.log import EventLog
from ml.events.records import events_from_records
from ml.home import Home

FRAMES, ROWS = 10, 100


def table(first: int, rows: int = ROWS) -> pa.Table:
    records = [
        {
            "event_id": f"e{row}",
            "event_type": "page_view",
            "occurred_at": "2026-05-04T12:00:00Z",
            "received_at": "2026-05-04T12:00:00Z",
            "anonymous_id": f"a{row}",
        }
        for row in range(first, first + rows)
    ]
    return events_from_records(records)[0].drop_columns("row")


@pytest.fixture
def log(tmp_path):
    return EventLog(Home(tmp_path))


@pytest.fixture
def open_part(log):
    """Ten frames of a hundred events, as a killed collector leaves them, and the offset of each frame."""
    writer = OpenPartWriter(log, "test", max_age_seconds=1e9)
    starts = []
    for frame in range(FRAMES):
        starts.append(writer._part.size if writer._part else 0)
        writer.append(table(frame * ROWS))
    path = writer._part.path
    writer._part.close()
    return path, starts


def flip(path, offset, length=1):
    content = bytearray(path.read_bytes())
    for place in range(offset, min(offset + length, len(content))):
        content[place] ^= 0x10
    path.write_bytes(content)


def sealed_ids(log):
    return [event for batch in log.read(columns=["event_id"]) for event in batch["event_id"].to_pylist()]


def test_a_flipped_bit_in_the_fourth_frame_costs_that_frame_alone(log, open_part, caplog):
    path, starts = open_part
    flip(path, starts[3] + 500)
    damaged = path.read_bytes()
    recover_parts(log)
    assert sorted(sealed_ids(log)) == sorted(f"e{row}" for row in range(1000) if not 300 <= row < 400)
    assert not path.exists()
    kept = log.damaged / path.name
    assert kept.read_bytes() == damaged
    assert json.loads(kept.with_suffix(".json").read_text()) == {
        "file": path.name,
        "ranges": [[starts[3], starts[4] - starts[3]]],
        "readable_frames": 9,
        "readable_events": 900,
    }
    assert str(kept) in caplog.text
    assert "9 frames with 900 events are readable" in caplog.text


def test_readers_of_open_parts_see_the_events_behind_a_damaged_frame(log, open_part):
    path, starts = open_part
    flip(path, starts[0] + 200, 64)
    assert sum(len(batch) for batch in read_open_parts(log)) == 900


@pytest.mark.parametrize("frame", [0, 4, 9])
def test_a_damaged_length_costs_no_event(log, open_part, frame):
    path, starts = open_part
    for byte in range(4):
        content = path.read_bytes()
        flip(path, starts[frame] + byte)
        damage = FrameDamage()
        assert sum(len(batch) for batch in read_frames(path, damage)) == 1000
        assert damage.ranges == [(starts[frame], FRAME_HEADER.size)]
        path.write_bytes(content)


def test_a_torn_last_frame_is_cut_without_a_word(log, open_part, caplog):
    path, starts = open_part
    content = path.read_bytes()
    for size in (starts[9] + 1, starts[9] + FRAME_HEADER.size, starts[9] + 300, len(content) - 1):
        path.write_bytes(content[:size])
        damage = FrameDamage()
        assert sum(len(batch) for batch in read_frames(path, damage)) == 900
        assert not damage
    recover_parts(log)
    assert len(sealed_ids(log)) == 900
    assert not log.damaged.exists()
    assert caplog.text == ""


def test_a_complete_last_frame_with_a_damaged_payload_is_damage_not_a_torn_frame(log, open_part):
    path, starts = open_part
    flip(path, starts[9] + 400)
    recover_parts(log)
    assert len(sealed_ids(log)) == 900
    assert (log.damaged / path.name).exists()


def test_damage_at_any_place_is_reported_and_every_whole_frame_is_saved(log, open_part):
    path, starts = open_part
    content = path.read_bytes()
    ends = [*starts[1:], len(content)]
    for offset in random.Random(7).sample(range(len(content)), 100):
        path.write_bytes(content)
        flip(path, offset)
        damage = FrameDamage()
        events = {event for batch in read_frames(path, damage) for event in batch["event_id"].to_pylist()}
        (frame,) = [place for place in range(FRAMES) if starts[place] <= offset < ends[place]]
        others = {f"e{row}" for row in range(1000) if row // ROWS != frame}
        assert others <= events
        assert damage, offset
        assert starts[frame] <= damage.ranges[0][0] <= offset


def test_frames_of_the_contract_before_the_authority_are_read_with_null(tmp_path):
    older = pa.schema([field for field in EVENT_SCHEMA if field.name != "authority"])
    (batch,) = table(0).select(older.names).cast(older).combine_chunks().to_batches()
    path = tmp_path / "older.open"
    path.write_bytes(encode_frame(batch) + encode_frame(table(100).combine_chunks().to_batches()[0]))
    read = pa.Table.from_batches(read_frames(path))
    assert read.schema == EVENT_SCHEMA
    assert read["event_id"].to_pylist() == [f"e{row}" for row in range(200)]
    assert read["authority"].null_count == 200


def test_what_the_log_writes_is_readable_by_its_owner_alone(log, open_part):
    path, starts = open_part
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    flip(path, starts[2] + 100)
    recover_parts(log)
    for place in log.folder.rglob("*"):
        assert stat.S_IMODE(place.stat().st_mode) == (0o700 if place.is_dir() else 0o600), place


def test_an_erased_person_is_left_out_when_an_event_is_appended(log):
    """The tombstone is read at each write, not only at the door."""
    writer = OpenPartWriter(log, "test", max_age_seconds=1e9)
    EventLog(Home(log.folder.parent)).erased.add(["a1"])  # another process
    writer.append(table(0, 3))
    assert [event for batch in read_open_parts(log) for event in batch["event_id"].to_pylist()] == ["e0", "e2"]

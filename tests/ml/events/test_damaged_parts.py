"""Sealed parts and manifest lines with damaged bytes: none is read in silence, and the file is named."""

import json
import random

import pytest

from ml.errors import DamagedFileError
from ml.events.log import EventLog
from ml.events.records import events_from_records
from ml.home import Home
from ml.integrity.digests import sha256_of


@pytest.fixture
def log(tmp_path):
    log = EventLog(Home(tmp_path))
    for source in ("first", "second"):
        with log.ingest(source) as writer:
            writer.write(events(source, 500))
    return log


def events(prefix, rows):
    records = [
        {
            "event_id": f"{prefix}-{row}",
            "event_type": "page_view",
            "occurred_at": "2026-05-04T12:00:00Z",
            "received_at": "2026-05-04T12:00:00Z",
            "anonymous_id": f"a{row}",
            "page_title": f"Title {row * 7919 % 1000}",
        }
        for row in range(rows)
    ]
    return events_from_records(records)[0].drop_columns("row")


def damage(path, offset, length=1):
    content = bytearray(path.read_bytes())
    for place in range(offset, min(offset + length, len(content))):
        content[place] ^= 0xFF
    path.write_bytes(content)


def test_the_manifest_holds_the_checksum_of_each_part(log):
    for part in log.parts():
        assert part.sha256 == sha256_of(log.path(part))
    log.checks.require_whole(log.parts())


def test_a_part_is_compared_again_only_after_its_file_has_changed(log):
    log.checks.require_whole(log.parts())
    remembered = json.loads((log.folder / ".checked_parts").read_text())
    assert sorted(remembered) == sorted(part.path for part in log.parts())
    (first, _) = log.parts()
    damage(log.path(first), 100)
    with pytest.raises(DamagedFileError, match="differs from its checksum"):
        log.checks.require_whole(log.parts())


@pytest.mark.parametrize("seed", range(20))
def test_damage_at_any_place_of_a_part_names_the_file_and_the_remedy(log, seed):
    place = random.Random(seed)
    part = place.choice(log.parts())
    damage(log.path(part), place.randrange(part.bytes), place.choice([1, 400]))
    with pytest.raises(DamagedFileError) as raised:
        log.checks.require_whole(log.parts())
    assert raised.value.file == log.path(part)
    assert "tessera verify --set-aside" in str(raised.value)
    assert [error.file for error in log.checks.find_damage(log.parts())] == [log.path(part)]


def test_reading_a_damaged_page_names_the_file(log):
    (_, second) = log.parts()
    damage(log.path(second), 300, 400)
    with pytest.raises(DamagedFileError, match=second.path):
        list(log.read())


def test_a_missing_part_is_named(log):
    (first, _) = log.parts()
    log.path(first).unlink()
    with pytest.raises(DamagedFileError, match=f"{first.path}: the file is missing"):
        list(log.read())
    with pytest.raises(DamagedFileError, match="the file is missing"):
        log.checks.require_whole(log.parts())


def test_setting_a_damaged_part_aside_saves_its_readable_row_groups(tmp_path, monkeypatch):
    monkeypatch.setattr("ml.events.part_writer.ROW_GROUP_ROWS", 100)
    log = EventLog(Home(tmp_path))
    with log.ingest("files") as writer:
        for start in range(0, 500, 100):
            writer.write(events("e", 500).slice(start, 100))
    (part,) = log.parts()
    damage(log.path(part), 300, 10)  # in the first row group
    whole = log.path(part).read_bytes()
    assert log.set_aside(part) == 400
    assert (log.damaged / log.path(part).name).read_bytes() == whole
    ids = [event for batch in log.read(columns=["event_id"]) for event in batch["event_id"].to_pylist()]
    assert sorted(ids) == sorted(f"e-{row}" for row in range(100, 500))
    assert log.checks.find_damage(log.parts()) == []


@pytest.mark.parametrize("seed", range(20))
def test_damage_at_any_place_of_the_manifest_names_the_line(log, seed):
    content = log.manifest.path.read_bytes()
    offset = random.Random(seed).randrange(len(content))
    damage(log.manifest.path, offset)
    with pytest.raises(DamagedFileError, match=r"manifest.jsonl: line [12] ") as raised:
        log.parts()
    assert raised.value.file == log.manifest.path
    with pytest.raises(DamagedFileError), log.ingest("more") as writer:
        writer.write(events("more", 1))


def test_every_byte_of_the_manifest_is_covered(log):
    content = log.manifest.path.read_bytes()
    for offset in range(len(content)):
        damage(log.manifest.path, offset)
        with pytest.raises(DamagedFileError):
            log.parts()
        log.manifest.path.write_bytes(content)


def test_lines_of_an_earlier_version_are_read(log):
    lines = [json.loads(line) for line in log.manifest.path.read_text().splitlines()]
    for line in lines:
        del line["sha256"], line["check"]
    log.manifest.path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    assert [part.sha256 for part in log.parts()] == [None, None]
    log.checks.require_whole(log.parts())
    assert sum(len(batch) for batch in log.read()) == 1000


def test_a_line_that_lacks_only_its_line_break_counts_and_the_next_one_follows(log):
    content = log.manifest.path.read_bytes()
    log.manifest.path.write_bytes(content[:-1])
    assert len(log.parts()) == 2
    with log.ingest("third") as writer:
        writer.write(events("third", 1))
    assert len(log.parts()) == 3
    assert log.manifest.path.read_bytes().startswith(content)

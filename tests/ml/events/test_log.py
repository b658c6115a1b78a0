import datetime as dt
import os
import signal
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from ml.events.live_log import OpenPartWriter, read_all_events, read_open_parts, recover_parts
from ml.events.log import EventLog
from ml.events.records import events_from_records
from ml.events.validation import validate_events
from ml.home import Home

NOON = dt.datetime(2026, 5, 4, 12, tzinfo=dt.UTC)
ROOT = Path(__file__).resolve().parents[3]


def events(*ids: str, received_at: dt.datetime = NOON) -> pa.Table:
    records = [
        {
            "event_id": event_id,
            "event_type": "page_view",
            "occurred_at": NOON,
            "received_at": received_at,
            "user_id": "u",
        }
        for event_id in ids
    ]
    table, rejected = events_from_records(records)
    assert len(rejected) == 0
    return validate_events(table.drop_columns("row"), NOON + dt.timedelta(days=30)).accepted


@pytest.fixture
def log(tmp_path):
    return EventLog(Home(tmp_path))


def ids(log: EventLog) -> list[str]:
    return sorted(
        event_id for batch in log.read(columns=["event_id"]) for event_id in batch["event_id"].to_pylist()
    )


def test_an_ingest_becomes_visible_whole_and_partitioned_by_the_day_of_receipt(log):
    with log.ingest("files", "print-1") as writer:
        writer.write(events("b", received_at=NOON + dt.timedelta(days=1)))
        writer.write(events("a"))
        assert log.parts() == []
    assert ids(log) == ["a", "b"]
    assert sorted(part.path.split("/")[0] for part in log.parts()) == [
        "received_date=2026-05-04",
        "received_date=2026-05-05",
    ]
    assert log.has("print-1")
    assert not log.has("print-2")


def test_an_ingest_that_fails_leaves_nothing(log):
    with pytest.raises(RuntimeError, match="boom"), log.ingest("files") as writer:
        writer.write(events("a"))
        raise RuntimeError("boom")
    assert log.parts() == []
    assert list(log.folder.rglob("*.parquet")) == []


def test_a_live_event_is_readable_before_and_after_sealing_and_never_twice(log):
    writer = OpenPartWriter(log, "collector")
    writer.append(events("a", "b"))
    assert [row for batch in read_open_parts(log) for row in batch["event_id"].to_pylist()] == ["a", "b"]
    assert ids(log) == []
    assert recover_parts(log) == []  # its writer lives
    writer.close()
    assert ids(log) == ["a", "b"]
    assert list(read_open_parts(log)) == []


def test_a_full_part_seals_itself(log):
    writer = OpenPartWriter(log, "collector", max_rows=2)
    writer.append(events("a"))
    assert log.parts() == []
    writer.append(events("b"))
    assert ids(log) == ["a", "b"]


def test_what_a_killed_writer_acknowledged_is_recovered_and_its_torn_tail_is_cut(log, tmp_path):
    script = f"""
import sys; sys.path[:0] = [{str(ROOT)!r}]
from pathlib import Path
from ml.events.log import EventLog
from ml.events.records import events_from_records
from ml.events.validation import validate_events
from ml.home import Home
from ml.events.live_log import OpenPartWriter
import datetime as dt, os
now = dt.datetime.now(dt.UTC)
table, _ = events_from_records([{{"event_id": "kept", "event_type": "click", "occurred_at": now, "user_id": "u"}}])
writer = OpenPartWriter(EventLog(Home(Path({str(tmp_path)!r}))), "collector")
writer.append(validate_events(table.drop_columns("row"), now).accepted)
print("acknowledged", flush=True)
import time; time.sleep(60)
"""
    process = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "acknowledged\n"
    assert recover_parts(log) == []
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    (open_part,) = (log.folder / "open").iterdir()
    with open(open_part, "ab") as file:
        file.write(open_part.read_bytes()[:-3])  # a second frame whose last bytes never reached the disk
    recover_parts(log)
    assert ids(log) == ["kept"]
    assert recover_parts(log) == []


def test_sealing_again_after_a_crash_between_manifest_and_removal_changes_nothing(log):
    log.seal_table("part", events("a"), "collector")
    assert log.seal_table("part", events("a"), "collector") == []
    assert ids(log) == ["a"]


def test_a_manifest_line_torn_by_a_crash_never_counted(log):
    log.seal_table("first", events("a"), "collector")
    with open(log.manifest.path, "ab") as file:
        file.write(b'{"part_id": "torn"')
    assert ids(log) == ["a"]
    log.seal_table("second", events("b"), "collector")
    assert ids(log) == ["a", "b"]


def test_compaction_keeps_every_event_and_names_what_it_replaced(log):
    for name in "abc":
        log.seal_table(name, events(name), "collector")
    old = {part.part_id for part in log.parts()}
    (merged,) = log.compact()
    assert ids(log) == ["a", "b", "c"]
    assert set(merged.replaces) == old
    now = dt.datetime.now(dt.UTC)
    assert log.remove_replaced(dt.timedelta(hours=1), now) == 0
    assert log.remove_replaced(dt.timedelta(hours=1), now + dt.timedelta(hours=2)) == 3
    assert ids(log) == ["a", "b", "c"]


def test_the_draft_of_a_killed_writer_goes_and_that_of_a_living_one_stays(log, tmp_path):
    now = dt.datetime.now(dt.UTC)
    script = f"""
from pathlib import Path
from ml.events.log import EventLog
from ml.home import Home
with EventLog(Home(Path({str(tmp_path)!r}))).ingest("file"):
    print("writing", flush=True)
    import time; time.sleep(60)
"""
    process = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "writing\n"
    (draft,) = (log.folder / "draft").iterdir()
    (draft / "half.parquet").write_bytes(b"PAR1 half a part")
    assert log.remove_replaced(dt.timedelta(0), now) == 0
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert draft.exists()
    with log.ingest("file") as writer:
        writer.write(events("a"))
        assert log.remove_replaced(dt.timedelta(0), now) == 1
    assert not draft.exists()
    assert ids(log) == ["a"]


def test_a_replaced_part_leaves_log_and_disk(log):
    log.seal_table("part", events("keep", "erase"), "collector")
    (part,) = log.parts()
    log.replace(part, events("keep").to_batches())
    assert ids(log) == ["keep"]
    assert not log.path(part).exists()
    (part,) = log.parts()
    log.replace(part, [])
    assert ids(log) == []
    assert log.parts() == []


def test_a_dropped_part_is_gone_from_log_and_disk_and_its_source_is_not_ingested_again(log):
    for name in ("old", "new"):
        with log.ingest("files", fingerprint=name) as writer:
            writer.write(events(name))
    old = next(part for part in log.parts() if part.fingerprint == "old")
    log.drop([old])
    assert ids(log) == ["new"]
    assert not log.path(old).exists()
    assert log.has("old")


def test_an_event_without_time_of_receipt_is_refused(log):
    table = events("a")
    place = table.schema.get_field_index("received_at")
    blank = table.set_column(place, table.schema.field(place), pa.nulls(1, table.schema.field(place).type))
    with pytest.raises(ValueError, match="received_at"), log.ingest("files") as writer:
        writer.write(blank)


def test_an_event_that_is_sealed_while_the_log_is_read_is_read_once(log):
    writer = OpenPartWriter(log, "collector")
    writer.append(events("a"))
    reading = read_all_events(log, ["event_id"])
    assert next(reading)["event_id"].to_pylist() == ["a"]
    writer.close()
    assert ids(log) == ["a"]
    assert list(reading) == []
    assert [batch["event_id"].to_pylist() for batch in read_all_events(log, ["event_id"])] == [["a"]]


def test_a_condition_holds_for_sealed_and_open_events(log):
    with log.ingest("files") as ingest:
        ingest.write(events("a", "b"))
        ingest.write(events("c", received_at=NOON + dt.timedelta(days=1)))
    OpenPartWriter(log, "collector").append(events("d", "a2"))
    is_chosen = pc.field("event_id").isin(["b", "c", "d"])
    chosen = [row for batch in read_all_events(log, ["event_id"], is_chosen) for row in batch.to_pylist()]
    assert sorted(row["event_id"] for row in chosen) == ["b", "c", "d"]
    later = read_all_events(log, ["event_id"], is_chosen, first_received=NOON + dt.timedelta(hours=12))
    assert sorted(row["event_id"] for batch in later for row in batch.to_pylist()) == ["c", "d"]

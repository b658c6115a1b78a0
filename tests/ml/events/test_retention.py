import datetime as dt
import os

import pyarrow as pa

from ml.events.contract import EVENT_SCHEMA
from ml.events.dead_letters import DeadLetters
from ml.events.live_dead_letters import RejectionLog, recover_dead_letters
from ml.events.log import EventLog
from ml.events.records import REJECTED_SCHEMA
from ml.events.retention import ExpiredRows, expire_events
from ml.home import Home
from ml.settings import load_settings

NOW = dt.datetime(2026, 5, 4, 12, tzinfo=dt.UTC)
PRIVACY = load_settings().privacy.model_copy(update={"retention_days": 10, "dead_letter_retention_days": 3})


def fill(home, *days_ago):
    """One event and one dead letter of each day, at noon and just before midnight."""
    for days in days_ago:
        received_at = NOW - dt.timedelta(days=days)
        rows = [
            {"event_id": f"{days} {hour}", "event_type": "click", "user_id": "u",
             "occurred_at": received_at, "received_at": received_at.replace(hour=hour)}
            for hour in (12, 23)
        ]  # fmt: skip
        with EventLog(home).ingest("test", str(days)) as writer:
            writer.write(pa.Table.from_pylist(rows, schema=EVENT_SCHEMA))
        letter = {"row": 0, "field": "event", "reason": "is old", "payload": str(days)}
        DeadLetters(home).write(pa.Table.from_pylist([letter], schema=REJECTED_SCHEMA), "test", received_at)


def test_whole_days_beyond_the_retention_leave_log_and_dead_letters(tmp_path):
    home = Home(tmp_path)
    fill(home, 0, 3, 4, 10, 11, 500)
    assert expire_events(home, PRIVACY, NOW) == ExpiredRows(events=4, dead_letters=4)
    ids = [one for batch in EventLog(home).read() for one in batch["event_id"].to_pylist()]
    assert ids == ["0 12", "0 23", "3 12", "3 23", "4 12", "4 23", "10 12", "10 23"]
    assert len(list(home.events.glob("received_date=*/*.parquet"))) == 4
    assert sorted(DeadLetters(home).read()["payload"].to_pylist()) == ["0", "3"]
    assert expire_events(home, PRIVACY, NOW) == ExpiredRows(events=0, dead_letters=0)


def test_letters_that_a_dead_collector_left_open_expire_too(tmp_path):
    home = Home(tmp_path)
    log = RejectionLog(home)
    old = {"row": 0, "field": "event", "reason": "is old", "payload": "", "source": "json"}
    log.append([{**old, "received_at": NOW - dt.timedelta(days=9)}])
    assert recover_dead_letters(home) == 0  # its writer is alive
    log._file.close()
    assert recover_dead_letters(home) == 1
    assert expire_events(home, PRIVACY, NOW).dead_letters == 1
    assert list(home.dead_letters.rglob("*.parquet")) == []


def test_damaged_files_that_are_kept_aside_expire_with_what_they_hold(tmp_path):
    home = Home(tmp_path)
    for folder, days in ((home.events, 10), (home.events, 11), (home.dead_letters, 3), (home.dead_letters, 4)):
        kept = folder / "damaged" / f"{days}.open"
        kept.parent.mkdir(parents=True, exist_ok=True)
        kept.touch()
        written = (NOW - dt.timedelta(days=days)).timestamp()
        os.utime(kept, (written, written))
    expire_events(home, PRIVACY, NOW)
    assert sorted(file.name for file in home.path.rglob("*.open")) == ["10.open", "3.open"]

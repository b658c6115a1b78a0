"""A backup is made while events come in, and what was acknowledged before its mark is in the restored home."""

from __future__ import annotations

import datetime as dt
import sqlite3
import stat
import threading
from pathlib import Path

import pyarrow as pa
import pytest
from typer.testing import CliRunner

from ml.erasure.person_ids import PersonIds
from ml.erasure.receipts import ErasureReceipts
from ml.errors import DamagedFileError
from ml.events.live_log import OpenPartWriter, recover_parts
from ml.events.log import EventLog
from ml.events.records import events_from_records
from ml.home import Home
from ml.privacy.erased_ids import ErasedIds
from ml.privacy.pseudonyms import MissingKeyError, Pseudonyms
from orchestration.cli import app
from orchestration.upkeep.backup import BackupError, back_up, newest_backup
from orchestration.upkeep.restoration import restore
from orchestration.upkeep.verification import verify_home
from serving.state.sqlite_store import SqliteStore

NOW = dt.datetime(2026, 5, 4, 12, tzinfo=dt.UTC)


def events(*ids: str, anonymous_id: str = "a") -> pa.Table:
    records = [
        {
            "event_id": event_id,
            "event_type": "page_view",
            "occurred_at": NOW,
            "received_at": NOW,
            "anonymous_id": anonymous_id,
        }
        for event_id in ids
    ]
    return events_from_records(records)[0].drop_columns("row")


def ids(home: Home) -> list[str]:
    log = EventLog(home)
    recover_parts(log)
    return sorted(event for batch in log.read(columns=["event_id"]) for event in batch["event_id"].to_pylist())


@pytest.fixture
def home(tmp_path: Path) -> Home:
    home = Home(tmp_path / "home")
    with EventLog(home).ingest("files") as writer:
        writer.write(events("sealed-1", "sealed-2"))
    store = SqliteStore(home.state_db)
    store.put_profile("ann", {"muted": ["sport"]})
    store.close()
    Pseudonyms(home.path).digest("ann")
    return home


def test_every_event_that_was_acknowledged_before_the_mark_is_restored_once(home: Home, tmp_path: Path) -> None:
    """A collector appends, seals and compacts while three backups are made."""
    log = EventLog(home)
    acknowledged: list[tuple[dt.datetime, str]] = []
    stop = threading.Event()

    def collect() -> None:
        writer = OpenPartWriter(log, "collector", max_rows=40)
        number = 0
        while not stop.is_set():
            batch = [f"live-{number + row}" for row in range(7)]
            writer.append(events(*batch))
            now = dt.datetime.now(dt.UTC)
            acknowledged.extend((now, event) for event in batch)
            number += 7
            if number % 210 == 0:
                log.compact()
                log.remove_replaced(dt.timedelta(0), dt.datetime.now(dt.UTC))

    collector = threading.Thread(target=collect)
    collector.start()
    try:
        while len(acknowledged) < 100:
            stop.wait(0.01)
        reports = [back_up(home, tmp_path / "backups") for _ in range(3)]
    finally:
        stop.set()
        collector.join()
    for number, report in enumerate(reports):
        restored = Home(tmp_path / f"restored-{number}")
        assert restore(report.folder, restored).mark == report.mark
        events_back = ids(restored)
        expected = {event for at, event in acknowledged if at < report.mark} | {"sealed-1", "sealed-2"}
        assert len(expected) > 100
        assert expected <= set(events_back)
        assert len(events_back) == len(set(events_back))
        assert verify_home(restored) == []


def test_an_unchanged_file_is_a_link_to_the_backup_before(home: Home, tmp_path: Path) -> None:
    first = back_up(home, tmp_path / "backups")
    with EventLog(home).ingest("files") as writer:
        writer.write(events("new"))
    second = back_up(home, tmp_path / "backups")
    (part,) = (first.folder / "home" / "events").glob("received_date=*/*.parquet")
    same = second.folder / part.relative_to(first.folder)
    assert part.stat().st_ino == same.stat().st_ino
    assert second.linked >= 1
    assert (first.events, second.events) == (2, 3)
    assert newest_backup(tmp_path / "backups") == second.folder
    restore(tmp_path / "backups", Home(tmp_path / "new"))
    restore(first.folder, Home(tmp_path / "old"))
    assert ids(Home(tmp_path / "new")) == ["new", "sealed-1", "sealed-2"]
    assert ids(Home(tmp_path / "old")) == ["sealed-1", "sealed-2"]


def test_the_state_is_copied_while_it_is_written(home: Home, tmp_path: Path) -> None:
    with sqlite3.connect(home.state_db) as database:
        database.execute("begin immediate")
        database.execute("insert into profiles values ('bob', '{}')")
        back_up(home, tmp_path / "backups")
        database.rollback()
    restored = Home(tmp_path / "restored")
    restore(tmp_path / "backups", restored)
    assert SqliteStore(restored.state_db).profile("ann") == {"muted": ["sport"]}
    assert SqliteStore(restored.state_db).profile("bob") == {}


def test_keys_are_apart_and_can_be_left_out(home: Home, tmp_path: Path) -> None:
    report = back_up(home, tmp_path / "backups")
    assert list(report.folder.rglob("site.key*")) == []
    assert (tmp_path / "backups" / "keys" / "site.key").read_bytes() == (home.path / "site.key").read_bytes()
    ErasedIds(home).add(["gone"])
    back_up(home, tmp_path / "without", with_keys=False)
    assert list((tmp_path / "without").rglob("site.key*")) == []
    restored = restore(tmp_path / "without", Home(tmp_path / "restored"))
    assert restored.missing_keys == ("site.key", "site.key.check")
    with pytest.raises(MissingKeyError):
        Pseudonyms(tmp_path / "restored").require_key()


def test_a_backup_is_readable_by_its_owner_alone(home: Home, tmp_path: Path) -> None:
    back_up(home, tmp_path / "backups")
    for place in [tmp_path / "backups", *(tmp_path / "backups").rglob("*")]:
        assert stat.S_IMODE(place.stat().st_mode) & 0o077 == 0, place


def test_a_damaged_part_is_not_backed_up_in_silence(home: Home, tmp_path: Path) -> None:
    (part,) = home.events.glob("received_date=*/*.parquet")
    content = bytearray(part.read_bytes())
    content[100] ^= 1
    part.write_bytes(content)
    with pytest.raises(DamagedFileError, match="differs from its checksum"):
        back_up(home, tmp_path / "backups")
    assert newest_backup(tmp_path / "backups") is None


def test_a_damaged_backup_is_not_restored(home: Home, tmp_path: Path) -> None:
    report = back_up(home, tmp_path / "backups")
    (part,) = report.folder.rglob("*.parquet")
    part.write_bytes(part.read_bytes()[:-1])
    with pytest.raises(DamagedFileError, match="restore an earlier backup"):
        restore(report.folder, Home(tmp_path / "restored"))
    assert not (tmp_path / "restored").exists()


def test_a_home_that_holds_something_is_not_restored_into(home: Home, tmp_path: Path) -> None:
    back_up(home, tmp_path / "backups")
    with pytest.raises(BackupError, match="is not empty"):
        restore(tmp_path / "backups", home)
    with pytest.raises(BackupError, match="holds no backup"):
        restore(tmp_path, Home(tmp_path / "restored"))
    with pytest.raises(BackupError, match="inside of the home"):
        back_up(home, home.path / "backups")


def test_who_was_erased_since_the_backup_is_erased_again(home: Home, tmp_path: Path) -> None:
    with EventLog(home).ingest("files") as writer:
        writer.write(events("of-gone", anonymous_id="visitor-gone"))
    runner = CliRunner()
    done = runner.invoke(app, ["backup", str(tmp_path / "backups"), "--home", str(home.path)])
    assert done.exit_code == 0, done.output
    old = newest_backup(tmp_path / "backups")
    ErasedIds(home).add(["visitor-gone"])
    back_up(home, tmp_path / "backups")
    place = tmp_path / "restored"
    done = runner.invoke(app, ["restore", str(old), "--home", str(place)])
    assert done.exit_code == 0, done.output
    assert "1 people were erased since" in done.output
    assert list(ErasureReceipts(Home(place)).pending().values()) == [PersonIds(("visitor-gone",))]
    assert "visitor-gone" in ErasedIds(Home(place))

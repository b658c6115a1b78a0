"""An erasure takes one person, letter for letter, and its receipt comes to an end."""

import datetime as dt

import pyarrow as pa
import pytest

from ml.erasure.log import erase_events
from ml.erasure.people import find_longer_ids, names_to_erase
from ml.erasure.person_ids import PersonIds
from ml.erasure.receipts import PLACES, ErasureReceipts
from ml.events.log import EventLog
from ml.events.records import events_from_records
from ml.home import Home
from orchestration.erasure.places import erase_from_files, verify_erasures
from orchestration.erasure.scan import scan_files
from orchestration.warehouse.warehouse import open_duckdb
from serving.state.sqlite_store import SqliteStore

NOW = dt.datetime(2026, 5, 4, 12, tzinfo=dt.UTC)
OTHERS = ["user-1001", "user-100.5", "team/user-100x", "another"]


def fill(home: Home, *people: str) -> None:
    records = [
        {
            "event_id": f"e{number}",
            "event_type": "page_view",
            "occurred_at": NOW,
            "received_at": NOW,
            "user_id": person,
            "page_url": f"https://site.example/people/{people[(number + 1) % len(people)]}",
        }
        for number, person in enumerate(people)
    ]
    with EventLog(home).ingest("files") as writer:
        writer.write(events_from_records(records)[0].drop_columns("row"))
    store = SqliteStore(home.state_db)
    for person in people:
        store.put_profile(person, {"muted": ["sport"]})
    store.close()
    with open_duckdb(home.warehouse) as warehouse:
        warehouse.register("rows", pa.table({"user_id": list(people)}))
        warehouse.execute("create table user_segments as from rows")
    (home.path / "logs").mkdir()
    (home.path / "logs" / "materialize.log").write_text("\n".join(people))


@pytest.mark.parametrize("person", ["user-100", "team/user-100", "y" * 1000, "12345678"])
def test_an_erasure_verifies_where_longer_ids_of_others_exist(person: str, tmp_path) -> None:
    home = Home(tmp_path / "home")
    fill(home, person, *OTHERS)
    log, receipts = EventLog(home), ErasureReceipts(home)
    receipt = receipts.open(PersonIds((person,)), NOW)["receipt_id"]
    log.erased.add([person])
    people = names_to_erase(log, receipts.pending())
    others = find_longer_ids(log, [person])
    assert erase_events(log, receipts.pending(), others) == {receipt: 1}
    erase_from_files(home, people, receipts, others)
    assert verify_erasures(home, people, receipts, others) == {receipt: 0}
    assert {place["status"] for place in receipts.receipt(receipt)["places"]} == {"verified"}
    assert len(receipts.receipt(receipt)["places"]) == len(PLACES)
    assert list(home.path.glob("erasures/pending/*")) == []
    if person != "12345678":  # a number may stand in a text by chance
        assert [file for file in home.path.rglob("*") if file.is_file() and is_in(person, file)] == []
    rows = pa.Table.from_batches(log.read())
    assert rows["user_id"].to_pylist() == OTHERS
    assert rows["page_url"][0].as_py() == "https://site.example/people/user-100.5"
    assert SqliteStore(home.state_db).profile("user-1001") == {"muted": ["sport"]}
    assert SqliteStore(home.state_db).profile(person) == {}
    with open_duckdb(home.warehouse) as warehouse:
        assert [row[0] for row in warehouse.sql("from user_segments").fetchall()] == OTHERS


def is_in(person: str, file) -> bool:
    content = file.read_text(encoding="utf-8", errors="replace")
    for other in OTHERS:
        content = content.replace(other, "")
    return person in content


def test_what_is_left_of_the_person_is_still_seen(tmp_path) -> None:
    home = Home(tmp_path / "home")
    fill(home, "user-100", "user-1001")
    assert {hit.path.split("/")[0] for hit in scan_files(home.path, ["user-100"], others=["user-1001"])} == {
        "events",
        "logs",
        "state.db",
        "warehouse.duckdb",
    }


def test_rows_that_a_worker_wrote_after_the_service_had_erased_are_swept(tmp_path) -> None:
    home = Home(tmp_path / "home")
    fill(home, "user-100", "another")
    receipts = ErasureReceipts(home)
    receipt = receipts.open(PersonIds(("user-100",)), NOW)["receipt_id"]
    EventLog(home).erased.add(["user-100"])
    receipts.record_verified(receipt, "online state", "cleared by the service")
    store = SqliteStore(home.state_db)  # another worker, late
    store.put_profile("user:user-100", {"muted": ["food"]})
    people = names_to_erase(EventLog(home), receipts.pending())
    erase_events(EventLog(home), receipts.pending())
    erase_from_files(home, people, receipts)
    assert verify_erasures(home, people, receipts) == {receipt: 0}
    assert store.profile("user:user-100") == {}

"""Who is erased stays out: at the log's door, in the dead letters, in what is read again."""

import datetime as dt
import shutil

import pyarrow as pa
import pytest

from ml.erasure.log import erase_dead_letters, erase_events
from ml.erasure.people import find_person_ids
from ml.erasure.person_ids import PersonIds
from ml.erasure.receipts import PLACES, ErasureReceipts
from ml.errors import DamagedFileError
from ml.events.contract import EVENT_SCHEMA
from ml.events.dead_letters import DeadLetters
from ml.events.log import EventLog
from ml.events.records import REJECTED_SCHEMA
from ml.home import Home
from ml.privacy.erased_ids import ErasedIds
from ml.privacy.pseudonyms import Pseudonyms

NOW = dt.datetime(2026, 3, 1, tzinfo=dt.UTC)


@pytest.fixture
def home(tmp_path):
    return Home(tmp_path)


def event(number, user=None, device=None, **fields):
    blank = dict.fromkeys(EVENT_SCHEMA.names)
    return {
        **blank, "event_id": f"e{number}", "event_type": "page_view", "occurred_at": NOW, "received_at": NOW,
        "user_id": user, "anonymous_id": device, "source": "test", **fields,
    }  # fmt: skip


def write(home, *events):
    with EventLog(home).ingest("test") as writer:
        writer.write(pa.Table.from_pylist(list(events), schema=EVENT_SCHEMA))


def rows(home):
    found = [row for batch in EventLog(home).read() for row in batch.to_pylist()]
    return sorted((row["event_id"], row["user_id"], row["anonymous_id"]) for row in found)


def test_the_log_takes_no_event_of_an_erased_person(home):
    ErasedIds(home).add(["ann-1234", "phone-of-ann"])
    write(
        home,
        event(1, "ann-1234", "phone-of-ann"),
        event(2, None, "phone-of-ann"),
        event(3, "bob", "phone-of-ann"),
        event(4, "bob", "kiosk"),
    )
    assert rows(home) == [("e3", "bob", None), ("e4", "bob", "kiosk")]


def test_the_ids_are_kept_as_digests_alone(home):
    erased = ErasedIds(home)
    erased.add(["ann-1234"])
    assert "ann-1234" in ErasedIds(home)
    assert "Ann-1234" not in ErasedIds(home)
    assert "ann-1234" not in erased.path.read_text()
    assert not any(
        "ann-1234" in file.read_text(errors="replace") for file in home.path.rglob("*") if file.is_file()
    )


def test_a_person_is_the_user_and_devices_that_nobody_else_used(home):
    write(
        home,
        event(1, "ann", "phone"),
        event(2, None, "phone"),
        event(3, "ann", "kiosk"),
        event(4, "bob", "kiosk"),
    )
    assert find_person_ids(EventLog(home), "ann", Pseudonyms(home.path)) == PersonIds(("ann",), ("phone",))
    address = find_person_ids(EventLog(home), "ann@shop.example", Pseudonyms(home.path))
    assert address.users[0] == "ann@shop.example"
    assert address.users[1].startswith("h:")  # as the collector stored it


def test_events_go_and_a_name_in_somebody_elses_event_is_cut_out(home):
    write(
        home,
        event(1, "ann-1234", "phone"),
        event(2, None, "phone"),
        event(3, "bob", "kiosk", page_url="/people/ann-1234?tab=1", properties='{"author": "ann-1234"}'),
        event(4, "bob", "kiosk", page_url="/people/ann-12345"),
    )
    log = EventLog(home)
    assert erase_events(
        log, {"receipt": PersonIds(("ann-1234",), ("phone",)), "other": PersonIds(("nobody",))}
    ) == {"receipt": 2, "other": 0}
    found = {row["event_id"]: row for batch in log.read() for row in batch.to_pylist()}
    assert found["e3"]["page_url"] == "/people/erased?tab=1"
    assert found["e3"]["properties"] == '{"author": "erased"}'
    assert found["e4"]["page_url"] == "/people/ann-12345"
    assert len(list(log.folder.glob("received_date=*/*.parquet"))) == 1  # the replaced file is gone at once


def test_dead_letters_that_name_the_person_go_and_none_comes_back(home):
    def letter(payload):
        row = {"row": 0, "field": "occurred_at", "reason": "'never' is not a time", "payload": payload}
        return pa.Table.from_pylist([row], schema=REJECTED_SCHEMA)

    letters = DeadLetters(home)
    letters.write(letter('{"user_id": "ann-1234"}'), "test", NOW)
    letters.write(letter('{"user_id": "bob"}'), "test", NOW)
    assert erase_dead_letters(letters, ["ann-1234"]) == 1
    ErasedIds(home).add(["ann-1234"])
    letters.write(letter('{"user_id": "ann-1234"}'), "test", NOW)
    assert letters.read()["payload"].to_pylist() == ['{"user_id": "bob"}']


def test_a_receipt_names_every_place_and_drops_the_ids_with_the_last_one(home):
    receipts = ErasureReceipts(home)
    receipt_id = receipts.open(PersonIds(("ann-1234",), ("phone",)), NOW)["receipt_id"]
    assert receipts.pending() == {receipt_id: PersonIds(("ann-1234",), ("phone",))}
    for place in PLACES:
        receipts.record_removed(receipt_id, place, 2)
        receipts.record_verified(receipt_id, place, "looked")
    receipt = receipts.receipt(receipt_id)
    assert [(entry["place"], entry["removed"]) for entry in receipt["places"]] == [(place, 2) for place in PLACES]
    assert receipts.pending() == {}
    assert "ann-1234" not in str(receipt)
    with pytest.raises(KeyError, match="not a place"):
        receipts.record_verified(receipt_id, "attic", "looked")


def test_what_is_still_there_keeps_the_receipt_open(home):
    receipts = ErasureReceipts(home)
    receipt_id = receipts.open(PersonIds(("ann-1234",)), NOW)["receipt_id"]
    for place in PLACES:
        receipts.record_verified(receipt_id, place, "looked")
    assert receipts.pending() == {}
    again = receipts.open(PersonIds(("bob-1234",)), NOW)["receipt_id"]
    receipts.record_unfinished(again, "event log", "events/open/a.open (bytes)")
    assert receipts.pending() == {again: PersonIds(("bob-1234",))}
    assert next(e for e in receipts.receipt(again)["places"] if e["place"] == "event log")["left"].startswith(
        "events/"
    )


def test_pending_ids_are_sealed_with_the_key_of_the_site(home):
    receipts = ErasureReceipts(home)
    receipt = receipts.open(PersonIds(("visitor-ann",), ("device-of-ann",)), NOW)
    (file,) = home.path.glob("erasures/pending/*.json")
    assert b"visitor-ann" not in file.read_bytes()
    assert b"device-of-ann" not in file.read_bytes()
    sealed = PersonIds(("visitor-ann",), ("device-of-ann",))
    assert ErasureReceipts(home).pending() == {receipt["receipt_id"]: sealed}
    other = Home(home.path / "another")
    shutil.copytree(home.path / "erasures" / "pending", other.path / "erasures" / "pending")
    with pytest.raises(DamagedFileError, match=r"put site\.key back"):
        ErasureReceipts(other).pending()


def test_pending_ids_of_an_earlier_version_are_read(home):
    receipts = ErasureReceipts(home)
    receipts._write(receipts._pending("a1"), {"ids": ["ann", "phone"]})
    assert receipts.pending() == {"a1": PersonIds(("ann",), ("phone",))}

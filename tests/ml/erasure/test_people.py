"""Anybody can name a device: as another user, an item or a word of the contract is named. These stay."""

from __future__ import annotations

import datetime as dt

import pyarrow as pa
import pytest

from ml.erasure.erased_again import begin_erasures_again
from ml.erasure.log import erase_events
from ml.erasure.people import find_common_names, find_person_ids, names_to_erase
from ml.erasure.person_ids import PersonIds
from ml.events.contract import EVENT_SCHEMA
from ml.events.log import EventLog
from ml.home import Home
from ml.privacy.pseudonyms import Pseudonyms

NOW = dt.datetime(2026, 3, 1, tzinfo=dt.UTC)


@pytest.fixture
def log(tmp_path) -> EventLog:
    return EventLog(Home(tmp_path))


def write(log: EventLog, *events: dict[str, object]) -> None:
    blank = dict.fromkeys(EVENT_SCHEMA.names)
    rows = [
        {
            **blank,
            "event_id": f"e{number}",
            "event_type": "page_view",
            "occurred_at": NOW,
            "received_at": NOW,
            **event,
        }
        for number, event in enumerate(events)
    ]
    with log.ingest("test") as writer:
        writer.write(pa.Table.from_pylist(rows, schema=EVENT_SCHEMA))


def read(log: EventLog, *columns: str) -> list[tuple[object, ...]]:
    return [tuple(row[name] for name in columns) for batch in log.read() for row in batch.to_pylist()]


def erase(log: EventLog, user: str) -> PersonIds:
    """Do with the log what the service and the job do."""
    log.erased.add([user])
    ids = find_person_ids(log, user, Pseudonyms(log.home.path))
    log.erased.add(ids.users[1:], ids.devices)
    erase_events(log, {"receipt": ids}, common=find_common_names(log, [ids]))
    return ids


def test_a_device_named_as_another_user_takes_nothing_from_that_user(log):
    write(
        log,
        {"user_id": "victim", "anonymous_id": "phone", "item_id": "i1"},
        {"user_id": "attacker", "anonymous_id": "victim", "item_id": "i2"},
        {"anonymous_id": "victim", "item_id": "i3"},
    )
    ids = erase(log, "attacker")
    assert read(log, "user_id", "item_id") == [("victim", "i1")]
    assert names_to_erase(log, {"receipt": ids}) == {"receipt": ["attacker", "anonymous:victim"]}
    assert "victim" not in log.erased
    assert log.erased.has_device("victim")


def test_a_user_who_comes_later_is_not_the_erased_device_of_the_name(log):
    write(log, {"user_id": "attacker", "anonymous_id": "12346"})
    erase(log, "attacker")
    write(log, {"user_id": "12346", "item_id": "i1"}, {"anonymous_id": "12346", "item_id": "i2"})
    assert read(log, "user_id", "item_id") == [("12346", "i1")]
    assert begin_erasures_again(log.home) == {}


@pytest.mark.parametrize(
    "name",
    ["item-000004-of-the-catalogue", "mobile", "page_view", "currency", "Firefox", "summer-sale-2026-shoes"],
)
def test_a_device_named_as_something_else_takes_nothing_from_it(log, name):
    of_bob = {
        "user_id": "bob", "item_id": "item-000004-of-the-catalogue", "device_type": "mobile", "browser": "Firefox",
        "properties": '{"currency": "EUR"}', "page_url": "https://shop.example/mobile",
    }  # fmt: skip
    write(log, of_bob, {**of_bob, "user_id": "attacker", "anonymous_id": name})
    before = read(log, *of_bob)[0]
    erase(log, "attacker")
    assert read(log, *of_bob) == [before]


def test_a_device_is_erased_again_as_a_device(log):
    write(log, {"anonymous_id": "phone"}, {"user_id": "phone", "item_id": "i1"})
    log.erased.add([], ["phone"])
    (ids,) = begin_erasures_again(log.home).values()
    assert ids == PersonIds((), ("phone",))
    erase_events(log, {"receipt": ids})
    assert read(log, "user_id", "item_id") == [("phone", "i1")]

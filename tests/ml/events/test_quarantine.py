"""The file of the quarantine, which several processes share."""

import datetime as dt

from ml.events.quarantine import Quarantine, QuarantinedEvent
from ml.events.retention import expire_events
from ml.home import Home
from ml.privacy.erased_ids import ErasedIds
from ml.settings import load_settings


def test_two_workers_record_a_breaking_event_once(tmp_path):
    counted = []
    workers = [Quarantine(Home(tmp_path), counted.append) for _ in range(2)]
    assert [worker.set_aside("a", ValueError("no"), "service") for worker in workers] == [True, False]
    assert workers[1].set_aside("a", ValueError("no"), "publishing") is True
    assert [(entry.event_id, entry.reason, entry.where) for entry in workers[0].entries()] == [
        ("a", "ValueError: no", "service"),
        ("a", "ValueError: no", "publishing"),
    ]
    assert len(counted) == 2


def test_an_entry_that_was_removed_can_come_again(tmp_path):
    worker, other = Quarantine(Home(tmp_path)), Quarantine(Home(tmp_path))
    worker.set_aside("a", ValueError("no"), "service")
    assert other.remove(lambda entry: entry.event_id == "a") == 1
    assert worker.set_aside("a", ValueError("no"), "service") is True


def test_a_torn_line_of_a_killed_process_is_cut_off(tmp_path):
    quarantine = Quarantine(Home(tmp_path))
    quarantine.set_aside("a", ValueError("no"), "service")
    with open(quarantine.path, "ab") as file:
        file.write(b'{"event_id": "b", "rea')
    assert [entry.event_id for entry in quarantine.entries()] == ["a"]
    Quarantine(Home(tmp_path)).set_aside("c", ValueError("no"), "service")
    assert [entry.event_id for entry in quarantine.entries()] == ["a", "c"]


def test_a_disk_that_refuses_stops_no_fold(tmp_path):
    (tmp_path / "quarantine").write_text("a file where the folder should be")
    counted = []
    assert Quarantine(Home(tmp_path), counted.append).set_aside("a", ValueError("no"), "service") is True
    assert len(counted) == 1


def test_erased_people_leave_the_quarantine_and_stay_out(tmp_path):
    home = Home(tmp_path)
    quarantine = Quarantine(home)

    def entry(event_id, user):
        return QuarantinedEvent(event_id, "x", "by hand", "2026-05-04T12:00:00+00:00", {"user_id": user})

    assert quarantine.add([entry("a", "user-100"), entry("b", "user-1001")]) == 2
    assert quarantine.remove_people(["user-100"]) == 1
    ErasedIds(home).add(["user-100"])
    assert quarantine.add([entry("c", "user-100")]) == 0
    assert [entry.event_id for entry in quarantine.entries()] == ["b"]


def test_entries_expire_with_the_dead_letters(tmp_path):
    home, now = Home(tmp_path), dt.datetime(2026, 5, 4, 12, tzinfo=dt.UTC)
    settings = load_settings().privacy
    days = settings.dead_letter_retention_days
    quarantine = Quarantine(home)
    ages = {"older": days + 1, "last day": days, "today": 0}
    quarantine.add(
        [
            QuarantinedEvent(name, "x", "service", (now - dt.timedelta(days=age)).isoformat())
            for name, age in ages.items()
        ]
    )
    assert expire_events(home, settings, now).dead_letters == 1
    assert [entry.event_id for entry in quarantine.entries()] == ["last day", "today"]


def test_a_damaged_line_is_named_and_the_others_count(tmp_path):
    quarantine = Quarantine(Home(tmp_path))
    for event_id in ("a", "b", "c"):
        quarantine.set_aside(event_id, ValueError("no"), "service")
    content = bytearray(quarantine.path.read_bytes())
    content[content.index(b'"b"') + 1] ^= 1
    quarantine.path.write_bytes(content)
    assert [entry.event_id for entry in quarantine.entries()] == ["a", "c"]
    (damage,) = quarantine.find_damage()
    assert (damage.file, damage.damage) == (quarantine.path, "line 2 differs from its checksum")
    assert quarantine.remove(lambda entry: True) == 2
    assert len(quarantine.find_damage()) == 1

"""Events leave the log for the quarantine, and come back from there and from the dead letters, each once."""

import datetime as dt
import json

import pyarrow as pa
import pytest

from ml.events.dead_letters import DeadLetters
from ml.events.live_dead_letters import RejectionLog
from ml.events.live_log import OpenPartWriter
from ml.events.log import EventLog
from ml.events.quarantine import Quarantine
from ml.events.records import REJECTED_SCHEMA
from ml.events.rejected.rejections import RejectionFilter
from ml.events.rejected.repair import RepairRules
from ml.events.rejected.replay import replay
from ml.events.removal import EventNotInLogError, EventStillOpenError, take_out
from ml.events.validation import validate_records
from ml.home import Home

NOW = dt.datetime(2026, 5, 4, 12, tzinfo=dt.UTC)
HOUR = dt.timedelta(hours=1)


@pytest.fixture
def home(tmp_path):
    return Home(tmp_path)


def event(event_id, **fields):
    return {
        "event_id": event_id,
        "event_type": "purchase",
        "occurred_at": "2026-05-04T11:00:00+00:00",
        "received_at": "2026-05-04T11:00:01+00:00",
        "user_id": "ann",
        "value": 9.5,
        "properties": {"currency": "EUR"},
        **fields,
    }


def write(home, *records):
    valid, _ = validate_records(records, NOW)
    assert len(valid.accepted) == len(records)
    with EventLog(home).ingest("files") as writer:
        writer.write(valid.accepted)
    return valid.accepted


def logged(home):
    return [row for batch in EventLog(home).read() for row in batch.to_pylist()]


def ids(home):
    return sorted(row["event_id"] for row in logged(home))


def test_an_event_taken_out_comes_back_as_it_was(home):
    write(home, event("a"), event("b", consent=["analytics"]))
    write(home, event("b"), event("c"))  # a copy, from a sender that tried again
    before = next(row for row in logged(home) if row["event_id"] == "b" and row["consent"])
    assert take_out(EventLog(home), Quarantine(home), "b", "a test order") == 2
    assert ids(home) == ["a", "c"]
    (entry,) = Quarantine(home).entries()
    assert (entry.event_id, entry.reason, entry.where) == ("b", "a test order", "by hand")
    report = replay(home, NOW, HOUR, RejectionFilter(reason="test order"))
    assert (report.replayed, report.left) == (1, {})
    assert ids(home) == ["a", "b", "c"]
    assert next(row for row in logged(home) if row["event_id"] == "b") == before
    assert Quarantine(home).entries() == []


def test_the_id_of_one_browser_takes_no_event_of_another_sender(home):
    mine = {"event_id": "order-1", "authority": "browser", "user_id": None}
    write(home, event("order-1"), event(**mine, anonymous_id="x"), event(**mine, anonymous_id="y"))
    assert take_out(EventLog(home), Quarantine(home), "browser:x:order-1", "forged") == 1
    assert sorted((row["authority"], row["anonymous_id"]) for row in logged(home) if row["authority"]) == [
        ("browser", "y")
    ]
    assert len(logged(home)) == 2


def test_an_unknown_event_is_named(home):
    write(home, event("a"))
    with pytest.raises(EventNotInLogError, match="there is no event 'zzz'"):
        take_out(EventLog(home), Quarantine(home), "zzz", "x")


def test_an_event_of_an_open_part_waits_for_the_sealing(home):
    log = EventLog(home)
    writer = OpenPartWriter(log, "json")
    writer.append(validate_records([event("a")], NOW)[0].accepted)
    with pytest.raises(EventStillOpenError):
        take_out(log, Quarantine(home), "a", "x")
    writer.close()
    assert take_out(log, Quarantine(home), "a", "x") == 1
    assert logged(home) == []


def letter(payload, field="occurred_at", reason="lies in the future"):
    text = payload if isinstance(payload, str) else json.dumps(payload)
    return {"row": 0, "field": field, "reason": reason, "payload": text}


def write_letters(home, *letters, source="json"):
    table = pa.Table.from_pylist(list(letters), schema=REJECTED_SCHEMA)
    DeadLetters(home).write(table, source, NOW - dt.timedelta(hours=3))


def test_letters_from_the_future_are_replayed_once_their_time_has_come(home):
    early = event(
        "a", occurred_at="2026-05-04T12:30:00+00:00", authority="browser", user_id=None, anonymous_id="x"
    )
    write_letters(home, letter(early), letter({**early, "event_id": "b", "occurred_at": "2026-05-04T18:00:00Z"}))
    report = replay(home, NOW - dt.timedelta(hours=3), HOUR, RejectionFilter(field="occurred_at"))
    assert (report.replayed, report.left.total()) == (0, 2)
    dry = replay(home, NOW, HOUR, is_dry_run=True)
    assert (dry.replayed, ids(home), len(DeadLetters(home).read())) == (1, [], 2)
    report = replay(home, NOW, HOUR)
    assert (report.replayed, report.already_in_log) == (1, 0)
    (row,) = logged(home)
    assert (row["event_id"], row["authority"], row["anonymous_id"]) == ("a", "browser", "x")
    assert row["received_at"] == dt.datetime(2026, 5, 4, 11, 0, 1, tzinfo=dt.UTC)
    assert DeadLetters(home).read().num_rows == 1


def test_a_replay_that_was_killed_before_the_letters_were_removed_writes_nothing_twice(home):
    write(home, event("a"))
    write_letters(home, letter(event("a", authority="server")), letter(event("b", authority="server")))
    write_letters(home, letter(event("b", authority="server")))
    report = replay(home, NOW, HOUR)
    assert (report.replayed, report.already_in_log) == (1, 2)
    assert ids(home) == ["a", "b"]
    assert len(DeadLetters(home).read()) == 0
    assert replay(home, NOW, HOUR).replayed == 0


def test_filters_choose_by_field_and_by_text_of_the_reason(home):
    good = event("a", authority="server")
    write_letters(
        home,
        letter({**good, "event_id": "1"}, "value", "is too large"),
        letter({**good, "event_id": "2"}, "value", "is not finite"),
        letter({**good, "event_id": "3"}, "country", "is too large"),
    )
    assert replay(home, NOW, HOUR, RejectionFilter("value", "too large")).replayed == 1
    assert ids(home) == ["1"]
    assert replay(home, NOW, HOUR, RejectionFilter(reason="too large")).replayed == 1
    assert ids(home) == ["1", "3"]


def test_letters_that_nobody_vouches_for_or_that_are_cut_stay(home):
    write_letters(
        home,
        letter(event("a")),
        letter({"untranslated": event("b", authority="server")}, "e", "is not an event"),
        letter('{"event_id": "c", "event_'),
        letter(""),
    )
    report = replay(home, NOW, HOUR)
    assert (report.replayed, ids(home)) == (0, [])
    assert report.left == {"nobody vouches for it": 2, "the payload is not kept whole": 2}
    write_letters(home, letter(event("d")), source="files")  # files are a server's
    assert replay(home, NOW, HOUR).replayed == 1


def test_a_record_that_broke_a_fold_is_tried_again_and_leaves_the_quarantine(home):
    write(home, event("a"))
    Quarantine(home).set_aside("a", ValueError("broke"), "service")
    report = replay(home, NOW, HOUR)
    assert (report.retried, ids(home), Quarantine(home).entries()) == (1, ["a"], [])


def test_an_event_of_a_collector_whose_clock_was_late_comes_back_whole(home):
    """The clock of the collector was three hours back, so that good events lay in its future."""
    late = NOW - 3 * HOUR
    record = event("late", authority="server", properties={"currency": "EUR", "note": "x" * 60_000})
    valid, _ = validate_records([record], late, HOUR)
    (letter,) = valid.rejected.to_pylist()
    assert letter["field"] == "occurred_at"
    assert letter["reason"].endswith("lies in the future")
    rejections = RejectionLog(home)
    rejections.append([{**letter, "source": "json", "received_at": late}])
    rejections.close()
    assert replay(home, late, HOUR).replayed == 0
    assert replay(home, NOW, HOUR).replayed == 1
    (row,) = logged(home)
    assert json.loads(row["properties"]) == record["properties"]
    assert len(DeadLetters(home).read()) == 0


def test_a_repair_puts_in_what_its_rules_mend_and_leaves_the_rest_as_it_was(home):
    good = event("1", authority="server", country="Germany")
    write_letters(
        home,
        letter(good, "country", "'Germany' is not an ISO 3166-1 alpha-2 code"),
        letter(
            {**good, "event_id": "2", "country": "Austria"},
            "country",
            "'Austria' is not an ISO 3166-1 alpha-2 code",
        ),
        letter({**good, "event_id": "3", "occurred_at": "soon"}, "country", "'Germany' is not a country"),
    )
    before = DeadLetters(home).read().to_pylist()
    chosen, rules = RejectionFilter(reason="'Germany'"), RepairRules(values={"country": "DE"})
    dry = replay(home, NOW, HOUR, chosen, rules, is_dry_run=True)
    assert (dry.replayed, ids(home), DeadLetters(home).read().to_pylist()) == (1, [], before)
    report = replay(home, NOW, HOUR, chosen, rules)
    assert (report.replayed, report.left) == (1, {"occurred_at is 'soon', not an ISO 8601 time": 1})
    assert [(row["event_id"], row["country"]) for row in logged(home)] == [("1", "DE")]
    assert DeadLetters(home).read().to_pylist() == before[1:]
    assert replay(home, NOW, HOUR, chosen, rules).replayed == 0


def test_an_event_taken_out_by_hand_comes_back_repaired(home):
    write(home, event("a", value=950.0))
    take_out(EventLog(home), Quarantine(home), "a", "cents taken for euros")
    Quarantine(home).set_aside("b", ValueError("broke"), "service")
    report = replay(home, NOW, HOUR, RejectionFilter(source="by hand"), RepairRules(values={"value": "9.5"}))
    assert (report.replayed, report.retried) == (1, 0)
    assert [row["value"] for row in logged(home)] == [9.5]
    assert [entry.event_id for entry in Quarantine(home).entries()] == ["b"]

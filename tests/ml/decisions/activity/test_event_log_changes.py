"""Which events of the log change the online state."""

import datetime as dt

import pytest

from ml.decisions.activity.event_log_changes import read_changes, read_newest_changes
from ml.events.log import EventLog
from ml.events.quarantine import Quarantine
from ml.events.validation import validate_records
from ml.home import Home

NOW = dt.datetime(2026, 3, 2, 9, 0, tzinfo=dt.UTC)


@pytest.mark.parametrize(("value", "changes"), [(None, 1), (0.0, 1), (-0.0, 1), (25.0, 1), (-25.0, 0)])
def test_a_purchase_without_an_amount_is_a_reaction_and_a_refund_is_none(value, changes, tmp_path):
    record = {
        "event_id": "1",
        "event_type": "purchase",
        "occurred_at": "2026-03-02T08:00:00Z",
        "user_id": "ann",
        "item_id": "boots",
    }
    valid, _ = validate_records([record | ({} if value is None else {"value": value})], NOW)
    assert len(read_changes(valid.accepted, Quarantine(Home(tmp_path)), "service")) == changes


def test_what_a_clock_says_that_is_ahead_counts_when_it_arrives(tmp_path):
    """Else an event of the next hour would be the newest for an hour, and trends would follow it alone."""
    record = {"event_id": "1", "event_type": "page_view", "anonymous_id": "phone", "item_id": "boots"}
    times = [NOW + dt.timedelta(minutes=55), NOW - dt.timedelta(minutes=55)]
    records = [record | {"event_id": str(at), "occurred_at": at.isoformat()} for at in times]
    valid, _ = validate_records(records, NOW)
    changes = read_changes(valid.accepted, Quarantine(Home(tmp_path)), "service")
    assert [change.at for change in changes] == [NOW.timestamp(), times[1].timestamp()]


def test_the_newest_changes_of_a_long_part_are_those_of_all_its_events(tmp_path):
    home = Home(tmp_path)
    records = [
        {
            "event_id": str(number),
            "event_type": "page_view",
            "occurred_at": (NOW - dt.timedelta(minutes=number * 37 % 101)).isoformat(),
            "user_id": "ann",
            "item_id": f"i{number}",
        }
        for number in range(101)
    ]
    with EventLog(home).ingest("files") as writer:
        writer.write(validate_records(records, NOW)[0].accepted)
    times = sorted(dt.datetime.fromisoformat(record["occurred_at"]).timestamp() for record in records)
    for limit in (1, 5, 40, 200):
        changes = read_newest_changes(EventLog(home), limit, Quarantine(home), "test")
        assert [change.at for change in changes] == times[-limit:]

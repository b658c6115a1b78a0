"""Control events whose properties have another shape than their readers rely on are rejected with the field."""

import datetime as dt

import orjson
import pytest

from ml.decisions.activity.event_log_changes import read_changes
from ml.events.control_events import CONTROL_PROPERTIES, find_control_fault
from ml.events.quarantine import Quarantine
from ml.events.validation import validate_records
from ml.home import Home

NOW = dt.datetime(2026, 5, 4, 12, tzinfo=dt.UTC)


@pytest.fixture
def quarantine(tmp_path):
    return Quarantine(Home(tmp_path / "home"))


def record(event_type, properties, **fields):
    return {
        "event_id": f"{event_type}-{properties}",
        "event_type": event_type,
        "occurred_at": "2026-05-04T11:00:00Z",
        "anonymous_id": "x",
        "properties": properties,
        **fields,
    }


@pytest.mark.parametrize(
    ("event_type", "properties", "field"),
    [
        ("consent_withdrawn", {"purposes": 5}, "properties.purposes"),
        ("consent_withdrawn", {"purposes": "personalization"}, "properties.purposes"),
        ("consent_withdrawn", {"purposes": ["personalization", "telepathy"]}, "properties.purposes"),
        ("consent_withdrawn", {"purposes": [["personalization"]]}, "properties.purposes"),
        ("preference", {"interests": "sport"}, "properties.interests"),
        ("preference", {"interests": [1]}, "properties.interests"),
        ("preference", {"muted": {"a": 1}}, "properties.muted"),
        ("preference", {"opt_out": "no"}, "properties.opt_out"),
        ("preference", {"item_impressions_per_day": 0}, "properties.item_impressions_per_day"),
        ("preference", {"quiet_hours": [22, 6]}, "properties.quiet_hours"),
        ("preference", {"quiet_hours": {"from": 25}}, "properties.quiet_hours.from"),
        ("exposure", {"unit_id": {"of": "x"}}, "properties.unit_id"),
        ("segment_feedback", {"agrees": 2}, "properties.agrees"),
    ],
)
def test_a_control_event_of_another_shape_is_rejected_with_its_field(event_type, properties, field):
    valid, rows = validate_records([record("page_view", {}), record(event_type, properties)], NOW)
    assert rows.tolist() == [0]
    (rejected,) = valid.rejected.to_pylist()
    assert (rejected["row"], rejected["field"]) == (1, field)
    assert rejected["reason"].startswith(f"of {event_type}: ")
    assert orjson.loads(rejected["payload"])["event_type"] == event_type


@pytest.mark.parametrize(
    ("event_type", "properties"),
    [
        ("consent_withdrawn", {}),
        ("consent_withdrawn", {"purposes": ["personalization"], "banner": {"version": 3}}),
        ("preference", {"interests": ["sport"], "muted": None, "opt_out": True}),
        ("preference", {"quiet_hours": {"from": 22, "to": 6.5}, "item_impressions_per_day": 3}),
        ("exposure", {"unit_id": "x", "unit_type": "anonymous"}),
        ("segment_feedback", {"segment": "s1", "agrees": False}),
    ],
)
def test_a_control_event_as_documented_is_accepted(event_type, properties, quarantine):
    valid, _ = validate_records([record(event_type, properties)], NOW)
    assert valid.rejected.to_pylist() == []
    assert len(read_changes(valid.accepted, quarantine, "service")) == 1


JSON_VALUES = [None, True, 0, -7.5, 1e300, "", "text", [], [1], ["a"], [None], {}, {"a": {"b": [1]}}]


@pytest.mark.parametrize("event_type", sorted(CONTROL_PROPERTIES))
@pytest.mark.parametrize("name", ["purposes", "interests", "muted", "opt_out", "quiet_hours", "unit_id", "agrees"])
def test_any_json_in_a_control_event_is_accepted_or_rejected_but_never_an_error(event_type, name, quarantine):
    records = [{**record(event_type, {name: value}), "event_id": str(n)} for n, value in enumerate(JSON_VALUES)]
    valid, rows = validate_records(records, NOW)
    assert len(rows) + len(valid.rejected) == len(JSON_VALUES)
    assert len(read_changes(valid.accepted, quarantine, "service")) == len(rows)


@pytest.mark.parametrize("properties", ["[1]", "5", "null", '"text"', "{"])
def test_properties_that_are_no_object_are_named(properties):
    assert find_control_fault("preference", properties) == ("properties", "is not a JSON object")


def test_many_faults_of_one_kind_are_rejected_each_with_its_row():
    records = [{**record("consent_withdrawn", {"purposes": row}), "event_id": str(row)} for row in range(5_000)]
    valid, rows = validate_records(records, NOW)
    assert len(rows) == 0
    assert valid.rejected["row"].to_pylist() == list(range(5_000))


@pytest.mark.parametrize(
    ("consent", "purposes"), [(None, []), ([], []), (["analytics"], ["analytics"]), (["personalization"],) * 2]
)
def test_a_grant_grants_what_it_names_and_nothing_else(consent, purposes, quarantine):
    valid, _ = validate_records([record("consent_granted", {}, consent=consent)], NOW)
    (change,) = read_changes(valid.accepted, quarantine, "service")
    assert orjson.loads(change.detail) == purposes


def test_a_withdrawal_that_an_older_version_let_in_withdraws_everything(quarantine):
    valid, _ = validate_records([record("consent_withdrawn", {})], NOW)
    place = valid.accepted.schema.get_field_index("properties")
    stored = valid.accepted.set_column(place, valid.accepted.schema.field(place), [['{"purposes": 5}']])
    (change,) = read_changes(stored, quarantine, "service")
    assert orjson.loads(change.detail) == ["analytics", "personalization", "location"]

import datetime as dt
import json

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ml.events.contract import EVENT_SCHEMA, EVENT_TYPES, FIELD_NAMES
from ml.events.records import events_from_records
from ml.events.validation import validate_events

NOW = dt.datetime(2026, 5, 4, 12, tzinfo=dt.UTC)
GOOD = {"event_id": "e", "event_type": "page_view", "occurred_at": "2026-05-04T11:00:00Z", "user_id": "u"}


def check(*records):
    table, rejected = events_from_records(records)
    return validate_events(table.drop_columns("row"), NOW), rejected


def test_a_good_event_is_accepted_with_the_time_of_receipt():
    validated, rejected = check(GOOD)
    assert len(rejected) == len(validated.rejected) == 0
    assert validated.accepted.schema.equals(EVENT_SCHEMA)
    assert validated.accepted["received_at"].to_pylist() == [NOW]


def test_unknown_fields_are_kept_in_properties():
    validated, _ = check({**GOOD, "colour": "red", "properties": {"size": 3}})
    assert json.loads(validated.accepted["properties"][0].as_py()) == {"colour": "red", "size": 3}


@pytest.mark.parametrize(
    ("change", "field", "reason"),
    [
        ({"event_id": None}, "event_id", "is required"),
        ({"event_id": ""}, "event_id", "is required"),
        ({"event_type": "pageview"}, "event_type", "'pageview' is not a type of the contract"),
        ({"event_type": "custom:"}, "event_type", "'custom:' is not a type of the contract"),
        ({"occurred_at": None}, "occurred_at", "is required"),
        ({"occurred_at": "2026-05-04T13:00:01Z"}, "occurred_at", "lies in the future"),
        ({"occurred_at": "1970-01-01T00:00:00Z"}, "occurred_at", "lies before the year 2000"),
        ({"user_id": None}, "user_id", "user_id or anonymous_id is required"),
        ({"value": float("nan")}, "value", "is not a finite number"),
        ({"device_type": "phone"}, "device_type", "'phone' is not one of mobile"),
        ({"country": "Germany"}, "country", "'Germany' is not an ISO 3166-1 alpha-2 code"),
        ({"consent": ["analytics", "everything"]}, "consent", "may only hold analytics, personalization"),
    ],
)
def test_a_row_that_breaks_the_contract_is_rejected_with_field_and_reason(change, field, reason):
    validated, rejected = check(GOOD, {**GOOD, **change})
    assert len(rejected) == 0
    assert len(validated.accepted) == 1
    (row,) = validated.rejected.to_pylist()
    assert (row["row"], row["field"]) == (1, field)
    assert reason in row["reason"]
    assert json.loads(row["payload"])


@pytest.mark.parametrize(
    ("record", "field"),
    [
        ("text", "event"),
        ({**GOOD, "occurred_at": "yesterday"}, "occurred_at"),
        ({**GOOD, "occurred_at": True}, "occurred_at"),
        ({**GOOD, "occurred_at": 1e300}, "occurred_at"),
        ({**GOOD, "value": "3"}, "value"),
        ({**GOOD, "screen_width": 1.5}, "screen_width"),
        ({**GOOD, "user_id": ["u"]}, "user_id"),
        ({**GOOD, "properties": "[1]"}, "properties"),
        ({**GOOD, "consent": "analytics"}, "consent"),
        ({**GOOD, "page_title": "\ud800"}, "page_title"),
    ],
)
def test_a_record_of_wrong_types_is_rejected_before_it_becomes_a_row(record, field):
    table, rejected = events_from_records([GOOD, record])
    assert table["row"].to_pylist() == [0]
    assert [(row["row"], row["field"]) for row in rejected.to_pylist()] == [(1, field)]


def test_custom_types_are_accepted():
    validated, _ = check({**GOOD, "event_type": "custom:newsletter_opened"})
    assert len(validated.accepted) == 1


def test_defaults_fill_only_what_a_record_leaves_out():
    table, _ = events_from_records([GOOD, {**GOOD, "source": "app"}], {"source": "json", "consent": ["analytics"]})
    assert table["source"].to_pylist() == ["json", "app"]
    assert table["consent"].to_pylist() == [["analytics"], ["analytics"]]


def test_a_column_outside_the_contract_is_an_error_that_names_it():
    with pytest.raises(ValueError, match="colour"):
        validate_events(pa.table({"event_id": ["e"], "colour": ["red"]}), NOW)


def test_properties_that_are_no_json_object_are_rejected_in_a_table():
    table = events_from_records([GOOD, GOOD])[0].drop_columns("row")
    place = table.schema.get_field_index("properties")
    table = table.set_column(place, "properties", pa.array(['{"a": 1}', '{"a": ']))
    validated = validate_events(table, NOW)
    assert validated.rejected["field"].to_pylist() == ["properties"]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(st.lists(JSON | st.dictionaries(st.sampled_from(FIELD_NAMES), JSON), max_size=4))
def test_whatever_comes_each_record_is_accepted_or_rejected_exactly_once(records):
    table, rejected = events_from_records(records)
    rows = table["row"].to_pylist()
    validated = validate_events(table.drop_columns("row"), NOW)
    refused = [rows[row] for row in validated.rejected["row"].to_pylist()]
    assert len(validated.accepted) + len(refused) + len(rejected) == len(records)
    assert set(refused).isdisjoint(rejected["row"].to_pylist())


def test_every_type_has_a_family_and_a_description():
    assert all(kind.family and kind.description for kind in EVENT_TYPES.values())
    assert len(EVENT_TYPES) == 3 + 10 + 9 + 6 + 7 + 1

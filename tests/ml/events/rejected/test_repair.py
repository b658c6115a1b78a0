"""Rules change a rejected record as they say, or leave it."""

import pytest

from ml.errors import InvalidInputError
from ml.events.rejected.repair import RepairRules, UnrepairedError


def test_names_change_before_values_and_values_before_what_is_set():
    rules = RepairRules({"amount": "value"}, {"value": "number"}, {"event_type": "purchase"})
    record = {"amount": " 12.5 ", "event_type": "bought", "shop": "north"}
    assert rules.apply(record) == {"value": 12.5, "event_type": "purchase", "shop": "north"}
    assert record == {"amount": " 12.5 ", "event_type": "bought", "shop": "north"}


@pytest.mark.parametrize(
    ("name", "kind", "value", "expected"),
    [
        ("value", "number", "1e3", 1000.0),
        ("value", "decimal-comma", "1.234,5", 1234.5),
        ("user_id", "text", 17, "17"),
        ("user_id", "text", {"id": 1}, '{"id": 1}'),
        ("occurred_at", "time", "1767225600", "2026-01-01T00:00:00+00:00"),
        ("occurred_at", "time:%d/%m/%Y %H.%M", "03/02/2026 08.15", "2026-02-03T08:15:00+00:00"),
        ("occurred_at", "time:%Y-%m-%d %H:%M %z", "2026-02-03 08:15 +0200", "2026-02-03T06:15:00+00:00"),
    ],
)
def test_values_are_converted(name, kind, value, expected):
    assert RepairRules(conversions={name: kind}).apply({name: value}) == {name: expected}


@pytest.mark.parametrize(
    ("rules", "record", "reason"),
    [
        (RepairRules({"a": "value"}), {"a": 1, "value": 2}, "a cannot be renamed, because value is there too"),
        (RepairRules({"a": "value"}), {"b": 1}, "the rules change nothing"),
        (RepairRules(values={"country": "DE"}), {"country": "DE"}, "the rules change nothing"),
        (
            RepairRules(conversions={"value": "number"}),
            {"value": "two"},
            "value 'two' cannot be converted to number",
        ),
        (
            RepairRules(conversions={"occurred_at": "time:%Y"}),
            {"occurred_at": "x"},
            "occurred_at 'x' cannot be converted to time:%Y",
        ),
    ],
)
def test_a_record_that_the_rules_do_not_fit_is_left_with_the_reason(rules, record, reason):
    with pytest.raises(UnrepairedError) as error:
        rules.apply(record)
    assert str(error.value) == reason


@pytest.mark.parametrize("name", ["authority", "consent", "received_at", "source"])
def test_no_rule_writes_who_vouches_for_an_event_or_what_a_person_agreed_to(name):
    for rules in ({"renames": {"x": name}}, {"conversions": {name: "text"}}, {"values": {name: "x"}}):
        with pytest.raises(InvalidInputError, match="not a field that a repair may write"):
            RepairRules(**rules)

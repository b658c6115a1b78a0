"""The week in which rules act, against each minute of it."""

import datetime as dt
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ml.decisions.rules.dayparts import WEEKDAYS
from ml.decisions.rules.rules import DisplayRule
from ml.decisions.rules.week_plan import count_minutes, find_monday, format_spans, plan_week

MONDAY = dt.date(2026, 6, 8)
BERLIN = ZoneInfo("Europe/Berlin")
MINUTE = dt.timedelta(minutes=1)
times = st.none() | st.datetimes(dt.datetime(2026, 6, 7), dt.datetime(2026, 6, 16), timezones=st.just(dt.UTC))
clocks = st.times().map(lambda time: f"{time:%H:%M}")


@given(
    hours=st.none() | st.tuples(clocks, clocks).map("-".join),
    weekdays=st.sets(st.sampled_from(WEEKDAYS)),
    first=times,
    last=times,
)
def test_a_minute_lies_in_a_span_if_the_rule_holds_then(hours, weekdays, first, last):
    first = first and first.replace(second=0, microsecond=0)
    last = last and last.replace(second=0, microsecond=0)
    if first and last and first >= last:
        first, last = (last, first) if last < first else (first, None)
    schedule = {"hours": hours, "weekdays": sorted(weekdays)}
    rule = DisplayRule(id="r", then={"content": "c"}, schedule=schedule, valid_from=first, valid_until=last)
    week = plan_week(rule, MONDAY, BERLIN)
    for number, spans in enumerate(week):
        midnight = dt.datetime.combine(MONDAY + dt.timedelta(days=number), dt.time())
        minutes = [midnight + minute * MINUTE for minute in range(0, 24 * 60, 7)]
        holds = [
            rule.schedule.includes(each)
            and (first is None or first <= each.replace(tzinfo=BERLIN))
            and (last is None or each.replace(tzinfo=BERLIN) < last)
            for each in minutes
        ]
        places = [(each - midnight) // MINUTE for each in minutes]
        assert [any(start <= place < stop for start, stop in spans) for place in places] == holds
        assert sum(count_minutes(spans)) == sum(stop - start for start, stop in spans)


def test_a_night_is_written_as_its_two_ends():
    rule = DisplayRule(id="r", then={"content": "c"}, schedule={"hours": "22:00-06:30", "weekdays": ["friday"]})
    week = plan_week(rule, MONDAY, BERLIN)
    assert [format_spans(spans) for spans in week] == ["", "", "", "", "00:00–06:30, 22:00–24:00", "", ""]
    assert count_minutes(week[4]) == [60] * 6 + [30] + [0] * 15 + [60, 60]


@pytest.mark.parametrize("day", range(7))
def test_the_week_of_any_of_its_days_begins_on_monday(day):
    assert find_monday(MONDAY + dt.timedelta(days=day)) == MONDAY

"""When rules act in a week, by their schedules and the times between which they are valid."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from zoneinfo import ZoneInfo

from ml.decisions.rules.dayparts import WEEKDAYS
from ml.decisions.rules.rules import DAY_MINUTES, DisplayRule

DAYS = 7
Span = tuple[int, int]
"""First minute of a day and the minute after the last, 0 … 1440."""


def find_monday(date: dt.date) -> dt.date:
    """Return the Monday of the week of a date."""
    return date - dt.timedelta(days=date.weekday())


def plan_week(rule: DisplayRule, monday: dt.date, zone: ZoneInfo) -> list[list[Span]]:
    """Return the spans of each day of a week in which a rule may act, if its condition holds.

    Args:
        rule: The rule. Its schedule goes by the visitor's clock.
        monday: First day of the week.
        zone: Time zone by which the times count between which the rule is valid.

    Returns:
        For each of the seven days the spans in their order.
    """
    first, last = (
        None if time is None else time.astimezone(zone).replace(tzinfo=None)
        for time in (rule.valid_from, rule.valid_until)
    )
    week = []
    for number in range(DAYS):
        midnight = dt.datetime.combine(monday + dt.timedelta(days=number), dt.time())
        begin = 0 if first is None else _minute_of(first, midnight)
        end = DAY_MINUTES if last is None else _minute_of(last, midnight)
        spans = rule.schedule.list_spans(WEEKDAYS[midnight.weekday()])
        week.append(
            [(max(start, begin), min(stop, end)) for start, stop in spans if max(start, begin) < min(stop, end)]
        )
    return week


def count_minutes(spans: Sequence[Span]) -> list[int]:
    """Return how many minutes of each hour of a day lie within spans, (24,)."""
    return [
        sum(max(0, min(stop, 60 * hour + 60) - max(start, 60 * hour)) for start, stop in spans)
        for hour in range(24)
    ]


def format_spans(spans: Sequence[Span]) -> str:
    """Write spans such as `06:00–11:00, 22:00–24:00`; empty without one."""
    return ", ".join(f"{_format_minute(start)}–{_format_minute(stop)}" for start, stop in spans)


def _minute_of(time: dt.datetime, midnight: dt.datetime) -> int:
    """Return the minute of the day that begins at midnight, from which on a time has passed."""
    return min(max(-((midnight - time) // dt.timedelta(minutes=1)), 0), DAY_MINUTES)


def _format_minute(minute: int) -> str:
    return f"{minute // 60:02}:{minute % 60:02}"

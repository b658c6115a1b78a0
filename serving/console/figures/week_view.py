"""The week in which rules act: a row for each rule, an hour for each cell, and the same as a table."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from zoneinfo import ZoneInfo

from ml.decisions.rules.rules import DAY_MINUTES, DisplayRule
from ml.decisions.rules.week_plan import DAYS, Span, count_minutes, find_monday, format_spans, plan_week
from serving.console.formats import WEEKDAYS
from serving.console.localized_texts import Moment, say
from serving.console.page_parts import Cell, Form, FormField, Sheet
from serving.errors import ApiError

RULES_DRAWN, TALL_FROM = 30, 9
WHOLE_DAY = say("all day")


def read_week(text: str, now: dt.datetime, zone: ZoneInfo) -> dt.date:
    """Return the Monday of the week of a date that an address names; empty is the present week of the site.

    Raises:
        ApiError: 422, the text is no date of the years 2000 to 2099.
    """
    try:
        date = dt.date.fromisoformat(text) if text else now.astimezone(zone).date()
    except ValueError:
        raise ApiError(422, f"week is {text[:40]!r}; write a date such as 2026-12-24", "week") from None
    if not 2000 <= date.year < 2100:
        raise ApiError(422, f"week is {text[:40]!r}; write a date from the years 2000 to 2099", "week")
    return find_monday(date)


def week_form(monday: dt.date, slot: str, slots: Sequence[str]) -> Form:
    """Return the form that chooses the week and the slot."""
    fields = [
        FormField("week", "Week of", str(monday), kind="date"),
        FormField("of", "Slot", slot, [("", say("All")), *((name, name) for name in slots)]),
    ]
    return Form("choose-week", "Week", "/console/decisions", fields, "Show the week")


def week_sheet(rules: Sequence[DisplayRule], monday: dt.date, zone: ZoneInfo, slot: str = "") -> Sheet:
    """Build the sheet of a week.

    Args:
        rules: The rules in the order in which they are tried.
        monday: First day of the week.
        zone: Time zone of the site.
        slot: Name of the slot whose rules are shown; empty for all.
    """
    shown = [rule for rule in rules if not slot or not rule.slots or slot in rule.slots]
    plans = [(rule, plan_week(rule, monday, zone)) for rule in shown]
    rows: list[list[Cell]] = [
        [
            rule.id,
            ", ".join(rule.slots) or say("any"),
            rule.campaign or "",
            *map(_describe_day, week),
            _format_time(rule.valid_from, zone),
            _format_time(rule.valid_until, zone),
        ]
        for rule, week in plans
    ]
    drawn = plans[:RULES_DRAWN]
    chart = {
        "kind": "week",
        "days": [
            say("{weekday} {day}", weekday=say(name), day=monday + dt.timedelta(days=number))
            for number, name in enumerate(WEEKDAYS)
        ],
        "y": [rule.id for rule, _ in drawn],
        "cells": [
            [24 * day + hour, row, minutes]
            for row, (_, week) in enumerate(drawn)
            for day, spans in enumerate(week)
            for hour, minutes in enumerate(count_minutes(spans))
            if minutes
        ],
    }
    last = monday + dt.timedelta(days=DAYS - 1)
    return Sheet(
        "week",
        say("Week of {day}", day=monday),
        ["Rule", "Slots", "Campaign", *WEEKDAYS, "From", "Until"],
        rows,
        say(
            "When rules may act from {first} to {last}, as far as their conditions hold: hours by the visitor's "
            "clock, From and Until by the site's. What conditions say of the time is not drawn.",
            first=monday,
            last=last,
        ),
        chart if any(any(week) for _, week in drawn) else None,
        is_tall=len(drawn) > TALL_FROM,
        empty="No rule acts here. The form below writes one.",
    )


def _describe_day(spans: Sequence[Span]) -> str:
    return WHOLE_DAY if list(spans) == [(0, DAY_MINUTES)] else format_spans(spans)


def _format_time(time: dt.datetime | None, zone: ZoneInfo) -> str:
    return "" if time is None else Moment(time.astimezone(zone))

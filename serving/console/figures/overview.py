"""The page Overview: one day against the same weekday, what moved the visits, and what needs attention."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import replace
from math import sqrt
from statistics import mean, stdev

from scipy.special import stdtrit

from ml.console.published import sum_by
from ml.console.selection import VisitSelection
from ml.console.tables import DIMENSIONS
from ml.console.visits import AudienceFigures, collect_parts
from ml.usage.ratios import Ratio
from serving.console.current_bundle import CurrentBundle
from serving.console.formats import (
    find_direction,
    format_change,
    format_count,
    format_interval,
    format_money,
    format_percent,
    format_points,
    format_seconds,
    is_outside,
    name_value,
)
from serving.console.localized_texts import Day, Sentences, say
from serving.console.page_parts import Card, Cell, ConsolePage, Sheet
from serving.console.view import View

WEEKS = 4
FEWEST_DAYS = 3  # fewer days show no usual range
MOVERS = 12
COUNTS = ("Visitors", "Visits", "Page views", "Purchases")
DAY_ENDS = dt.time(23, 0)
HEADINGS = {"segment": "Segment", "device": "Device", "country": "Country", "channel": "Source"}


def build_overview(bundle: CurrentBundle, view: View) -> ConsolePage:
    """Build the figures of the page; the service adds what the bundle does not hold."""
    day, under_way = _last_whole_day(bundle, view)
    note = say(
        "The figures are those of {weekday}, {day}, against the mean of the same weekday of up to {weeks} weeks"
        " before. A change has a colour where fewer than one day in twenty would differ as much by chance.",
        weekday=say(f"{day:%A}"),
        day=day,
        weeks=WEEKS,
    )
    rest: str = ""
    if under_way:
        last = bundle.local(bundle.tables.about["last_event_at"])
        rest = say("{day} is not over: events reach until {time}.", day=under_way, time=f"{last:%H:%M}")
    return ConsolePage(
        cards=_cards(bundle, view, day),
        sheets=[timeline(bundle, view), movers(bundle, view)],
        notes=[Sentences(note, rest)],
    )


def timeline(bundle: CurrentBundle, view: View) -> Sheet:
    """Build the sheet of people and visits by day, beside the days that they are compared with."""
    now = _by_date(bundle, view.selection)
    before = _by_date(bundle, view.before) if view.before is not None else None
    rows: list[list[Cell]] = []
    for place, (date, figures) in enumerate(now.items()):
        row: list[Cell] = [Day(date), figures.visitors if figures else 0, figures.visits if figures else 0]
        if before is not None:
            earlier = list(before.values())[place]
            row.append(earlier.visits if earlier else 0)
        rows.append(row)
    series = [{"name": say("Visits"), "values": [row[2] for row in rows]}]
    columns = ["Date", "Visitors", "Visits"]
    if before is not None:
        columns.append("Visits compared")
        series.append({"name": say("Visits compared"), "values": [row[3] for row in rows]})
    chart = {"kind": "line", "x": [row[0] for row in rows], "series": series, "whole": True}
    return Sheet("days", "Visits by day", columns, rows, chart=chart)


def movers(bundle: CurrentBundle, view: View) -> Sheet:
    """Build the sheet of the parts whose visits changed most."""
    empty = "Choose a comparison to see what moved the visits."
    if view.before is None:
        return Sheet(
            "movers",
            "What moved the visits",
            ["Part", "Visits", "Before", "Change"],
            [],
            is_half=True,
            empty=empty,
        )
    changes: list[tuple[str, int, int]] = []
    columns = (*DIMENSIONS, "visits")
    periods = [bundle.tables.read("visits", each, columns) for each in (view.selection, view.before)]
    for dimension in DIMENSIONS:
        if dimension in view.selection.filters:
            continue
        now, before = (
            {row[dimension]: row["visits"] for row in sum_by(rows, (dimension,), ("visits",)).to_pylist()}
            for rows in periods
        )
        for value in sorted({*now, *before}):
            name = say("{part}: {value}", part=say(HEADINGS[dimension]), value=name_value(dimension, value))
            changes.append((name, now.get(value, 0), before.get(value, 0)))
    changes.sort(key=lambda each: -abs(each[1] - each[2]))
    rows: list[list[Cell]] = [
        [name, now, before, now - before] for name, now, before in changes[:MOVERS] if now != before
    ]
    chart = {
        "kind": "bar",
        "sideways": True,
        "x": [row[0] for row in rows],
        "series": [{"name": say("Change of visits"), "values": [row[3] for row in rows]}],
        "whole": True,
    }
    note = "Parts overlap: a visit belongs to a segment, a device, a country and a source at once."
    return Sheet(
        "movers", "What moved the visits", ["Part", "Visits", "Before", "Change"], rows, note, chart, is_half=True
    )


def _last_whole_day(bundle: CurrentBundle, view: View) -> tuple[dt.date, dt.date | None]:
    """Return the last day of the view that is over, and the day that is under way, if the view reaches it."""
    about = bundle.tables.about
    day = min(view.selection.last, about["last_date"])
    last = bundle.local(about["last_event_at"])
    if day == last.date() and last.time() < DAY_ENDS:
        return day - dt.timedelta(days=1), day
    return day, None


def _by_date(bundle: CurrentBundle, selection: VisitSelection) -> dict[dt.date, AudienceFigures | None]:
    parts = collect_parts(bundle.tables, selection, "date")
    dates = [selection.first + dt.timedelta(days=place) for place in range(selection.days)]
    return {date: parts.get((date,)) for date in dates}


def _is_unusual(value: float | None, usual: Sequence[float], noise: float = 0.0) -> bool:
    """Return whether a value lies outside the 95% prediction interval of the days that it is compared with.

    Args:
        value: The value of the day.
        usual: Those of the other days.
        noise: Standard deviation that chance alone gives such a value: few days may happen to agree.
    """
    if value is None or len(usual) < FEWEST_DAYS:
        return False
    days = len(usual)
    spread = max(stdev(usual), noise) * sqrt(1 + 1 / days)
    return abs(value - mean(usual)) > float(stdtrit(days - 1, 0.975)) * spread


def _cards(bundle: CurrentBundle, view: View, day: dt.date) -> Sequence[Card]:
    selection = replace(view.selection, first=day - dt.timedelta(weeks=WEEKS), last=day)
    by_date = _by_date(bundle, selection)
    now = by_date[day]
    first = bundle.tables.about["first_date"]
    earlier = [day - dt.timedelta(weeks=number) for number in range(1, WEEKS + 1)]
    # A day on which nobody came counts with 0, and one before the first visit of all does not count.
    before = [by_date[date] for date in earlier if date >= first]
    currency = bundle.tables.about["currency"]

    def against(change: str) -> str:
        return change and say("{change} against earlier {weekday}s", change=change, weekday=say(f"{day:%A}"))

    def card(label: str, value: float | None, text: str, usual: list[float]) -> Card:
        earlier = mean(usual) if usual else None
        change = format_change(value, earlier)
        noise = sqrt(earlier) if earlier and label in COUNTS else 0.0
        direction = find_direction(value, earlier) if _is_unusual(value, usual, noise) else ""
        return Card(label, text, "", against(change), direction)

    def share(label: str, ratio: Ratio, usual: list[Ratio], is_good: bool) -> Card:
        values = [each.value for each in usual if each.value is not None]
        earlier = mean(values) if values else None
        direction = find_direction(ratio.value, earlier) if is_good else find_direction(earlier, ratio.value)
        is_clear = is_outside(earlier, ratio) and _is_unusual(ratio.value, values)
        direction = direction if is_clear else ""
        points = format_points(ratio.value, earlier)
        text = format_percent(ratio.value)
        return Card(label, text, format_interval(ratio), against(points), direction)

    def sums(name: str) -> list[float]:
        return [float(getattr(each, name)) if each else 0.0 for each in before]

    if now is None:
        return [Card("Visits", "0", say("on {day}", day=day))]
    seconds = [each.engaged_seconds for each in before if each and each.engaged_seconds is not None]
    return [
        card("Visitors", now.visitors, format_count(now.visitors), sums("visitors")),
        card("Visits", now.visits, format_count(now.visits), sums("visits")),
        card("Page views", now.page_views, format_count(now.page_views), sums("page_views")),
        card("Purchases", now.purchases, format_count(now.purchases), sums("purchases")),
        card("Revenue", now.revenue, format_money(now.revenue, currency), sums("revenue")),
        card("Attention per visit", now.engaged_seconds, format_seconds(now.engaged_seconds), seconds),
        share("Visits with a purchase", now.conversion, [each.conversion for each in before if each], True),
        share("Bounces", now.bounce, [each.bounce for each in before if each], False),
    ]

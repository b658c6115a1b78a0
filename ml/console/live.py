"""The last half hour, counted from the event log as it is written."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from ml.console.published import sum_by
from ml.events.contract import EVENT_SCHEMA, TIMESTAMP
from ml.events.live_log import read_all_events
from ml.events.log import EventLog

MINUTES = 30
AHEAD = dt.timedelta(minutes=1)
"""How far the clock of a visitor may be ahead of that of the service."""
OF_SERVICE = ("served", "exposure", "erased", "impression")
COLUMNS = (
    "event_type",
    "occurred_at",
    "user_id",
    "anonymous_id",
    "device_type",
    "page_title",
    "page_url",
    "country",
)
TOP = 10
FEWEST_PEOPLE = 5
OTHER_PAGES = "Other pages"
"""Pages that fewer people viewed in the half hour, so that nobody can be singled out."""


@dataclass(frozen=True)
class LiveFigures:
    """What visitors did in the last half hour.

    Attributes:
        people: Distinct users, and browsers on which nobody is signed in.
        page_views: Page views.
        minutes: Each minute in UTC with its events, the oldest first.
        types: The most frequent types of events.
        pages: The most viewed pages; those that fewer than FEWEST_PEOPLE people viewed are counted together.
        countries: The most frequent countries with their people.
    """

    people: int
    page_views: int
    minutes: Sequence[tuple[dt.datetime, int]]
    types: Sequence[tuple[str, int]]
    pages: Sequence[tuple[str, int]]
    countries: Sequence[tuple[str, int]]


def count_live(log: EventLog, now: dt.datetime) -> LiveFigures:
    """Count the events of visitors of the last half hour, those of other workers and of open parts included.

    Robots are left out, and so is what the service itself writes.

    Args:
        log: The event log.
        now: The present time, aware.
    """
    last = now.replace(second=0, microsecond=0)
    first = last - dt.timedelta(minutes=MINUTES - 1)
    nothing = pa.RecordBatch.from_pylist([], EVENT_SCHEMA)
    batches = chain([nothing], _read_recent(log, first, now + AHEAD))
    counts = pa.concat_tables([_count(batch, last) for batch in batches])
    views = counts.filter(pc.field("event_type") == "page_view")
    minutes = _sum_by(counts, "minute")
    types = _sum_by(counts, "event_type")
    return LiveFigures(
        people=pc.count_distinct(counts["person"]).as_py(),
        page_views=types["page_view"],
        minutes=[
            (minute, minutes[minute])
            for minute in (first + dt.timedelta(minutes=number) for number in range(MINUTES))
        ],
        types=_most(types),
        pages=_most(_sum_by(_hide_rare_pages(views), "page")),
        countries=_most(_count_people(counts, "country")),
    )


def _read_recent(log: EventLog, first: dt.datetime, last: dt.datetime) -> Iterator[pa.RecordBatch]:
    at = pc.field("occurred_at")
    is_counted = (
        (at >= pa.scalar(first, TIMESTAMP))
        & (at <= pa.scalar(last, TIMESTAMP))
        & ~pc.field("event_type").isin(OF_SERVICE)
        & (pc.field("device_type").is_null() | (pc.field("device_type") != "bot"))
    )
    yield from read_all_events(log, COLUMNS, is_counted, first_received=first)


def _count(batch: pa.RecordBatch, last: dt.datetime) -> pa.Table:
    """Count a batch by minute, type, person, country and page; a clock that is ahead counts as now."""
    minute, now = pc.floor_temporal(batch["occurred_at"], unit="minute"), pa.scalar(last, TIMESTAMP)
    is_user = pc.is_valid(batch["user_id"])
    person = pc.coalesce(batch["user_id"], batch["anonymous_id"], pa.scalar(""))
    has_title = pc.not_equal(pc.coalesce(batch["page_title"], pa.scalar("")), "")
    page = pc.coalesce(pc.if_else(has_title, batch["page_title"], batch["page_url"]), pa.scalar(""))
    columns = {
        "minute": pc.if_else(pc.greater(minute, now), now, minute),
        "event_type": batch["event_type"],
        "person": pc.binary_join_element_wise(pc.if_else(is_user, "user", "device"), person, ":"),
        "country": pc.coalesce(batch["country"], pa.scalar("")),
        "page": page,
    }
    return pa.table(columns).group_by(list(columns)).aggregate([([], "count_all")])


def _hide_rare_pages(views: pa.Table) -> pa.Table:
    """Give the pages that few people viewed one name."""
    people = _count_people(views, "page")
    shown = pa.array([page for page, count in people.items() if count >= FEWEST_PEOPLE], pa.string())
    pages = pc.if_else(pc.is_in(views["page"], value_set=shown), views["page"], OTHER_PAGES)
    return views.set_column(views.schema.get_field_index("page"), "page", pages)


def _sum_by(counts: pa.Table, name: str) -> Counter[Any]:
    """Sum the events by a column."""
    sums = sum_by(counts, (name,), ("count_all",))
    return Counter(dict(zip(sums[name].to_pylist(), sums["count_all"].to_pylist(), strict=True)))


def _count_people(counts: pa.Table, name: str) -> Counter[Any]:
    """Count the people of each value of a column."""
    people = counts.group_by(name).aggregate([("person", "count_distinct")])
    return Counter(dict(zip(people[name].to_pylist(), people["person_count_distinct"].to_pylist(), strict=True)))


def _most(counts: Counter[str]) -> list[tuple[str, int]]:
    return sorted(counts.items(), key=lambda count: (-count[1], count[0]))[:TOP]

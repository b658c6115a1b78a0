"""The last half hour, counted from the event log as it is written."""

from __future__ import annotations

import datetime as dt
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from ml.events.contract import TIMESTAMP
from ml.events.live_log import read_open_parts
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
    minutes, types, views = Counter[dt.datetime](), Counter[str](), Counter[str]()
    people: set[str] = set()
    countries: dict[str, set[str]] = defaultdict(set)
    viewers: dict[str, set[str]] = defaultdict(set)
    for batch in _read_recent(log, first, now + AHEAD):
        for row in batch.to_pylist():
            # A clock that is ahead counts as now.
            minutes[min(row["occurred_at"].replace(second=0, microsecond=0), last)] += 1
            types[row["event_type"]] += 1
            person = f"user:{row['user_id']}" if row["user_id"] else f"device:{row['anonymous_id']}"
            people.add(person)
            countries[row["country"] or ""].add(person)
            if row["event_type"] == "page_view":
                page = row["page_title"] or row["page_url"] or ""
                views[page] += 1
                viewers[page].add(person)
    pages = Counter[str]()
    for page, count in views.items():
        pages[page if len(viewers[page]) >= FEWEST_PEOPLE else OTHER_PAGES] += count
    return LiveFigures(
        people=len(people),
        page_views=types["page_view"],
        minutes=[
            (minute, minutes[minute])
            for minute in (first + dt.timedelta(minutes=number) for number in range(MINUTES))
        ],
        types=_most(types),
        pages=_most(pages),
        countries=_most(Counter({name: len(each) for name, each in countries.items()})),
    )


def _read_recent(log: EventLog, first: dt.datetime, last: dt.datetime) -> Iterator[pa.RecordBatch]:
    recent = [part for part in log.parts() if dt.datetime.fromisoformat(part.received_max) >= first]
    bounds = [pa.scalar(moment, TIMESTAMP) for moment in (first, last)]
    for batch in [*log.read(recent, COLUMNS), *(part.select(COLUMNS) for part in read_open_parts(log))]:
        is_recent = pc.and_(
            pc.greater_equal(batch["occurred_at"], bounds[0]), pc.less_equal(batch["occurred_at"], bounds[1])
        )
        left_out = pc.or_(
            pc.is_in(batch["event_type"], value_set=pa.array(OF_SERVICE)),
            pc.fill_null(pc.equal(batch["device_type"], "bot"), False),
        )
        yield batch.filter(pc.and_(is_recent, pc.invert(left_out)))


def _most(counts: Counter[str]) -> list[tuple[str, int]]:
    return sorted(counts.items(), key=lambda count: (-count[1], count[0]))[:TOP]

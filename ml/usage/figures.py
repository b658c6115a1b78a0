"""The figures of the usage report, from sums over all people."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import pyarrow as pa

from ml.usage.funnel_steps import CountedSteps, collect_counted_steps
from ml.usage.ratios import Ratio, mean_of_sums, share_of_people, share_of_sums

LONGEST_BY_DAY = 62  # days that are shown each; a longer time is shown by weeks
WEEK = dt.timedelta(days=7)


@dataclass(frozen=True)
class Period:
    """A day or a week of use.

    Attributes:
        first: Its first day.
        length: `day` or `week`.
        days: The days of it that the report covers, which are fewer than seven in a week that is not whole.
    """

    first: dt.date
    length: str
    days: int
    visits: int
    page_views: int
    purchases: int


@dataclass(frozen=True)
class PageUse:
    """Use of one page. Exits are a share of its views, bounces of the visits it begins; dwell is in seconds."""

    name: str
    key: str
    views: int
    people: int
    entries: int
    exits: int
    exit_share: Ratio
    bounce_share: Ratio
    dwell: Ratio


@dataclass(frozen=True)
class LeftOut:
    """What the report does not count."""

    bot_visits: int
    bot_views: int
    internal_visits: int
    internal_views: int


@dataclass(frozen=True)
class Move:
    """A move between two pages; the share is of the views of the page left."""

    origin: str
    target: str
    moves: int
    share: float


@dataclass(frozen=True)
class FunnelStep:
    """A step: who took it, as a number and of those at the first step, and who was lost since the step before."""

    name: str
    taken: int
    of_first: Ratio
    lost: int
    lost_share: Ratio


@dataclass(frozen=True)
class TrafficSource:
    """Visits through one channel; the share is of all visits."""

    channel: str
    visits: int
    people: int
    share: float
    conversion: Ratio


@dataclass(frozen=True)
class Cohort:
    """People who first came in one week, from Monday, and how many of them came in each week from then on."""

    week: dt.date
    people: int
    active: Sequence[int]


@dataclass(frozen=True)
class UsageFigures:
    """All that the report shows."""

    first: dt.date
    last: dt.date
    people: int
    visits: int
    page_views: int
    left_out: LeftOut
    conversion: Ratio
    bounce: Ratio
    periods: Sequence[Period]
    pages: Sequence[PageUse]
    entries: Sequence[PageUse]
    exits: Sequence[PageUse]
    moves: Sequence[Move]
    funnels: Mapping[str, Sequence[FunnelStep]]
    steps: Mapping[str, CountedSteps]  # which steps of each funnel of the settings count
    unreached: Mapping[str, Sequence[str]]  # those of them that nobody came to
    cohorts: Sequence[Cohort]
    retention: Sequence[Ratio]  # of the first, second … week after the first one
    sources: Sequence[TrafficSource]

    @property
    def has_purchases(self) -> bool:
        """Whether anybody ever bought: a site that sells nothing has no such rate."""
        return any(period.purchases for period in self.periods)


def collect_figures(tables: Mapping[str, pa.Table]) -> UsageFigures | None:
    """Work out the figures; None where nobody has used the site yet.

    Args:
        tables: `days` (date, sessions, page_views, purchases), `left_out` (the fields of `LeftOut`), `totals` and
            `sources` (visits, converted, bounces with their moments), `pages`, `entries` and `exits` (page_key,
            title, views, entries, exits, bounces, dwell_seconds, dwells with their moments), `moves` (from_page,
            from_title, to_page, to_title, moves, views), `funnels` (funnel, step_number, step, entered),
            `funnel_steps` (as `ml.usage.funnel_steps` reads them) and `retention` (cohort_week, week_number,
            cohort_users, active_users). `ml.usage.ratios.share_of_sums` says what moments are.
    """
    rows = {name: table.to_pylist() for name, table in tables.items()}
    (totals,), (left_out,) = rows["totals"], rows["left_out"]
    if not rows["days"] or not totals["people"]:
        return None
    last = rows["days"][-1]["date"]
    cohorts = _cohorts(rows["retention"], last)
    funnels = {
        name: _steps(list(steps)) for name, steps in groupby(rows["funnels"], key=lambda row: row["funnel"])
    }
    counted_steps = collect_counted_steps(rows["funnel_steps"])
    return UsageFigures(
        first=rows["days"][0]["date"],
        last=last,
        people=totals["people"],
        visits=int(totals["visits"]),
        page_views=sum(day["page_views"] for day in rows["days"]),
        left_out=LeftOut(**left_out),
        conversion=share_of_sums(totals, "converted", "visits"),
        bounce=share_of_sums(totals, "bounces", "visits"),
        periods=_periods(rows["days"]),
        pages=[_page(row) for row in rows["pages"]],
        entries=[_page(row) for row in rows["entries"]],
        exits=[_page(row) for row in rows["exits"]],
        moves=[
            Move(
                row["from_title"] or row["from_page"],
                row["to_title"] or row["to_page"],
                row["moves"],
                row["moves"] / row["views"],
            )
            for row in rows["moves"]
        ],
        funnels=funnels,
        steps=counted_steps,
        unreached={name: counted_steps[name].counted[len(steps) :] for name, steps in funnels.items()},
        cohorts=cohorts,
        retention=_retention(cohorts),
        sources=[_source(row, totals["visits"]) for row in rows["sources"]],
    )


def _periods(days: Sequence[Mapping[str, Any]]) -> list[Period]:
    """Every day, those without a visit included; weeks from Monday, by number of days, where there are many."""
    first, last = days[0]["date"], days[-1]["date"]
    by_date = {day["date"]: day for day in days}
    is_weekly = (last - first).days >= LONGEST_BY_DAY
    start = first - dt.timedelta(days=first.weekday()) if is_weekly else first
    length = 7 if is_weekly else 1
    periods = []
    while start <= last:
        dates = [start + dt.timedelta(days=place) for place in range(length)]
        inside = [date for date in dates if first <= date <= last]
        seen = [by_date[date] for date in inside if date in by_date]
        sums = (sum(day[name] for day in seen) for name in ("sessions", "page_views", "purchases"))
        periods.append(Period(start, "week" if is_weekly else "day", len(inside), *sums))
        start += dt.timedelta(days=length)
    return periods


def _page(row: Mapping[str, Any]) -> PageUse:
    return PageUse(
        name=row["title"] or row["page_key"],
        key=row["page_key"],
        views=int(row["views"]),
        people=row["views_people"],
        entries=int(row["entries"]),
        exits=int(row["exits"]),
        exit_share=share_of_sums(row, "exits", "views"),
        bounce_share=share_of_sums(row, "bounces", "entries"),
        dwell=mean_of_sums(row, "dwell_seconds", "dwells"),
    )


def _steps(rows: Sequence[Mapping[str, Any]]) -> list[FunnelStep]:
    first, before, steps = rows[0]["entered"], rows[0]["entered"], []
    for row in rows:
        taken = row["entered"]
        lost = before - taken
        steps.append(
            FunnelStep(row["step"], taken, share_of_people(taken, first), lost, share_of_people(lost, before))
        )
        before = taken
    return steps


def _cohorts(rows: Sequence[Mapping[str, Any]], last: dt.date) -> list[Cohort]:
    """The cohorts with the weeks that have ended; a week without a row in the mart is one in which nobody came."""
    cohorts = []
    for week, entries in groupby(rows, key=lambda row: row["cohort_week"]):
        active = {row["week_number"]: row for row in entries}
        people = next(iter(active.values()))["cohort_users"]
        ended = (last - week + dt.timedelta(days=1)) // WEEK
        counts = [active[number]["active_users"] if number in active else 0 for number in range(ended)]
        if counts:
            cohorts.append(Cohort(week, people, counts))
    return cohorts


def _retention(cohorts: Sequence[Cohort]) -> list[Ratio]:
    """The share of people who came in each week after their first, over all cohorts that have had this week."""
    longest = max((len(cohort.active) for cohort in cohorts), default=0)
    shares = []
    for number in range(1, longest):
        had = [cohort for cohort in cohorts if len(cohort.active) > number]
        shares.append(
            share_of_people(sum(cohort.active[number] for cohort in had), sum(cohort.people for cohort in had))
        )
    return shares


def _source(row: Mapping[str, Any], visits: float) -> TrafficSource:
    conversion = share_of_sums(row, "converted", "visits")
    return TrafficSource(
        row["channel"], int(row["visits"]), row["visits_people"], row["visits"] / visits, conversion
    )

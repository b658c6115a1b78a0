"""The figures of the usage report against sums over the raw events, worked out without SQL."""

from __future__ import annotations

import datetime as dt
import random
from collections import Counter, defaultdict
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import pytest
from dbt.contracts.graph.manifest import Manifest

from ml.usage.figures import UsageFigures, collect_figures
from orchestration.warehouse.usage_tables import read_usage_tables
from orchestration.warehouse.warehouse import Warehouse
from tests.dbt_project.built import START, Built, event, warehouse_in

PAGES = [f"https://site/{name}" for name in ("", "a", "b", "c")]
PEOPLE = 60
SILENCE = 30  # minutes that end a visit
DAY = 24 * 60
Visit = list[dict[str, Any]]


def histories() -> dict[str, Visit]:
    """Views, exits with their dwell, and purchases of each person, at least two minutes apart, over five weeks."""
    generator = random.Random(7)
    people: dict[str, Visit] = {}
    for number in range(PEOPLE):
        events, minute = [], generator.uniform(0, 14 * DAY)
        while minute < 35 * DAY and len(events) < 60:
            name, page = f"u{number}", generator.choice(PAGES)
            address = page + ("?utm_source=mail&utm_medium=email" if generator.random() < 0.2 else "")
            events.append(event(minute, user_id=name, page_url=address, page_title=page[-1]))
            if generator.random() < 0.6:
                dwell = generator.randint(5, 110)
                events.append(event(minute + 2, "page_exit", user_id=name, page_url=address, value=float(dwell)))
            if generator.random() < 0.1:
                events.append(event(minute + 3, "purchase", user_id=name, page_url=address, value=5.0))
            minute += generator.choice([5, 7, 11, 3 * 60, 4 * DAY])
        people[name] = events
    return people


PEOPLES_EVENTS = histories()


def visits() -> Iterator[tuple[str, Visit]]:
    """The visits of each person: events with less than half an hour between them."""
    for person, events in PEOPLES_EVENTS.items():
        visit = [events[0]]
        for before, after in pairwise(events):
            if (after["occurred_at"] - before["occurred_at"]).total_seconds() > SILENCE * 60:
                yield person, visit
                visit = []
            visit.append(after)
        yield person, visit


def views(visit: Visit) -> list[str]:
    return [row["page_url"].partition("?")[0] for row in visit if row["event_type"] == "page_view"]


@pytest.fixture(scope="module")
def figures(tmp_path_factory: pytest.TempPathFactory, manifest: Manifest) -> UsageFigures:
    built: Built = warehouse_in(tmp_path_factory.mktemp("usage") / "home", manifest)
    built.ingest(*(row for events in PEOPLES_EVENTS.values() for row in events))
    built.build()
    found = collect_figures(read_usage_tables(Warehouse(built.home.warehouse), 50, 1))
    assert found is not None
    return found


def test_people_visits_and_conversions_are_those_of_the_events(figures: UsageFigures) -> None:
    all_visits = list(visits())
    bought = [visit for _, visit in all_visits if any(row["event_type"] == "purchase" for row in visit)]
    assert (figures.people, figures.visits) == (PEOPLE, len(all_visits))
    assert figures.page_views == sum(len(views(visit)) for _, visit in all_visits)
    assert figures.conversion.value == pytest.approx(len(bought) / len(all_visits))
    assert [source.visits for source in figures.sources] == sorted(
        (source.visits for source in figures.sources), reverse=True
    )
    assert sum(source.visits for source in figures.sources) == len(all_visits)
    assert sum(period.visits for period in figures.periods) == len(all_visits)


def test_pages_entries_exits_and_dwell_are_those_of_the_events(figures: UsageFigures) -> None:
    seen, entries, exits = Counter[str](), Counter[str](), Counter[str]()
    dwell: dict[str, list[float]] = defaultdict(list)
    for _, visit in visits():
        pages = views(visit)
        seen.update(pages)
        entries[pages[0]] += 1
        exits[pages[-1]] += 1
        for row in visit:
            if row["event_type"] == "page_exit":
                dwell[row["page_url"].partition("?")[0]].append(row["value"])
    assert {page.key: page.views for page in figures.pages} == seen
    assert {page.key: page.entries for page in figures.entries} == entries
    assert {page.key: page.exits for page in figures.exits} == exits
    for page in figures.pages:
        assert page.exit_share.value == pytest.approx(exits[page.key] / seen[page.key])
        assert page.dwell.value == pytest.approx(sum(dwell[page.key]) / len(dwell[page.key]))
        assert page.dwell.low < page.dwell.value < page.dwell.high


def test_moves_are_those_of_the_events(figures: UsageFigures) -> None:
    moves = Counter((one[-1], other[-1]) for _, visit in visits() for one, other in pairwise(views(visit)))
    assert {(move.origin, move.target): move.moves for move in figures.moves} == moves


def test_a_funnel_begins_with_every_visit_and_retention_with_every_person(figures: UsageFigures) -> None:
    assert figures.funnels["purchase"][0].taken == len(list(visits()))
    assert figures.funnels["purchase_by_user"][0].taken == PEOPLE
    weeks: dict[str, set[int]] = {
        person: {(row["occurred_at"] - START.replace(hour=0)).days // 7 for row in events}
        for person, events in PEOPLES_EVENTS.items()
    }
    last = max(row["occurred_at"] for events in PEOPLES_EVENTS.values() for row in events)
    ended = (last.replace(hour=0, minute=0) - START.replace(hour=0) + dt.timedelta(days=1)).days // 7
    for place, share in enumerate(figures.retention, start=1):
        had = [came for came in weeks.values() if min(came) + place < ended]
        assert share.value == pytest.approx(sum(min(came) + place in came for came in had) / len(had))

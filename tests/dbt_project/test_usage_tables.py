"""The figures of the usage report against sums over the raw events, worked out without SQL."""

from __future__ import annotations

import datetime as dt
from collections import Counter, defaultdict
from itertools import pairwise

import pytest

from ml.settings.warehouse import WarehouseSettings
from ml.usage.figures import UsageFigures, collect_figures
from ml.usage.ratios import FEWEST_PEOPLE
from orchestration.warehouse.usage_tables import read_usage_tables
from orchestration.warehouse.warehouse import Warehouse
from tests.dbt_project.built import START, Built
from tests.dbt_project.usage_histories import PEOPLE, PEOPLES_EVENTS, views, visits


@pytest.fixture(scope="module")
def figures(used_site: Built) -> UsageFigures:
    found = collect_figures(read_usage_tables(Warehouse(used_site.home.warehouse), WarehouseSettings(), 50, 1))
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
        if page.dwell.people >= FEWEST_PEOPLE:
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

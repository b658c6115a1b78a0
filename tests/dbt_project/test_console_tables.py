"""Every figure of the console against sums over the raw events, under any filters, worked out without SQL."""

from __future__ import annotations

import datetime as dt
import json
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ml.console.actions import count_actions_of_pages, list_vain_clicks, sum_actions
from ml.console.funnels import collect_funnel_parts, collect_funnels
from ml.console.items import collect_items
from ml.console.pages import collect_pages, page_name
from ml.console.paths import ENDS, follow_visits, surround_page
from ml.console.published import PublishedTables
from ml.console.retention import collect_cohorts
from ml.console.selection import VisitSelection
from ml.console.tables import CONSOLE_TABLES, DIMENSIONS, FOLDER, LEFT, OTHER, START
from ml.console.visit_steps import VisitSteps
from ml.console.visits import collect_campaigns, collect_dayparts, collect_parts, collect_totals, count_visitors
from ml.errors import InvalidInputError
from ml.experiments.definition.definitions_file import load_metric_library
from ml.settings import load_settings
from ml.usage.step_names import parse_step
from orchestration.warehouse.console_tables import write_console_tables
from orchestration.warehouse.warehouse import Warehouse
from tests.dbt_project.built import Built
from tests.dbt_project.usage_histories import PAGES, PEOPLE, RARE_PAGE, Visit, views, visits

MONDAY = dt.date(2026, 3, 2)
STEPS = ("page_view", "add_to_cart", "checkout", "purchase")
SEGMENTS = {f"u{number}": ("night owls", "early birds", None)[number % 3] for number in range(PEOPLE - 5)}
OF_CONVERSION = {"click", "add_to_cart", "checkout", "purchase"}
FEWEST_PEOPLE = 20


@dataclass(frozen=True)
class PlainVisit:
    person: str
    date: dt.date
    values: dict[str, str]
    pages: list[str]
    events: Visit

    def has(self, event_type: str) -> bool:
        return any(row["event_type"] == event_type for row in self.events)


def plain_visits() -> list[PlainVisit]:
    plain = []
    for person, events in visits():
        first_view = next(row for row in events if row["event_type"] == "page_view")
        values = {
            "segment": SEGMENTS.get(person) or "",
            "device": events[0]["device_type"] or "other",
            "country": events[0]["country"] or "",
            "channel": "email" if "utm_medium=email" in first_view["page_url"] else "direct",
        }
        plain.append(PlainVisit(person, events[0]["occurred_at"].date(), values, views(events), events))
    return plain


VISITS = plain_visits()
VALUES = {name: sorted({visit.values[name] for visit in VISITS}) for name in DIMENSIONS}


def chosen(selection: VisitSelection) -> list[PlainVisit]:
    return [
        visit
        for visit in VISITS
        if selection.first <= visit.date <= selection.last
        and all(visit.values[name] == value for name, value in selection.filters.items())
    ]


@st.composite
def selections(draw: st.DrawFn) -> VisitSelection:
    """Any range within the six weeks, and any filters."""
    first = MONDAY + dt.timedelta(days=draw(st.integers(-3, 40)))
    last = first + dt.timedelta(days=draw(st.sampled_from([0, 1, 6, 13, 45])))
    names = draw(st.sets(st.sampled_from(DIMENSIONS)))
    return VisitSelection(first, last, {name: draw(st.sampled_from(VALUES[name])) for name in sorted(names)})


under_any_filters = settings(
    max_examples=30, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@pytest.fixture(scope="module")
def tables(used_site: Built, tmp_path_factory: pytest.TempPathFactory) -> PublishedTables:
    """The tables of the site with two segments, where a page that 20 people viewed is counted by itself."""
    folder = tmp_path_factory.mktemp("bundle")
    (folder / FOLDER).mkdir()
    warehouse = Warehouse(used_site.copy(folder / "home").home.warehouse)
    segments = pa.table({"user_id": list(SEGMENTS), "name": pa.array(SEGMENTS.values(), pa.string())})
    warehouse.write("user_segments", segments)
    site_settings = load_settings()
    sequences = site_settings.sequences.model_copy(update={"minimum_people": FEWEST_PEOPLE})
    changed = site_settings.model_copy(update={"sequences": sequences})
    files = write_console_tables(warehouse, changed, folder / FOLDER, load_metric_library())
    published = PublishedTables(folder)
    assert published.is_complete
    assert all(file.stat().st_size < 200_000 for file in files.values())
    return published


@under_any_filters
@given(selection=selections())
def test_totals_are_those_of_the_events(tables: PublishedTables, selection: VisitSelection) -> None:
    plain = chosen(selection)
    totals = collect_totals(tables, selection)
    assert totals.visits == len(plain)
    assert totals.visitors == len({visit.person for visit in plain})
    assert totals.page_views == sum(len(visit.pages) for visit in plain)
    bought = [sum(row["event_type"] == "purchase" for row in visit.events) for visit in plain]
    assert totals.purchases == sum(bought)
    assert totals.revenue == pytest.approx(5.0 * sum(bought))
    bounces = [
        len(visit.pages) == 1 and not any(row["event_type"] in OF_CONVERSION for row in visit.events)
        for visit in plain
    ]
    if plain:
        assert totals.conversion.value == pytest.approx(sum(map(bool, bought)) / len(plain))
        assert totals.bounce.value == pytest.approx(sum(bounces) / len(plain))
        person_days = {(visit.person, visit.date, *visit.values.values()) for visit in plain}
        assert totals.conversion.people == len(person_days)
    else:
        assert totals.conversion.value is None


@under_any_filters
@given(selection=selections(), by=st.sampled_from([*DIMENSIONS, "date"]))
def test_parts_are_those_of_the_events(tables: PublishedTables, selection: VisitSelection, by: str) -> None:
    plain: dict[Any, list[PlainVisit]] = defaultdict(list)
    for visit in chosen(selection):
        plain[visit.date if by == "date" else visit.values[by]].append(visit)
    parts = collect_parts(tables, selection, by)
    assert {key: part.visits for (key,), part in parts.items()} == {key: len(rows) for key, rows in plain.items()}
    assert {key: part.visitors for (key,), part in parts.items()} == {
        key: len({visit.person for visit in rows}) for key, rows in plain.items()
    }


@under_any_filters
@given(selection=selections())
def test_dayparts_add_up_to_the_visits_of_their_hours(tables: PublishedTables, selection: VisitSelection) -> None:
    plain = Counter(
        (visit.events[0]["occurred_at"].isoweekday(), visit.events[0]["occurred_at"].hour)
        for visit in chosen(selection)
    )
    assert {key: count for key, (count, _) in collect_dayparts(tables, selection).items()} == plain


def shown_pages(tables: PublishedTables) -> dict[str, int]:
    """The number of each page that is counted by itself."""
    return {row["page_key"]: number for number, row in tables.pages.items()}


def test_pages_of_few_people_are_counted_among_the_others(tables: PublishedTables) -> None:
    people: dict[str, set[str]] = defaultdict(set)
    for visit in VISITS:
        for page in visit.pages:
            people[page].add(visit.person)
    assert set(shown_pages(tables)) == {page for page, viewers in people.items() if len(viewers) >= FEWEST_PEOPLE}
    assert page_name(tables, OTHER) == "Other pages"


@under_any_filters
@given(selection=selections())
def test_pages_are_those_of_the_events(tables: PublishedTables, selection: VisitSelection) -> None:
    numbers = shown_pages(tables)
    seen, entries, exits = Counter[int](), Counter[int](), Counter[int]()
    dwell: dict[int, list[float]] = defaultdict(list)
    for visit in chosen(selection):
        pages = [numbers.get(page, OTHER) for page in visit.pages]
        seen.update(pages)
        entries[pages[0]] += 1
        exits[pages[-1]] += 1
        for row in visit.events:
            if row["event_type"] == "page_exit":
                dwell[numbers.get(row["page_url"].partition("?")[0], OTHER)].append(row["value"])
    figures = {each.page: each for each in collect_pages(tables, selection)}
    assert {page: each.views for page, each in figures.items()} == seen
    assert {page: each.entries for page, each in figures.items() if each.entries} == entries
    assert {page: each.exits for page, each in figures.items() if each.exits} == exits
    for page, seconds in dwell.items():
        assert figures[page].dwell_seconds == pytest.approx(sum(seconds) / len(seconds))


@under_any_filters
@given(selection=selections(), steps=st.integers(1, 5), pages_shown=st.integers(0, 4))
def test_paths_add_up_to_the_visits(
    tables: PublishedTables, selection: VisitSelection, steps: int, pages_shown: int
) -> None:
    plain = chosen(selection)
    flows = follow_visits(tables, selection, steps, pages_shown)
    assert flows.total == len(plain)
    assert flows.out_of((0, START)) == len(plain)
    nodes = {target for _, target in flows.links}
    for step in range(1, steps + 1):
        layer = [node for node in nodes if node[0] == step and node[1] not in ENDS]
        assert len(layer) <= pages_shown + 1
        assert sum(map(flows.into, layer)) == sum(len(visit.pages) >= step for visit in plain)
        assert flows.into((step, LEFT)) == sum(len(visit.pages) == step - 1 for visit in plain)
        if step < steps:
            assert all(flows.into(node) == flows.out_of(node) for node in layer)


@under_any_filters
@given(selection=selections(), place=st.integers(0, 3))
def test_what_surrounds_a_page_adds_up_to_its_views(
    tables: PublishedTables, selection: VisitSelection, place: int
) -> None:
    numbers = shown_pages(tables)
    address = sorted(numbers)[place % len(numbers)]
    moves = Counter[tuple[str | None, str | None]]()
    for visit in chosen(selection):
        moves.update(pairwise([None, *visit.pages, None]))
    flows = surround_page(tables, selection, numbers[address], 10)
    views_of_page = sum(count for (_, target), count in moves.items() if target == address)
    assert flows.into((1, numbers[address])) == flows.out_of((1, numbers[address])) == views_of_page
    for other, number in [*numbers.items(), (None, None)]:
        before = START if number is None else number
        after = LEFT if number is None else number
        assert flows.links.get(((0, before), (1, numbers[address])), 0) == moves[other, address]
        assert flows.links.get(((1, numbers[address]), (2, after)), 0) == moves[address, other]


def list_common(names: Iterable[tuple[Any, str]]) -> set[Any]:
    """What at least FEWEST_PEOPLE people have, of pairs of something and a person."""
    return {name for name, count in Counter(name for name, _ in set(names)).items() if count >= FEWEST_PEOPLE}


def campaign_of(visit: PlainVisit) -> tuple[str, str] | None:
    """Campaign and source of the address that a visit began at."""
    query = parse_qs(urlsplit(visit.events[0]["page_url"]).query)
    campaign, source = (query.get(f"utm_{name}", [""])[0] for name in ("campaign", "source"))
    return (campaign, source) if campaign or source else None


@under_any_filters
@given(selection=selections())
def test_campaigns_are_those_of_the_addresses(tables: PublishedTables, selection: VisitSelection) -> None:
    common = list_common((campaign_of(visit), visit.person) for visit in VISITS)
    assert ("spring", "") in common
    assert ("rare", "") not in common
    brought: dict[tuple[str, str], list[PlainVisit]] = defaultdict(list)
    for visit in chosen(selection):
        if campaign := campaign_of(visit):
            brought[campaign if campaign in common else ("", "")].append(visit)
    campaigns = collect_campaigns(tables, selection)
    assert {key: each.visits for key, each in campaigns.items()} == {
        key: len(rows) for key, rows in brought.items()
    }
    for key, rows in brought.items():
        assert campaigns[key].page_views == sum(len(visit.pages) for visit in rows)
        assert campaigns[key].conversion.value == pytest.approx(
            sum(visit.has("purchase") for visit in rows) / len(rows)
        )


def actions_by_hand(visit: PlainVisit) -> Counter[tuple[str, str]]:
    """How often each action was done on each page of a visit."""
    done, seen = Counter[tuple[str, str]](), Counter[tuple[str, str]]()
    clicks: dict[tuple[str, str], list[dt.datetime]] = defaultdict(list)
    for row in visit.events:
        page = row["page_url"].partition("?")[0]
        if row["event_type"] not in ("page_view", "page_exit"):
            done[page, row["event_type"].removeprefix("custom:")] += 1
        if row["event_type"] == "click":
            properties = json.loads(row["properties"])
            seen[page, "dead_click"] += not properties["has_effect"]
            times = clicks[row["page_url"], properties["element"]]
            times.append(row["occurred_at"])
            seen[page, "rage_click"] += len(times) > 2 and (times[-1] - times[-3]).total_seconds() <= 1
    return done | seen


ACTIONS = [actions_by_hand(visit) for visit in VISITS]


@under_any_filters
@given(selection=selections())
def test_actions_are_those_of_the_events(tables: PublishedTables, selection: VisitSelection) -> None:
    numbers = shown_pages(tables)
    common = list_common(
        (action, visit.person)
        for visit, done in zip(VISITS, ACTIONS, strict=True)
        for (_, action), times in done.items()
        if times
    )
    assert {"rage_click", "dead_click", "zoom"} <= common
    assert "rare_action" not in common
    expected: dict[int, Counter[str]] = defaultdict(Counter)
    inside = {id(visit) for visit in chosen(selection)}
    for visit, done in zip(VISITS, ACTIONS, strict=True):
        if id(visit) in inside:
            for (page, action), times in done.items():
                expected[numbers.get(page, OTHER)][action if action in common else "other"] += times
    of_pages = count_actions_of_pages(tables, selection)
    assert of_pages == expected
    assert sum_actions(of_pages) == sum(expected.values(), Counter())
    assert {page.page: (page.clicks, page.dead, page.rage) for page in list_vain_clicks(of_pages)} == {
        page: (counts["click"], counts["dead_click"], counts["rage_click"])
        for page, counts in expected.items()
        if counts["dead_click"] + counts["rage_click"]
    }


def test_rage_and_dead_clicks_add_up_to_those_of_the_sessions(tables: PublishedTables, used_site: Built) -> None:
    """A session counts a report on one page against clicks on another, so that it can only have fewer."""
    counts = sum_actions(count_actions_of_pages(tables, whole()))
    [(rage, dead)] = used_site.rows("select sum(rage_clicks), sum(dead_clicks) from sessions")
    assert 0 < rage <= counts["rage_click"]
    assert 0 < dead <= counts["dead_click"]


@under_any_filters
@given(selection=selections())
def test_items_are_those_of_the_events(tables: PublishedTables, selection: VisitSelection) -> None:
    sums: dict[str, Counter[str]] = defaultdict(Counter)
    for visit in chosen(selection):
        for row in visit.events:
            item = row["item_id"]
            if item is None or item == "rare":
                continue
            sums[item]["views"] += row["event_type"] == "page_view"
            sums[item]["add_to_carts"] += row["event_type"] == "add_to_cart"
            sums[item]["purchases"] += row["event_type"] == "purchase"
            if row["event_type"] == "page_exit":
                sums[item]["dwells"] += 1
                sums[item]["dwell"] += row["value"]
    items = {item.item_id: item for item in collect_items(tables, selection)}
    assert set(items) == {item for item, counts in sums.items() if counts["views"]}
    for name, item in items.items():
        counts = sums[name]
        assert (item.views, item.add_to_carts, item.purchases) == (
            counts["views"],
            counts["add_to_carts"],
            counts["purchases"],
        )
        if counts["dwells"]:
            assert item.dwell_seconds == pytest.approx(counts["dwell"] / counts["dwells"])


def test_how_far_items_were_scrolled_is_that_of_the_views(tables: PublishedTables, used_site: Built) -> None:
    depths = defaultdict(list)
    for item, depth in used_site.rows(
        "select item_id, scroll_depth from page_views where scroll_depth is not null"
    ):
        depths[item].append(depth)
    assert {item.item_id: item.scrolled_percent for item in collect_items(tables, whole())} == {
        item: pytest.approx(sum(depths[item]) / len(depths[item])) for item in ("i0", "i1", "i2")
    }


def stages_by_hand(plain: list[PlainVisit]) -> list[int]:
    """How many visits took each step of the funnel `purchase` in order."""
    reached = [0] * len(STEPS)
    for visit in plain:
        place = 0
        for row in visit.events:
            if place < len(STEPS) and row["event_type"] == STEPS[place]:
                reached[place] += 1
                place += 1
    return [count for count in reached if count]


@under_any_filters
@given(selection=selections(), by=st.sampled_from(DIMENSIONS))
def test_funnels_are_those_of_the_events(tables: PublishedTables, selection: VisitSelection, by: str) -> None:
    plain = chosen(selection)
    funnels = collect_funnels(tables, selection)
    assert [stage.entered for stage in funnels.get("purchase", [])] == stages_by_hand(plain)
    parts = collect_funnel_parts(tables, selection, "purchase", by)
    for value in VALUES[by]:
        rows = [visit for visit in plain if visit.values[by] == value]
        stages = [stage.entered for stage in parts.get(value, []) if stage.entered]
        assert stages == stages_by_hand(rows)


@under_any_filters
@given(segment=st.sampled_from([None, *VALUES["segment"]]), weeks=st.integers(1, 6))
def test_retention_is_that_of_the_events(tables: PublishedTables, segment: str | None, weeks: int) -> None:
    came: dict[str, set[dt.date]] = defaultdict(set)
    for visit in VISITS:
        if segment in (None, visit.values["segment"]):
            came[visit.person].add(visit.date - dt.timedelta(days=visit.date.weekday()))
    filters = {} if segment is None else {"segment": segment}
    cohorts = collect_cohorts(tables, VisitSelection(MONDAY, MONDAY + dt.timedelta(days=7 * weeks - 1), filters))
    assert [cohort.week for cohort in cohorts] == sorted(
        {min(dates) for dates in came.values() if min(dates) < MONDAY + dt.timedelta(weeks=weeks)}
    )
    for cohort in cohorts:
        members = [dates for dates in came.values() if min(dates) == cohort.week]
        assert cohort.people == len(members)
        for number, active in enumerate(cohort.active):
            assert active == sum(cohort.week + dt.timedelta(weeks=number) in dates for dates in members)


def test_the_time_of_attention_is_that_of_the_sessions(tables: PublishedTables, used_site: Built) -> None:
    sums = tables.sums("visits", whole(), (), ("measured_visits", "engaged_milliseconds"))
    seconds = [row[0] for row in used_site.rows("select engaged_seconds from sessions") if row[0] is not None]
    assert sums == [
        {"measured_visits": len(seconds), "engaged_milliseconds": pytest.approx(1000 * sum(seconds), abs=1)}
    ]


def test_nobody_can_be_named(tables: PublishedTables) -> None:
    people = {person for person, _ in visits()}
    for name in CONSOLE_TABLES:
        for column in tables.read(name).columns:
            if column.type == pa.string():
                assert not people & set(column.to_pylist())


def test_a_person_of_many_days_counts_once(tables: PublishedTables) -> None:
    assert count_visitors(tables, whole()) == {(): PEOPLE}


def whole() -> VisitSelection:
    return VisitSelection(MONDAY, MONDAY + dt.timedelta(days=60))


PLACES = st.sampled_from(
    ["page_view", "click", "add_to_cart", "checkout", "purchase", "custom:zoom", "click#a", "click#b",
     *(f"page_view@{page}" for page in PAGES), f"click@{PAGES[3]}", f"add_to_cart@{PAGES[1]}"]
)  # fmt: skip


def is_taken(row: dict[str, Any], step: str) -> bool:
    event_type, _, page = step.partition("@")
    event_type, _, element = event_type.partition("#")
    if row["event_type"] != event_type or (page and row["page_url"].partition("?")[0] != page):
        return False
    return not element or bool(json.loads(row["properties"])["element"] == element)


def furthest(events: Visit, steps: list[str], hours: int) -> int:
    """How far the best chain of events gets, by trying each start."""
    best = 0
    for start in (row["occurred_at"] for row in events if is_taken(row, steps[0])):
        place, at = 0, start
        for row in events:
            while place < len(steps) and at <= row["occurred_at"] <= start + dt.timedelta(hours=hours):
                if not is_taken(row, steps[place]):
                    break
                place, at = place + 1, row["occurred_at"]
        best = max(best, place)
    return best


@under_any_filters
@given(steps=st.lists(PLACES, min_size=1, max_size=4, unique=True), hours=st.sampled_from([1, 24, 168]))
def test_a_funnel_that_is_tried_counts_the_events_in_their_order(
    tables: PublishedTables, steps: list[str], hours: int
) -> None:
    tried = VisitSteps.of_tables(tables)
    assert tried.visits == len(VISITS)
    names = [parse_step(step) for step in steps]
    people: dict[str, Visit] = defaultdict(list)
    for visit in VISITS:
        people[visit.person] += visit.events
    for per, units in (("session", [visit.events for visit in VISITS]), ("user", list(people.values()))):
        reached = [furthest(events, steps, hours) for events in units]
        expected = [sum(depth > place for depth in reached) for place in range(len(steps))]
        assert tried.count(names, per, hours) == expected  # type: ignore[arg-type]


def test_steps_that_are_offered_are_those_of_enough_people(tables: PublishedTables) -> None:
    offered = VisitSteps.of_tables(tables).suggest()
    assert {step for step in offered if "@" in step} == {f"page_view@{page}" for page in PAGES}
    assert {step for step in offered if "#" in step} == {"click#a", "click#b"}
    assert {"page_view", "click", "custom:zoom"} <= set(offered)
    assert "custom:rare_action" not in offered


def test_a_page_that_is_not_published_is_no_step(tables: PublishedTables) -> None:
    tried = VisitSteps.of_tables(tables)
    with pytest.raises(InvalidInputError, match="no page 'https://site/d' is published"):
        tried.count([parse_step(f"page_view@{RARE_PAGE}")])
    with pytest.raises(InvalidInputError, match="whole addresses are not published"):
        tried.count([parse_step("page_view:%/a")])

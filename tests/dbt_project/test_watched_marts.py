"""What monitoring watches: counted by hand for few events, and from raw events for a simulated site."""

from __future__ import annotations

import datetime as dt
from collections import Counter

import pyarrow as pa
import pytest
from dbt.contracts.graph.manifest import Manifest

from ml.events.log import EventLog
from ml.settings.simulator import SimulatorSettings
from ml.sources.simulator import Site, simulate_into_home
from orchestration.warehouse.warehouse import Warehouse
from orchestration.warehouse.watched import read_watched
from tests.dbt_project.built import START, Built, event, warehouse_in
from tests.dbt_project.test_increments import assert_same_as_full_refresh

HOUR = 60
DAY = 24 * HOUR
WATCHED = ("event_hours", "answer_hours", "category_days")
FILLED = ("item_id", "page_url", "recommendation_id", "value", "user_id", "anonymous_id", "country")


def hour(number: int) -> dt.datetime:
    return (START + dt.timedelta(hours=number)).replace(tzinfo=None)


def date(number: int) -> dt.date:
    return (START + dt.timedelta(days=number)).date()


def served(minute: float, answer: str, version: str, **fields: object) -> dict[str, object]:
    properties = {"slot": "home", "model_version": version, "items": ["boots"]}
    return event(minute, "served", recommendation_id=answer, properties=properties, **fields)


def reaction(minute: float, event_type: str, answer: str, **fields: object) -> dict[str, object]:
    return event(minute, event_type, recommendation_id=answer, item_id="boots", **fields)


def test_a_field_that_goes_missing_on_one_browser_shows_there_alone(warehouse: Built) -> None:
    safari = {"anonymous_id": "a", "browser": "Safari", "device_type": "mobile"}
    firefox = {"anonymous_id": "b", "browser": "Firefox", "device_type": "mobile"}
    warehouse.ingest(
        event(0, item_id="boots", **safari),
        event(1, item_id="boots", **firefox),
        event(2, item_id="boots", anonymous_id="c"),
        event(3, item_id="boots", anonymous_id="crawler", device_type="bot"),
        event(HOUR, **safari),
        event(HOUR + 1, item_id="boots", **firefox),
    )
    warehouse.build("event_hours")
    query = "select hour, slice, events, with_item_id from event_hours where dimension = '{}' order by 1, 2"
    assert warehouse.rows(query.format("browser")) == [
        (hour(0), "", 1, 1), (hour(0), "Firefox", 1, 1), (hour(0), "Safari", 1, 1),
        (hour(1), "Firefox", 1, 1), (hour(1), "Safari", 1, 0),
    ]  # fmt: skip
    assert warehouse.rows(query.format("everything")) == [(hour(0), "", 3, 3), (hour(1), "", 2, 1)]


def test_an_answer_has_its_reactions_whenever_they_come_and_counts_once(warehouse: Built) -> None:
    ann, device = {"user_id": "ann", "anonymous_id": "phone"}, {"anonymous_id": "kiosk"}
    warehouse.ingest(
        served(0, "r1", "old", **ann),
        served(1, "r1", "forged", **ann),
        reaction(2, "impression", "r1", **ann),
        reaction(HOUR + 1, "click", "r1", **ann),
        reaction(HOUR + 2, "click", "r1", **ann),
        served(HOUR, "r2", "old", **device),
        reaction(HOUR, "click", "r9", **device),
    )
    warehouse.build("answer_hours")
    assert warehouse.rows("select * from answer_hours order by hour") == [
        (hour(0), "home", "old", "known", 1, 1),
        (hour(1), "home", "old", "anonymous", 1, 0),
    ]


def test_a_view_is_familiar_if_the_person_viewed_the_category_on_an_earlier_day(warehouse: Built) -> None:
    warehouse.describe(boots={"category": "shoes"}, scarf={"category": "wool"})
    views = [(0, "boots"), (10, "boots"), (DAY, "boots"), (DAY + 5, "scarf"), (40 * DAY, "boots")]
    warehouse.ingest(
        event(-28 * DAY, user_id="bob", item_id="boots", page_url="boots"),
        event(-DAY, user_id="bob", item_id="boots", page_url="boots"),
        *(event(minute, user_id="ann", item_id=item, page_url=item) for minute, item in views),
    )
    warehouse.build("category_days")
    assert warehouse.rows("select * from category_days order by date, category") == [
        (date(0), "shoes", "new", 2, 0, 1),
        (date(1), "shoes", "returning", 1, 1, 1),
        (date(1), "wool", "returning", 1, 0, 1),
        (date(40), "shoes", "new", 1, 0, 1),
    ]


def test_increments_give_the_same_as_a_build_in_full(warehouse: Built) -> None:
    repeated = event(0, item_id="boots", anonymous_id="a", browser="Safari")
    warehouse.ingest(repeated, event(1, anonymous_id="b"))
    warehouse.build(*WATCHED)
    warehouse.ingest(repeated | {"received_at": START - dt.timedelta(hours=1), "browser": "Firefox"})
    warehouse.ingest(event(100 * DAY, anonymous_id="b"))
    warehouse.build(*WATCHED)
    assert warehouse.rows("select hour, events from event_hours where dimension = 'everything'") == [
        (hour(2400), 1)
    ]
    assert_same_as_full_refresh(warehouse, *WATCHED)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, manifest: Manifest) -> Built:
    """Two weeks of a small simulated site."""
    settings = SimulatorSettings(users=60, days=14, items=60, new_items_per_day=2)
    warehouse = warehouse_in(tmp_path_factory.mktemp("watched") / "home", manifest)
    first = dt.date(2026, 3, 1)
    simulate_into_home(warehouse.home, Site(settings, 3, first), first, first + dt.timedelta(days=14))
    warehouse.build(*WATCHED)
    return warehouse


def test_the_counts_of_a_site_are_those_of_its_raw_events(site: Built) -> None:
    log = pa.Table.from_batches(EventLog(site.home).read()).to_pandas()
    log = log.sort_values("received_at", kind="stable").drop_duplicates("event_id")
    people = log[log["device_type"] != "bot"]
    tables = read_watched(Warehouse(site.home.warehouse).read)
    hours = tables.event_hours.to_pandas()
    for dimension in ("everything", "device_type", "browser", "country"):
        part = hours[hours["dimension"] == dimension]
        assert part["events"].sum() == len(people)
        for field in FILLED:
            assert part[f"with_{field}"].sum() == people[field].notna().sum(), (dimension, field)
    views = people[people["event_type"] == "page_view"]
    whole = hours[(hours["dimension"] == "everything") & (hours["event_type"] == "page_view")]
    devices = views.groupby(views["occurred_at"].dt.floor("h"))["anonymous_id"].nunique()
    assert whole.groupby("hour")["devices"].sum().sum() >= devices.sum()
    assert whole["devices"].sum() <= 1.2 * devices.sum()
    by_browser = hours[(hours["dimension"] == "browser") & (hours["event_type"] == "page_view")]
    assert by_browser.groupby("slice")["events"].sum().to_dict() == views["browser"].value_counts().to_dict()

    answers = tables.answer_hours.to_pandas()
    clicks = Counter(people[people["event_type"] == "click"]["recommendation_id"].dropna())
    given = people[people["event_type"] == "served"]
    assert answers["answers"].sum() == len(given)
    assert answers["clicked_answers"].sum() == given["recommendation_id"].isin(clicks).sum() > 20
    known = answers[answers["audience"] == "known"]
    assert known["answers"].sum() == given["user_id"].notna().sum()

"""Any split of any events into any order of increments gives the marts of one full refresh, row for row."""

from __future__ import annotations

import datetime as dt
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow.compute as pc
from dbt.contracts.graph.manifest import Manifest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from ml.events.contract import AUTHORITIES
from ml.events.log import EventLog
from ml.events.retention import expire_events
from ml.segmentation.audiences.rules import assign_rules, load_site_rules
from ml.settings import load_settings
from orchestration.warehouse.warehouse import open_duckdb
from tests.dbt_project.built import START, Built, event, warehouse_in

PEOPLE = ("ann", "bob", "cid")
DEVICES = ("phone", "kiosk", "laptop", "ann")  # the last is also the id of a user
ITEMS = ("boots", "scarf")
PAGES = ("/boots", "/scarf?utm_campaign=spring", "/scarf?utm_campaign=autumn", "/about")
MOMENTS = (
    0,
    1,
    10,
    29,
    30,
    31,
    60,
    61,
    895,
    905,
    1439,
    1441,
    20_000,
)  # minutes: around the timeout, midnight, much later
WORKLISTS = {"int_sessions_touched", "int_events_touched", "stg_event_repeat_candidates"}

who = st.one_of(
    st.fixed_dictionaries({"user_id": st.sampled_from(PEOPLE)}),
    st.fixed_dictionaries({"anonymous_id": st.sampled_from(DEVICES)}),
    st.fixed_dictionaries({"user_id": st.sampled_from(PEOPLE), "anonymous_id": st.sampled_from(DEVICES)}),
)
what = st.one_of(
    st.fixed_dictionaries(
        {
            "event_type": st.sampled_from(["page_view", "page_ping", "scroll", "click", "impression"]),
            "page_url": st.sampled_from(PAGES),
            "item_id": st.sampled_from(ITEMS),
            "value": st.sampled_from([None, 5.0, 40.0]),
        }
    ),
    st.fixed_dictionaries(
        {"event_type": st.sampled_from(["purchase", "add_to_cart", "dislike"]), "item_id": st.sampled_from(ITEMS),
         "value": st.sampled_from([19.99, -19.99, 0.0, None])}
    ),
    st.fixed_dictionaries(
        {"event_type": st.just("exposure"), "experiment_id": st.just("e"), "variant": st.sampled_from("ab")}
    ),
    st.fixed_dictionaries({"event_type": st.just("served"), "recommendation_id": st.sampled_from(["r1", "r2"])}),
    st.fixed_dictionaries(
        {"event_type": st.sampled_from(["identify", "consent_withdrawn", "consent_granted"])}
    ),
)  # fmt: skip
properties = st.one_of(
    st.integers(0, 3).map(lambda n: {"n": n}),
    st.just({"suspected": "flood"}),
    st.just({"order_id": "o"}),
    st.sampled_from(["EUR", "USD", "no code"]).map(lambda currency: {"currency": currency}),
)
client = st.sampled_from(
    [{}, {}, {"source": "snowplow", "session_id": "s1"}, {"source": "snowplow", "session_id": "s2"}]
)
one_event = st.tuples(
    st.sampled_from(MOMENTS), who, what, properties, st.sampled_from([None, *AUTHORITIES]), client
).map(
    lambda drawn: event(drawn[0], **drawn[1], **drawn[2], **drawn[5], properties=drawn[3], authority=drawn[4])
)  # fmt: skip


@st.composite
def histories(draw: st.DrawFn) -> list[list[Mapping[str, Any]]]:
    """Three increments in the order of their arrival: events, and repeats that differ in content and receipt."""
    events = draw(st.lists(one_event, min_size=60, max_size=140))
    repeated = draw(st.lists(st.sampled_from(events), max_size=8))
    for repeat in repeated:
        late = repeat["received_at"] + dt.timedelta(minutes=draw(st.sampled_from([-90, 0, 90])))
        changes = {"received_at": late, "value": draw(st.sampled_from([None, 1.0, 1e300]))}
        if draw(st.booleans()):  # another sender takes the id
            changes["authority"] = draw(st.sampled_from(AUTHORITIES))
        events.append({**repeat, **changes})
    places = draw(st.lists(st.integers(0, 2), min_size=len(events), max_size=len(events)))
    increments = [
        [row for row, place in zip(events, places, strict=True) if place == number] for number in range(3)
    ]
    assume(increments[0] and increments[1])
    return increments


def tables(warehouse: Built) -> dict[str, list[str]]:
    """Rows of every table and view that was built, as sorted text."""
    with open_duckdb(warehouse.home.warehouse, read_only=True) as connection:
        names = connection.sql(
            "select table_schema, table_name from information_schema.tables where table_schema <> 'state'"
        ).fetchall()
        return {
            name: sorted(map(repr, connection.sql(f"from {schema}.{name}").fetchall()))
            for schema, name in sorted(names)
            if name not in WORKLISTS
        }


def left_in_queues(warehouse: Built) -> list[str]:
    """Queues that still hold something for a model that was built, which the next run would rebuild again."""
    built = "select table_name from information_schema.tables where table_schema <> 'state'"
    with open_duckdb(warehouse.home.warehouse, read_only=True) as connection:
        names = connection.sql(
            "select table_name from information_schema.tables "
            "where table_schema = 'state' and table_name like 'queue_%'"
        ).fetchall()
        assert names
        return [
            name
            for (name,) in names
            if connection.sql(f"select 1 from state.{name} where model in ({built}) limit 1").fetchall()
        ]


def assert_same_as_full_refresh(warehouse: Built, *models: str) -> None:
    """The models, or without names all, hold the same rows after one build in full."""
    incremental = tables(warehouse)
    assert left_in_queues(warehouse) == []
    warehouse.build(*models, full=True)
    whole = tables(warehouse)
    assert incremental.keys() == whole.keys()
    for name, rows in whole.items():
        assert incremental[name] == rows, name


@settings(max_examples=2, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    history=histories(),
    killed_at=st.sampled_from(
        [
            "stg_event_keys",
            "stg_event_repeats",
            "int_activity_bucketed",
            "int_identities_stitched",
            "int_activity_attributed",
            "int_session_buckets",
            "int_page_views",
            "int_funnel_steps",
            "sessions",
            "user_items",
        ]
    ),
)
def test_increments_give_what_one_full_refresh_gives(
    history: list[list[Mapping[str, Any]]], killed_at: str, manifest: Manifest
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        warehouse = warehouse_in(Path(folder) / "home", manifest)
        warehouse.describe(
            boots={"category": "shoes", "tags": ["a"]}, scarf={"category": "wool", "tags": ["a", "b"]}
        )
        first, second, third = history
        warehouse.ingest(*first)
        warehouse.build()
        warehouse.ingest(*second)
        warehouse.build(killed_at)
        warehouse.ingest(*third)
        warehouse.build()
        assert_same_as_full_refresh(warehouse)


def test_compaction_erasure_retention_and_a_changed_catalogue_leave_no_trace(warehouse: Built) -> None:
    warehouse.describe(boots={"category": "shoes", "tags": ["a"]})
    long_ago = event(0)["received_at"] - dt.timedelta(days=31)
    bought_long_ago = event(0, user_id="bob", anonymous_id="kiosk", page_url="/boots", item_id="boots")
    warehouse.ingest(bought_long_ago | {"occurred_at": long_ago, "received_at": long_ago, "event_id": "long ago"})
    for minute in (0, 20, 40):
        warehouse.ingest(
            event(minute, user_id="ann", anonymous_id="phone", page_url="/boots", item_id="boots"),
            event(minute + 1, user_id="bob", anonymous_id="kiosk", page_url="/boots", item_id="boots"),
        )
    warehouse.build()
    assert warehouse.rows("select user_id, page_views from users order by 1") == [("ann", 3), ("bob", 4)]

    log = EventLog(warehouse.home)
    log.compact()
    _, part = log.parts()
    log.replace(part, [batch.filter(pc.field("user_id") != "ann") for batch in log.read([part])])
    month = load_settings().privacy.model_copy(update={"retention_days": 30})
    assert expire_events(warehouse.home, month, event(0)["received_at"]).events == 1
    warehouse.describe(
        boots={"category": "rubber", "tags": ["b"], "updated_at": dt.datetime(2027, 1, 1, tzinfo=dt.UTC)}
    )
    warehouse.build()
    assert warehouse.rows("select user_id, page_views, top_category from users") == [("bob", 3, "rubber")]
    assert_same_as_full_refresh(warehouse)


def test_what_no_model_makes_any_more_is_dropped_and_nothing_else(warehouse: Built) -> None:
    warehouse.build("stg_event_parts")
    with open_duckdb(warehouse.home.warehouse) as connection:
        connection.execute("create table main.renamed_since as select 'ann' as user_id")
        connection.execute("create table main.stg_events as select 'ann' as user_id")  # before it had a schema
        connection.execute("insert into state.models values ('renamed_since'), ('stg_events')")
        connection.execute("create table main.user_segments as select 'ann' as user_id, 'walkers' as name")
    warehouse.build("stg_event_parts")
    left = "select schema_name, table_name from duckdb_tables() where schema_name <> 'state' order by all"
    assert warehouse.rows(left) == [("main", "user_segments"), ("staging", "stg_event_parts")]


def test_nothing_later_is_seen_as_of_a_moment(warehouse: Built) -> None:
    before = [
        event(0, user_id="ann", page_url="/boots", item_id="boots"),
        event(1, "page_ping", user_id="ann", page_url="/boots", value=10.0),
    ]
    later = [
        event(2_000, user_id="ann", page_url="/boots", item_id="boots"),
        event(2_001, "purchase", user_id="ann", item_id="boots", value=50.0),
        event(2_002, "consent_withdrawn", user_id="ann", consent=[], properties={"purposes": ["personalization"]}),
        event(2_000, user_id="bob", page_url="/scarf", item_id="scarf"),
    ]
    frames = ("training_users", "training_items", "training_interactions", "training_new_items")
    as_of = "timestamp '2026-03-02 12:00:00'"
    soon, late = START + dt.timedelta(days=1), START + dt.timedelta(days=2)
    warehouse.describe(
        boots={"category": "shoes", "tags": ["a"], "price": 80.0},
        gloves={"category": "hands", "published_at": soon, "updated_at": soon},
        socks={"category": "feet", "updated_at": soon},
    )
    warehouse.ingest(*before)
    warehouse.build()
    then = {frame: warehouse.rows(f"from {frame}({as_of}) order by all") for frame in frames}
    segments_then = segments_by_rule(warehouse, f"training_users({as_of})")
    assert [row[0] for row in then["training_users"]] == ["ann"]
    assert segments_then["ann"]["funnel"] == "lookers"
    categories = "select item_id, category from {}(" + as_of + ") order by 1"
    assert warehouse.rows(categories.format("training_items")) == [("boots", "shoes"), ("socks", "feet")]
    assert warehouse.rows(categories.format("training_new_items")) == [("gloves", "hands")]
    warehouse.ingest(*later)
    warehouse.describe(
        boots={"category": "bestsellers", "tags": ["bought"], "price": 1.0, "updated_at": soon},
        gloves={"category": "bestsellers", "published_at": soon, "updated_at": late},
        socks={"category": "bestsellers", "updated_at": late},
    )
    warehouse.build()
    assert {frame: warehouse.rows(f"from {frame}({as_of}) order by all") for frame in frames} == then
    assert segments_by_rule(warehouse, f"training_users({as_of})") == segments_then
    # the marts do see it: were a frame made of them, this would catch the leak
    assert warehouse.rows("select popularity_all, category from items where item_id = 'boots'") == [
        (2, "bestsellers")
    ]
    assert warehouse.rows("select count(*) from interactions where user_id = 'ann'") == [(0,)]
    assert segments_by_rule(warehouse, "users")["ann"]["funnel"] == "buyers"


def segments_by_rule(warehouse: Built, people: str) -> dict[str, dict[str, Any]]:
    """User → family → the segment of the checkout's rules that the person is in."""
    rules = load_site_rules(warehouse.home, load_settings().segmentation.rules_file)
    with open_duckdb(warehouse.home.warehouse, read_only=True) as connection:
        assigned = assign_rules(connection.sql(f"from {people} order by user_id").to_arrow_table(), rules)
    return {row["user_id"]: row for row in assigned.to_pylist()}


def test_no_training_frame_stands_below_segments_that_were_learned_later(manifest: Manifest) -> None:
    segments = "source.tessera.segmentation.user_segments"
    below = {segments}
    for _ in manifest.nodes:
        below |= {name for name, parents in manifest.parent_map.items() if below & set(parents)}
    assert "model.tessera.segment_funnels" in below
    frames = {node.unique_id for node in manifest.nodes.values() if node.fqn[1] == "training"}
    assert frames
    assert not frames & below

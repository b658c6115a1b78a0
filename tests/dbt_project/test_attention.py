"""Views and attention as trackers really send them: page and product views of one load, pings, deltas."""

from collections.abc import Mapping
from typing import Any

import pytest
from dbt.contracts.graph.manifest import Manifest

from tests.dbt_project.built import Built, event, warehouse_in
from tests.dbt_project.test_increments import assert_same_as_full_refresh

SECOND = 1 / 60  # minutes
PAGE = "https://site/boots"


def view(second: float, user: str, url: str | None = PAGE, **fields: Any) -> dict[str, Any]:
    return event(second * SECOND, anonymous_id=user, page_url=url, **fields)


def pings(first_second: float, number: int, user: str, url: str, **properties: Any) -> list[Mapping[str, Any]]:
    """A ping of ten seconds in each of so many slots."""
    return [
        event(
            (first_second + 10 * i) * SECOND, "page_ping", anonymous_id=user, page_url=url, value=10.0,
            properties=properties,
        )
        for i in range(number)
    ]  # fmt: skip


def delta(second: float, user: str, event_type: str, seconds: float, value: float | None = None) -> dict[str, Any]:
    properties = {"engaged_delta_seconds": seconds}
    return event(second * SECOND, event_type, anonymous_id=user, page_url=PAGE, value=value, properties=properties)


FIRST = (
    # a page view and a product view of one load: a bounce
    view(0, "shopper"),
    view(0.3, "shopper", item_id="boots"),
    # the same load told by its id, without an address
    view(0, "named", properties={"page_view_id": "n"}),
    view(20, "named", url=None, item_id="boots", properties={"page_view_id": "n"}),
    # a reload
    view(0, "reloader"),
    view(1, "reloader"),
    # sixty seconds of a view
    view(0, "sleeper", properties={"page_view_id": "p"}),
    *pings(10, 6, "sleeper", PAGE, page_view_id="p"),
    # a section of a page is no page, a route is
    view(0, "reader", "https://site/a"),
    *pings(10, 3, "reader", "https://site/a"),
    *pings(40, 9, "reader", "https://site/a#section"),
    view(0, "router", "https://site/#/a"),
    view(1, "router", "https://site/#/b"),
    # seconds since the last event, on three events of a moment and in one slot
    delta(1, "analyst", "page_view", 3.0),
    delta(1, "analyst", "scroll", 7.0, 90.0),
    delta(1, "analyst", "page_ping", 12.0, 12.0),
    view(0, "slot"),
    delta(1, "slot", "page_ping", 4.0, 4.0),
    delta(2, "slot", "page_ping", 5.0, 5.0),
    # a tracker that says when a page is left, but not what was looked at
    view(0, "unmeasured", item_id="shoes", source="exits"),
    event(30 * SECOND, "page_exit", anonymous_id="unmeasured", page_url=PAGE, value=30.0, source="exits"),
    # a tracker that does so after an update only
    view(0, "early", source="updated"),
)
SECOND_PART = (
    # after forty minutes of silence, three hundred seconds more of the same view
    *pings(60 + 40 * 60 + 10, 30, "sleeper", PAGE, page_view_id="p"),
    view(3000, "shopper"),
    view(0, "late", source="updated"),
    *(ping | {"source": "updated"} for ping in pings(10, 1, "late", PAGE)),
)


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory, manifest: Manifest) -> Built:
    """Everybody on a device of their own, in two increments."""
    warehouse = warehouse_in(tmp_path_factory.mktemp("attention") / "home", manifest)
    warehouse.ingest(*FIRST)
    warehouse.build()
    warehouse.ingest(*SECOND_PART)
    warehouse.build()
    return warehouse


def sessions(built: Built, user: str, columns: str) -> list[tuple[Any, ...]]:
    return built.rows(f"select {columns} from sessions where user_id = '{user}' order by started_at")


def test_a_page_view_and_a_product_view_of_one_load_are_one_view_and_a_bounce(built: Built) -> None:
    columns = "page_views, events, is_bounce"
    assert sessions(built, "shopper", columns) == [(1, 2, True), (1, 1, True)]
    assert sessions(built, "named", columns) == [(1, 2, True)]
    assert sessions(built, "reloader", columns) == [(2, 2, False)]
    assert built.rows(
        "select user_id, views, events from user_items where item_id = 'boots' order by 1"
    ) == [("named", 1, 1), ("shopper", 1, 1)]  # fmt: skip
    views = (
        "select user_id, item_id, is_bounce from page_views where user_id in ('named', 'reloader') order by all"
    )
    assert built.rows(views) == [
        ("named", "boots", True), ("reloader", None, False), ("reloader", None, False)
    ]  # fmt: skip
    assert built.rows("select views, users, popularity_all from items where item_id = 'boots'") == [(2, 2, 2)]


def test_pings_after_a_silence_belong_to_the_view_that_they_name(built: Built) -> None:
    assert built.rows("select engaged_seconds, heartbeats from page_views where user_id = 'sleeper'") == [
        (360.0, 36)
    ]
    assert sessions(built, "sleeper", "page_views, engaged_seconds") == [(1, 60.0), (0, 300.0)]
    assert built.rows("select engaged_seconds from users where user_id = 'sleeper'") == [(360.0,)]


def test_a_fragment_changes_no_page_unless_it_is_a_route(built: Built) -> None:
    query = "select page_url, engaged_seconds from page_views where user_id = '{}' order by 1"
    assert built.rows(query.format("reader")) == [("https://site/a", 120.0)]
    assert built.rows(query.format("router")) == [("https://site/#/a", 0.0), ("https://site/#/b", 0.0)]


def test_seconds_since_the_last_event_are_summed(built: Built) -> None:
    query = "select engaged_seconds, dwell_seconds from page_views where user_id = '{}'"
    assert built.rows(query.format("analyst")) == [(22.0, 22.0)]
    assert built.rows(query.format("slot")) == [(9.0, 9.0)]
    assert sessions(built, "analyst", "engaged_seconds, scroll_depth") == [(22.0, 90.0)]


def test_attention_is_unknown_where_the_source_never_reports_any(built: Built) -> None:
    views = "select engaged_seconds, dwell_seconds, is_bounce from page_views where user_id = '{}'"
    assert built.rows(views.format("unmeasured")) == [(None, 30.0, True)]
    for table in ("sessions", "user_days", "user_items", "interactions"):
        query = f"select engaged_seconds from {table} where user_id = 'unmeasured'"
        assert built.rows(query) == [(None,)], table
    users = "select user_id, engaged_seconds, engaged_seconds_per_view from users where user_id in {} order by all"
    assert built.rows(users.format("('unmeasured', 'shopper', 'reader')")) == [
        ("reader", 120.0, 120.0), ("shopper", 0.0, 0.0), ("unmeasured", None, None)
    ]  # fmt: skip
    assert built.rows("select item_id, engaged_seconds from items order by all") == [
        ("boots", 0.0),
        ("shoes", None),
    ]


def test_a_source_that_begins_to_report_attention_makes_none_of_what_was_unknown(built: Built) -> None:
    query = "select user_id, engaged_seconds from sessions where user_id in ('early', 'late') order by all"
    assert built.rows(query) == [("early", 0.0), ("late", 10.0)]


def test_the_attention_of_a_day_is_shared_by_those_of_whom_it_is_known(built: Built) -> None:
    # 360 s of the sleeper, 120 s of the reader, 22 s, 9 s and 10 s; ten people of eleven
    query = "select engaged_seconds, active_users, engaged_seconds_per_user from daily_metrics"
    assert built.rows(query) == [(521.0, 11, 52.1)]


def test_the_increment_is_one_build_in_full(built: Built) -> None:
    assert_same_as_full_refresh(built)
